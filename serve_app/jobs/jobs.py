"""Submit, watch, cancel and delete jobs: for the routes and for callers with a handle."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from deployments.errors import (
    IdempotencyInProgressError,
    JobNotFinishedError,
    JobNotFoundError,
    NotReadyError,
    OverloadedError,
    PosesGoneError,
    ResultFilesError,
)
from deployments.fetch.addresses import AddressPolicy
from deployments.fetch.media_source import parse_source
from deployments.render.storage import LocalStore, open_store
from serve_app.access.caller import Caller
from serve_app.access.links import read_secret, secret_path
from serve_app.jobs.correction_files import read_segment_keys
from serve_app.jobs.job import CORRECTED_FROM, ENDED, JobEvent, JobRecord, JobState, NewJob
from serve_app.jobs.job_files import JobFiles, video_key
from serve_app.jobs.job_view import job_view
from serve_app.jobs.retention import Retention
from serve_app.jobs.runner import JobRunner
from serve_app.jobs.store import JobStore
from serve_app.jobs.webhooks import WebhookKeys, WebhookSender, check_webhook_url
from serve_app.results.job_schema import Job, JobList, JobOptions
from serve_app.service import PoseService

logger = logging.getLogger("mmpose_service")

_POLL_S: Final = 0.5
_REOPEN_S: Final = 5.0
_LOOK_S: Final = 0.01
_READER_S: Final = 10.0
MOST_READERS: Final = 128
"""Callers that read events at once; the Ingress of the shipped configs has twice as many places."""
_NO_LIMIT: Final = 2**31

Result = TypeVar("Result")
Placed = Callable[[Path], AbstractAsyncContextManager[None]]
"""Puts the file of a video at a path; where the block raises, the caller can send it again."""


class Jobs:
    """Jobs of all callers. Each call names the owner, and finds that owner's jobs alone.

    Every call raises :class:`NotReadyError` until :meth:`keep_running` has opened the table.
    """

    def __init__(self, service: PoseService) -> None:
        """Take what analyzes the videos.

        Raises:
            ConfigurationError: the folder of jobs, the secret of webhooks or the store of videos
                cannot be used.
        """
        self._settings = settings = service.settings
        self._service = service
        self.files = JobFiles(settings.jobs_dir)
        self._videos = open_store(
            settings.output,
            (settings.public_url or "") + "/videos",
            s3_endpoint=settings.s3_endpoint,
        )
        self.webhook_keys = WebhookKeys(
            read_secret(settings.link_secret_file or secret_path(settings.keys_file))
        )
        self._store: JobStore | None = None
        self._retention: Retention | None = None
        self._runner: JobRunner | None = None
        self._readers = 0
        self._submitting: set[tuple[str, str]] = set()  # owners and their idempotency keys

    async def keep_running(self) -> None:
        """Open the table, and run jobs and call webhooks, until cancelled."""
        store = await self._opened()
        try:
            retention = Retention(
                store,
                self.files,
                self._videos,
                most_bytes=self._settings.max_jobs_bytes,
                keep_s=self._settings.keep_jobs_s,
                keep_videos_s=self._settings.keep_results_s,
            )
            runner = JobRunner(self._service, store, self.files, retention)
            policy = AddressPolicy(allowed_hosts=self._settings.allowed_hosts)
            sender = WebhookSender(store.database, self.webhook_keys, policy)
            self._store, self._retention, self._runner = store, retention, runner
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(runner.keep_running())
                tasks.create_task(sender.keep_sending())
        finally:
            self._store = None
            await store.close()

    async def drain(self) -> None:
        """Return the jobs under way to the queue; see :meth:`JobRunner.drain`."""
        if self._runner is not None:
            await self._runner.drain()

    async def _opened(self) -> JobStore:
        while True:
            try:
                return await JobStore.open(self._settings.jobs_url)
            except Exception:
                logger.exception("the table of jobs cannot be opened; it is tried again")
            await asyncio.sleep(_REOPEN_S)

    @property
    def store(self) -> JobStore:
        """Return the table of jobs.

        Raises:
            NotReadyError: it is not open yet.
        """
        if self._store is None:
            raise NotReadyError("the table of jobs is not open yet", hint="Try again.")
        return self._store

    @property
    def _retained(self) -> Retention:
        if self._retention is None:
            raise AssertionError("it is made when the table is opened")
        return self._retention

    async def submit(
        self,
        caller: Caller,
        options: JobOptions,
        sources: Sequence[str | Placed],
        *,
        grouped: bool = False,
        idempotency: tuple[str, str] | None = None,
        corrected_from: str | None = None,
    ) -> tuple[list[JobRecord], bool]:
        """Add a job for each source, all or none.

        Args:
            caller: who owns them.
            options: shared by all.
            sources: addresses, or what puts a file at a path and then deletes its origin.
            grouped: whether the jobs get a group's id.
            idempotency: key, and digest of the request.
            corrected_from: id of the job whose result the new one corrects.

        Returns:
            The jobs, and whether they are new rather than those of an earlier call with the key.

        Raises:
            IdempotencyKeyReusedError: the key was used for another request.
            IdempotencyInProgressError: the first request with the key is not answered yet.
            QueueFullError: the owner has too many jobs queued.
            BadParameterError: the webhook's address is malformed.
            SourceError: the address of a video is malformed, or its scheme is not supported.
            QuotaExceededError: the caller's quota of today is used.
            WorkingFilesError: a file cannot be kept.
        """
        store, owner = self.store, caller.id
        self._service.access.daily.refuse_if_spent(caller)
        if options.webhook_url is not None:
            check_webhook_url(options.webhook_url)
        for source in sources:
            if isinstance(source, str):
                parse_source(source)
        key, digest = idempotency or (None, None)
        group = uuid.uuid4().hex if grouped else None
        origin = {} if corrected_from is None else {CORRECTED_FROM: corrected_from}
        with self._once(owner, key):
            if key is not None and digest is not None:
                earlier = await store.submitted(owner, key, digest)
                if earlier:
                    return earlier, False
            made: list[NewJob] = []
            try:
                async with AsyncExitStack() as placed:
                    for source in sources:
                        job_id = uuid.uuid4().hex
                        made.append(
                            NewJob(
                                id=job_id,
                                owner=owner,
                                request=options.pose_options() | origin,
                                source=source if isinstance(source, str) else None,
                                group=group,
                                idempotency_key=key,
                                body_digest=digest,
                                webhook_url=options.webhook_url,
                            )
                        )
                        if not isinstance(source, str):
                            await asyncio.to_thread(self.files.make, job_id)
                            await placed.enter_async_context(source(self.files.source(job_id)))
                    records, is_new = await store.submit(made, max_queued=self._most_queued(caller))
            except BaseException:
                await asyncio.to_thread(self._remove_files, made)
                raise
            if not is_new:
                await asyncio.to_thread(self._remove_files, made)
            self._wake()
            return records, is_new

    async def get(self, job_id: str, owner: str | None) -> JobRecord:
        """Return a job; an owner of None is any.

        Raises:
            JobNotFoundError: the owner has no such job.
        """
        return _found(await self.store.get(job_id, owner), job_id)

    async def view(self, record: JobRecord) -> Job:
        """Return a job as the interface shows it."""
        (job,) = await self.views([record])
        return job

    async def views(self, records: Sequence[JobRecord]) -> list[Job]:
        """Return jobs as the interface shows them; the queue is looked at once for all."""
        queued = [record.id for record in records if record.state == JobState.QUEUED]
        places = await self.store.positions(queued) if queued else {}
        stats = await self.store.stats() if queued else None
        now, linked = time.time(), self._service.access.linked
        return [job_view(job, places.get(job.id), stats, now, linked) for job in records]

    async def list_jobs(
        self,
        owner: str,
        *,
        state: JobState | None = None,
        group: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> JobList:
        """Return a page of the owner's jobs, newest first."""
        page = await self.store.list_jobs(
            owner, state=state, group=group, cursor=cursor, limit=limit
        )
        return JobList(jobs=await self.views(page.jobs), cursor=page.cursor)

    async def finished(self, job_id: str, owner: str | None) -> JobRecord:
        """Return a job that has succeeded.

        Raises:
            JobNotFoundError: the owner has no such job. JobNotFinishedError: it has not succeeded.
        """
        record = await self.get(job_id, owner)
        if record.state != JobState.SUCCEEDED:
            raise JobNotFinishedError(
                f"the job is {record.state}; there is a result once it has succeeded",
                retryable=record.state not in ENDED,
                state=str(record.state),
            )
        return record

    async def read_result(
        self, record: JobRecord, read: Callable[..., Result], *arguments: Any
    ) -> Result:
        """Call ``read(folder, *arguments)`` in a thread, with the folder of a job's result.

        Raises:
            JobNotFoundError: the job was deleted meanwhile. ResultFilesError: a file is damaged.
        """
        try:
            return await asyncio.to_thread(read, self.files.result(record.id), *arguments)
        except ResultFilesError:
            await self.get(record.id, record.owner)
            raise

    def segments_of(self, job_id: str) -> list[str]:
        """Return the keys of the measured segments of a job's result.

        Raises:
            PosesGoneError: a segment is no longer kept.
        """
        keys = read_segment_keys(self.files.result(job_id))
        if not all(map(self.files.segments.holds, keys)):
            raise PosesGoneError("the measured points of this job are no longer kept")
        return keys

    async def delete(self, job_id: str, owner: str) -> JobRecord | None:
        """Cancel a job that has not ended, or delete one that has, with its files.

        Returns:
            The job where it was cancelled, None where it was deleted.

        Raises:
            JobNotFoundError: the owner has no such job.
        """
        record = await self.get(job_id, owner)
        if record.state not in ENDED:
            record = _found(
                await self.store.cancel(job_id, owner, self._settings.keep_jobs_s), job_id
            )
            if record.state == JobState.CANCELLED:  # it was queued: nobody works on it
                await self._retained.remove_files(record)
            self._wake(job_id)
            return record
        await self._retained.remove(record)
        return None

    def stored_video(self, job_id: str) -> Path | None:
        """Return the file of a job's annotated video; None where the store is no folder."""
        if isinstance(self._videos, LocalStore):
            return self._videos.folder / video_key(job_id)
        return None

    async def video_address(self, job_id: str) -> str:
        """Return the address of a job's annotated video in the store.

        Raises:
            StorageError: it could not be signed.
        """
        return await asyncio.to_thread(self._videos.address, video_key(job_id))

    def refuse_reader(self) -> None:
        """Spare the other requests a reader too many: each holds a place in the proxy's count.

        Raises:
            OverloadedError: as many read the events of jobs as may.
        """
        if self._readers >= MOST_READERS:
            raise OverloadedError(
                f"{self._readers} callers read the events of jobs, which is the limit",
                hint="Ask for the job every few seconds instead, or read fewer jobs' events.",
                retry_after_s=_READER_S,
                limit=MOST_READERS,
            )

    async def events(self, job_id: str, owner: str, after: int = 0) -> AsyncGenerator[JobEvent]:
        """Yield the events of a job as they come, and end with the job, or the service.

        Raises:
            JobNotFoundError: the owner has no such job, or it was deleted meanwhile.
        """
        self._readers += 1
        try:
            while True:
                record = await self.get(job_id, owner)
                for event in await self.store.events(job_id, after):
                    after = event.number
                    yield event
                if record.state in ENDED or self._service.is_ending:
                    return
                # The more read, the less often each looks: the table is not theirs alone.
                await asyncio.sleep(max(_POLL_S, self._readers * _LOOK_S))
        finally:
            self._readers -= 1

    async def wait(self, job_id: str, owner: str, timeout_s: float | None = None) -> JobRecord:
        """Return a job once it has ended, or after ``timeout_s`` as it is then.

        Raises:
            JobNotFoundError: the owner has no such job.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while (await self.get(job_id, owner)).state not in ENDED:
                    await asyncio.sleep(_POLL_S)
        return await self.get(job_id, owner)

    @contextmanager
    def _once(self, owner: str, key: str | None) -> Iterator[None]:
        if key is None:
            yield
            return
        if (owner, key) in self._submitting:
            raise IdempotencyInProgressError(
                "a request with this Idempotency-Key is not answered yet", retry_after_s=1.0
            )
        self._submitting.add((owner, key))
        try:
            yield
        finally:
            self._submitting.discard((owner, key))

    def _most_queued(self, caller: Caller) -> int:
        return min(self._settings.max_queued_jobs, caller.quota.queued_jobs or _NO_LIMIT)

    def _wake(self, job_id: str | None = None) -> None:
        if self._runner is not None:
            self._runner.wake(job_id)

    def _remove_files(self, jobs: Sequence[NewJob]) -> None:
        for job in jobs:
            self.files.remove(job.id)


def _found(record: JobRecord | None, job_id: str) -> JobRecord:
    if record is None:
        raise JobNotFoundError(f"there is no job {job_id[:32]}")
    return record
