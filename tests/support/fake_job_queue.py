"""A table of jobs in memory, for tests of what runs them."""

import time
from dataclasses import fields, replace

from serve_app.jobs.job import ENDED, JobProgress, JobRecord, JobState, NewJob


class FakeJobQueue:
    """Follows :class:`serve_app.jobs.job_queue.JobQueue`; ``ahead_s`` moves its clock."""

    def __init__(self):
        self.jobs = {}
        self.calls = []
        self.ahead_s = 0.0
        self.is_down = False

    def submit(self, job_id, request=None, source=None, owner=""):
        new = NewJob(job_id, owner, request or {}, source)
        copied = {f.name: getattr(new, f.name) for f in fields(new)}
        self.jobs[job_id] = JobRecord(state=JobState.QUEUED, created_at=self._now(), **copied)

    async def claim(self, worker, lease_s):
        self._called("claim")
        for job in sorted(self.jobs.values(), key=lambda job: job.created_at):
            is_left = job.state == JobState.RUNNING and job.lease_until < self._now()
            if job.state == JobState.QUEUED or is_left:
                return self._changed(
                    job.id,
                    state=JobState.RUNNING,
                    worker=worker,
                    lease_until=self._now() + lease_s,
                    attempts=job.attempts + 1,
                )
        return None

    async def heartbeat(self, job_id, worker, lease_s, progress):
        self._called("heartbeat", progress)
        if not self._is_of(job_id, worker):
            return None
        return self._changed(job_id, lease_until=self._now() + lease_s, progress=progress)

    async def release(self, job_id, worker):
        self._called("release")
        if self._is_of(job_id, worker):
            self._changed(job_id, state=JobState.QUEUED, worker=None, lease_until=None)

    async def succeed(self, job_id, worker, *, result_bytes, video_url, keep_s):
        return self._ended(
            job_id,
            worker,
            keep_s,
            JobState.SUCCEEDED,
            result_bytes=result_bytes,
            video_url=video_url,
        )

    async def fail(self, job_id, worker, error, keep_s):
        return self._ended(job_id, worker, keep_s, JobState.FAILED, error=error)

    async def cancelled(self, job_id, worker, keep_s):
        return self._ended(job_id, worker, keep_s, JobState.CANCELLED)

    async def get(self, job_id, owner):
        return self.jobs.get(job_id)

    async def remove(self, job_id, owner):
        self._called("remove", job_id)
        return self.jobs.pop(job_id, None) is not None

    async def expired(self, now):
        self._called("expired")
        return [job for job in self._all_ended() if job.expires_at <= now + self.ahead_s]

    async def ended_oldest_first(self):
        return self._all_ended()

    def request_cancel(self, job_id):
        self._changed(job_id, cancel_requested=True)

    def take_away(self, job_id):
        """Give the lease to another worker."""
        self._changed(job_id, worker="another", lease_until=self._now() + 1e6)

    def names(self):
        return [name for name, _ in self.calls]

    def _all_ended(self):
        ended = [job for job in self.jobs.values() if job.state in ENDED]
        return sorted(ended, key=lambda job: job.ended_at)

    def _ended(self, job_id, worker, keep_s, state, **changes):
        self._called(str(state))
        if not self._is_of(job_id, worker):
            return False
        now = self._now()
        self._changed(job_id, state=state, ended_at=now, expires_at=now + keep_s, **changes)
        return True

    def _is_of(self, job_id, worker):
        job = self.jobs.get(job_id)
        return job is not None and job.worker == worker and job.state == JobState.RUNNING

    def _changed(self, job_id, **changes):
        self.jobs[job_id] = replace(self.jobs[job_id], **changes)
        return self.jobs[job_id]

    def _called(self, name, argument=None):
        self.calls.append((name, argument))
        if self.is_down:
            raise ConnectionError("the database is down")

    def _now(self):
        return time.time() + self.ahead_s


def progress_of(queue):
    """The progress of all heartbeats."""
    return [
        told for name, told in queue.calls if name == "heartbeat" and isinstance(told, JobProgress)
    ]
