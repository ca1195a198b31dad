"""Run queued jobs: claim, renew the lease, analyze, and put down how it ended."""

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Final

from deployments.errors import (
    DeadlineExceededError,
    NotReadyError,
    ServiceError,
    SourceNotFoundError,
    StageFailedError,
    keeping,
)
from deployments.file_digest import sha256_of
from deployments.messages import MediaInfo
from deployments.roles import ModelRole
from serve_app.http.problems import problem
from serve_app.jobs.content_key import code_version
from serve_app.jobs.correction_files import (
    KeptStages,
    read_corrections,
    write_segment_keys,
)
from serve_app.jobs.corrections import edited
from serve_app.jobs.job import JobProgress, JobRecord, Stage
from serve_app.jobs.job_files import JobFiles, video_key
from serve_app.jobs.resumable_stages import ResumableStages, Source
from serve_app.jobs.retention import Retention
from serve_app.jobs.store import JobStore
from serve_app.results.response_schema import PoseOptions
from serve_app.results.validation import parse_options
from serve_app.service import PoseService

logger = logging.getLogger("mmpose_service")

LEASE_S: Final = 30.0
_BEATS: Final = 3  # in a lease
_LEAST_BEAT_S: Final = 0.25
_POLL_S: Final = 1.0
_AFTER_ERROR_S: Final = 5.0
_TIDY_S: Final = 60.0
_RETRY_S: Final = (2.0, 10.0, 30.0)
"""Seconds before each further try of one claim."""
_MOST_CLAIMS: Final = 10
"""Claims that ended in a kill, after which a job fails: perhaps its video ends the service."""
_ALL_MODELS_S: Final = 300.0
"""Seconds that jobs wait for models of which nothing is known: others would answer instead."""


class _Stop(StrEnum):
    """Reason to end the work on a job before it is done."""

    LOST = "lost"
    CANCELLED = "cancelled"


class _Watch:
    """Progress of the work on a job; see :class:`serve_app.jobs.resumable_stages.Watcher`."""

    def __init__(self) -> None:
        self.progress = JobProgress()
        self.changed = asyncio.Event()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Take the pipeline's progress."""
        self.progress = replace(self.progress, stage=Stage(stage), done=done, total=total)
        self.changed.set()

    def probed(self, media: MediaInfo) -> None:
        """See ``Watcher``."""
        self.progress = replace(self.progress, frames_done=0, frames_total=media.frame_count)

    def analyzed(self, frames: int) -> None:
        """See ``Watcher``."""
        self.progress = replace(self.progress, frames_done=self.progress.frames_done + frames)

    def entered(self, stage: Stage) -> None:
        """See ``Watcher``."""
        self(stage, 0, 1)

    def received(self, size: int, total: int | None) -> None:
        """Take the bytes of a download; called in a thread."""
        self.progress = replace(self.progress, stage=Stage.FETCH, done=size, total=total or 0)


