"""Calls of the runner to the table of jobs."""

from collections.abc import Sequence
from typing import Any, Protocol

from serve_app.jobs.job import JobProgress, JobRecord


class JobQueue(Protocol):
    """Table of jobs, as the runner needs it. A worker owns a job while its lease lasts."""

    async def claim(self, worker: str, lease_s: float) -> JobRecord | None:
        """Begin a job that waits, or one whose worker's lease is over; None if there is none."""
        ...

    async def heartbeat(
        self, job_id: str, worker: str, lease_s: float, progress: JobProgress | None
    ) -> JobRecord | None:
        """Renew the lease; None if it is another worker's, and the work must stop."""
        ...

    async def release(self, job_id: str, worker: str) -> None:
        """Return the job to its old place in the queue."""
        ...

    async def succeed(
        self, job_id: str, worker: str, *, result_bytes: int, video_url: str | None, keep_s: float
    ) -> bool:
        """End the job with a result; False if the lease is another worker's."""
        ...

    async def fail(self, job_id: str, worker: str, error: dict[str, Any], keep_s: float) -> bool:
        """End the job with a problem document; False if the lease is another worker's."""
        ...

    async def cancelled(self, job_id: str, worker: str, keep_s: float) -> bool:
        """End the job as cancelled; False if the lease is another worker's."""
        ...

    async def get(self, job_id: str, owner: str | None) -> JobRecord | None:
        """Return a job of ``owner``, or of anyone for None; None if there is none."""
        ...

    async def remove(self, job_id: str, owner: str | None) -> bool:
        """Delete a job; False if there is none."""
        ...

    async def expired(self, now: float) -> Sequence[JobRecord]:
        """Return the ended jobs that are to be deleted."""
        ...

    async def ended_oldest_first(self) -> Sequence[JobRecord]:
        """Return the ended jobs, the one that ended first at the beginning."""
        ...
