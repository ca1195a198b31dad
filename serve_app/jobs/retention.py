"""Delete jobs and segments by age and by size."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from deployments.errors import ServiceError
from deployments.render.storage import LocalStore, VideoStore
from serve_app.jobs.job import ENDED, JobRecord
from serve_app.jobs.job_files import JobFiles, video_key
from serve_app.jobs.store import JobStore

logger = logging.getLogger("mmpose_service")

_ORPHAN_S: Final = 3600.0
"""Age from which a folder without a row is deleted; a new job has its folder first."""
_ORPHANS_EVERY_S: Final = 600.0
_SEGMENTS_SHARE: Final = 4
"""Part of the total, as a divisor, that shared segments may have."""


class Retention:
    """Deletion of ended jobs and of what nobody needs; running jobs keep all of their files."""

    def __init__(
        self,
        queue: JobStore,
        files: JobFiles,
        videos: VideoStore,
        *,
        most_bytes: int,
        keep_s: float,
        keep_videos_s: float,
    ) -> None:
        """Take the limits: bytes of all files of jobs, ages of unused segments and of videos."""
        self._queue = queue
        self._files = files
        self._videos = videos
        self._most_bytes = most_bytes
        self._keep_s = keep_s
        self._keep_videos_s = keep_videos_s
        self._orphans_due = 0.0

    async def sweep(self) -> None:
        """Delete old videos and expired jobs, then the oldest ended ones beyond the bytes."""
        now = time.time()
        if isinstance(self._videos, LocalStore):  # also where no other video is stored
            await asyncio.to_thread(self._videos.sweep, self._keep_videos_s)
        await asyncio.to_thread(self._files.finish_removals)
        for job in await self._queue.expired(now):
            await self.remove(job)
        segments = await asyncio.to_thread(
            self._files.segments.trim, self._most_bytes // _SEGMENTS_SHARE, now - self._keep_s, now
        )
        total = segments + await asyncio.to_thread(self._files.total_bytes)
        if total > self._most_bytes:
            for job in await self._queue.ended_oldest_first():
                if total <= self._most_bytes:
                    break
                total -= await asyncio.to_thread(self._files.size_of, job.id)
                await self.remove(job)
        if now >= self._orphans_due:
            self._orphans_due = now + _ORPHANS_EVERY_S
            for job_id in await asyncio.to_thread(self._files.older_than, now - _ORPHAN_S):
                found = await self._queue.get(job_id, None)
                if found is None:
                    await asyncio.to_thread(self._files.remove, job_id)
                elif found.state in ENDED:  # its worker was killed before it did so
                    await asyncio.to_thread(self._files.forget_work, job_id)

    async def remove(self, job: JobRecord) -> None:
        """Delete a job: its row, then its files and its video."""
        await self._queue.remove(job.id, job.owner)
        await self.remove_files(job)

    async def remove_files(self, job: JobRecord) -> None:
        """Delete the files and the video of a job."""
        await _logged(job, self._files.remove, job.id)
        await self.remove_video(job)

    async def remove_video(self, job: JobRecord) -> None:
        """Delete the annotated video of a job from the store, if it is there."""
        await _logged(job, self._videos.remove, video_key(job.id))


async def _logged(job: JobRecord, delete: Callable[[str], None], name: str) -> None:
    """Delete in a thread; log what cannot be deleted."""
    try:
        await asyncio.to_thread(delete, name)
    except ServiceError as error:
        logger.error("job %s: %s", job.id, error)  # noqa: TRY400  the detail is all