class JobRunner:
    """Worker of one Ingress replica."""

    def __init__(
        self,
        service: PoseService,
        queue: JobStore,
        files: JobFiles,
        retention: Retention,
        *,
        lease_s: float = LEASE_S,
        poll_s: float = _POLL_S,
        retry_s: tuple[float, ...] = _RETRY_S,
    ) -> None:
        """Take what answers, the table and the files.

        Args:
            service: it analyzes. queue: table of jobs. files: of jobs. retention: of both.
            lease_s: seconds after which a job of a killed worker is another's.
            poll_s: seconds between looks into the queue; see :meth:`wake`.
            retry_s: seconds to wait before each further try after a passing error.
        """
        self._host = f"{socket.gethostname()}-{os.getpid()}"
        self._service = service
        self._queue = queue
        self._files = files
        self._retention = retention
        self._lease_s = lease_s
        self._poll_s = poll_s
        self._retry_s = retry_s
        self._woken = asyncio.Event()
        self._watches: dict[str, _Watch] = {}
        self._ready_since: float | None = None
        self._task: asyncio.Task[None] | None = None

    def wake(self, job_id: str | None = None) -> None:
        """Look into the queue now; for a running job, whether it is to be cancelled."""
        self._woken.set()
        if job_id in self._watches:
            self._watches[job_id].changed.set()

    async def keep_running(self) -> None:
        """Run jobs until cancelled, which returns those under way to the queue."""
        self._task = asyncio.current_task()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_tidy())
            for _ in range(self._service.settings.max_running_jobs):
                tasks.create_task(self._keep_working())

    async def drain(self) -> None:
        """Return the jobs under way to the queue, for another replica, and begin no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _keep_working(self) -> None:
        while True:
            try:
                if job := await self._next():
                    await self._run(job)
                    continue
                wait_s = self._poll_s
            except Exception:
                logger.exception("the table of jobs cannot be used")
                wait_s = _AFTER_ERROR_S
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), wait_s)
            self._woken.clear()

    async def _keep_tidy(self) -> None:
        while True:
            try:
                await self._retention.sweep()
            except Exception:
                logger.exception("jobs cannot be swept")
            await asyncio.sleep(_TIDY_S)

    async def _next(self) -> JobRecord | None:
        if not self._is_ready():
            return None
        # A new name for each claim: a worker that lost a lease must not take the next for it.
        worker = f"{self._host}-{uuid.uuid4().hex[:12]}"
        return await self._queue.claim(worker, self._lease_s)

    def _is_ready(self) -> bool:
        """Return whether the models that would answer now are those that would later, too.

        After a start the fallback may be loaded before the primary.
        """
        try:
            self._service.refuse_if_not_ready()
        except ServiceError:
            self._ready_since = None
            return False
        now = time.monotonic()
        self._ready_since = now if self._ready_since is None else self._ready_since
        known = {status.role for status in self._service.models}
        return known.issuperset(ModelRole) or now - self._ready_since > _ALL_MODELS_S

    async def _run(self, job: JobRecord) -> None:
        if job.cancel_requested:  # of a worker that was killed before it knew
            await self._cancelled(job)
            return
        logger.info("job %s begins, claim %d", job.id, job.attempts)
        watch = self._watches[job.id] = _Watch()
        work = asyncio.create_task(self._work(job, watch))
        try:
            stop = await self._stop_of(job, work, watch)
        except asyncio.CancelledError:
            await _end(work)
            try:
                await self._queue.release(job.id, _worker_of(job))
            except Exception:
                logger.exception("job %s waits until its lease is over", job.id)
            raise
        finally:
            del self._watches[job.id]
        await _end(work)
        if stop == _Stop.LOST:
            logger.warning("job %s: the lease is over, and another worker's turn", job.id)
        elif stop == _Stop.CANCELLED:
            await self._cancelled(job)
        else:  # a short job may have ended before its first heartbeat
            with suppress(Exception):  # as it ends, the table says whose it is
                await self._queue.heartbeat(job.id, _worker_of(job), self._lease_s, watch.progress)
            await self._settle(job, work)

    async def _stop_of(
        self, job: JobRecord, work: "asyncio.Task[tuple[int, str | None]]", watch: _Watch
    ) -> _Stop | None:
        """Renew the lease until the work is done; return why it must stop before."""
        believed_until = time.monotonic() + self._lease_s
        while True:
            await asyncio.wait({work}, timeout=_LEAST_BEAT_S)
            await _first_of(work, watch.changed.wait(), self._lease_s / _BEATS)
            if work.done():
                return None
            watch.changed.clear()
            beaten = time.monotonic()
            try:
                async with asyncio.timeout(self._lease_s / _BEATS):
                    record = await self._queue.heartbeat(
                        job.id, _worker_of(job), self._lease_s, watch.progress
                    )
            except Exception:
                logger.exception("job %s: the lease cannot be renewed", job.id)
                if time.monotonic() > believed_until:
                    return _Stop.LOST
                continue
            if record is None:
                return _Stop.LOST
            if record.cancel_requested:
                return _Stop.CANCELLED
            believed_until = beaten + self._lease_s

    async def _cancelled(self, job: JobRecord) -> None:
        if await self._queue.cancelled(job.id, _worker_of(job), self._keep_s):
            await self._retention.remove_files(job)

    async def _settle(self, job: JobRecord, work: "asyncio.Task[tuple[int, str | None]]") -> None:
        """Put down how the work ended."""
        if work.cancelled():  # by the stages: a call of theirs was
            await self._queue.release(job.id, _worker_of(job))
            return
        try:
            size, video_url = work.result()
        except ServiceError as error:
            if self._service.is_ending or isinstance(error, NotReadyError):
                await self._queue.release(job.id, _worker_of(job))
                return
            failure = error
        except Exception as error:
            logger.error("job %s failed", job.id, exc_info=error)  # noqa: TRY400  of the task
            failure = ServiceError("an unforeseen error; it was logged")
        else:
            ours = await self._queue.succeed(
                job.id,
                _worker_of(job),
                result_bytes=size,
                video_url=video_url,
                keep_s=self._keep_s,
            )
            if ours:
                await asyncio.to_thread(self._files.forget_work, job.id)
            return
        document, _ = problem(failure, job.id)
        logger.warning("job %s failed: %s: %s", job.id, failure.code, failure)
        if await self._queue.fail(job.id, _worker_of(job), document, self._keep_s):
            await self._retention.remove_video(job)  # stored before the result failed
            await asyncio.to_thread(self._files.forget_work, job.id)

    @property
    def _keep_s(self) -> float:
        return self._service.settings.keep_jobs_s

    async def _work(self, job: JobRecord, watch: _Watch) -> tuple[int, str | None]:
        """Analyze and write the result; return its bytes and the video's address."""
        if job.attempts > _MOST_CLAIMS:
            raise StageFailedError(
                f"the service ended {job.attempts - 1} times while it worked on this video",
                retryable=False,
            )
        options: PoseOptions = await asyncio.to_thread(parse_options, PoseOptions, job.options)
        for wait_s in self._retry_s:
            try:
                return await self._once(job, options, watch)
            except ServiceError as error:
                if not error.retryable or isinstance(error, DeadlineExceededError):
                    raise
                logger.warning("job %s is tried again in %g s: %s", job.id, wait_s, error)
            await asyncio.sleep(wait_s)
        return await self._once(job, options, watch)

    async def _once(
        self, job: JobRecord, options: PoseOptions, watch: _Watch
    ) -> tuple[int, str | None]:
        service = self._service
        with self._files.workspace(job.id) as (work, resume):
            source = await self._source(job, work, watch)
            if any(resume.iterdir()):  # a bucket refuses another video, as of a newer service
                await self._retention.remove_video(job)
            with keeping("a digest"):
                digest = await asyncio.to_thread(sha256_of, source)
            await asyncio.to_thread(code_version)  # reads files, once
            models = {status.role: status for status in service.models}
            known = Source(digest, resume, models, service.plan.options)
            correction = await asyncio.to_thread(read_corrections, self._files.folder(job.id))
            corrections = None if correction is None else correction.corrections
            given = service.stages, self._files.segments, known, watch
            stages = (
                ResumableStages(*given)
                if correction is None
                else KeptStages(*given, correction.segments)
            )
            answer = await service.analyze_file(
                source,
                work,
                options,
                job.id,
                watch,
                job.owner,
                stages=stages,
                key=video_key(job.id),
                longest_s=service.settings.job_deadline_s,
                edit=None if corrections is None else partial(edited, corrections=corrections),
            )
        answer.corrections = corrections
        if answer.video_url is not None:  # a link that stays, and leads to the video
            answer.video_url = f"{service.settings.public_url or ''}/jobs/{job.id}/video"
        size = await asyncio.to_thread(self._files.write_result, job.id, answer)
        await asyncio.to_thread(write_segment_keys, self._files.result(job.id), stages.keys)
        return size, answer.stored_url

    async def _source(self, job: JobRecord, folder: Path, watch: _Watch) -> Path:
        path = self._files.source(job.id)
        if path.is_file():
            return path
        if job.source is None:
            raise SourceNotFoundError("the uploaded video is gone", hint="Upload it again.")
        watch.entered(Stage.FETCH)
        fetched = await self._service.fetch(job.source, folder, watch.received)
        await asyncio.to_thread(self._files.put_source, job.id, fetched)
        return path


def _worker_of(job: JobRecord) -> str:
    assert job.worker is not None  # noqa: S101  it was claimed
    return job.worker


async def _end(work: "asyncio.Task[tuple[int, str | None]]") -> None:
    """Cancel a task, unless it is done, and wait for its end."""
    work.cancel()
    await asyncio.wait({work})
    if not work.cancelled():
        work.exception()  # nobody else may ask


async def _first_of(
    work: "asyncio.Task[tuple[int, str | None]]", other: Awaitable[bool], timeout_s: float
) -> None:
    """Wait for the first of two, or for the time."""
    event = asyncio.ensure_future(other)
    try:
        await asyncio.wait({work, event}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        event.cancel()
