"""Serve one request: admit, fetch, analyze, answer; the same with the graph or in one process."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from deployments.concurrency import in_thread
from deployments.errors import (
    ConfigurationError,
    DeadlineExceededError,
    NotReadyError,
    OverloadedError,
)
from deployments.fetch.addresses import AddressPolicy
from deployments.fetch.guarded_fetch import FetchLimits, fetch
from deployments.messages import ClipPoses, MediaInfo, ModelStatus
from deployments.roles import ModelRole
from serve_app import health
from serve_app.access.authentication import Access
from serve_app.access.caller import Caller, video_key
from serve_app.analysis_job import job_of
from serve_app.http.incoming import Incoming
from serve_app.live_config import LiveConfig
from serve_app.load import Load
from serve_app.model_plan import ModelPlan, pose_order
from serve_app.pipeline import Progress, Stages, no_progress, run
from serve_app.results.health_schema import Health
from serve_app.results.response_schema import PoseOptions, PoseRequest
from serve_app.results.response_writer import Answer
from serve_app.results.supplied import require_our_definitions
from serve_app.settings import Settings
from serve_app.uploads_in_parts import Uploads
from serve_app.workspaces import UPLOADS, Workspaces

logger = logging.getLogger("mmpose_service")

_DRAIN_POLL_S = 0.05
_SENT_WITHIN_S = 1.0  # answers that are made, and threads that write: neither may ever end
_SWEEP_S = 10.0


class Statuses(Protocol):
    """Source of the states of the models."""

    def __call__(self) -> Mapping[ModelRole, ModelStatus]:
        """Return the status by role; roles that have not answered yet are absent."""
        ...


class PoseService:
    """Answers requests; knows nothing of HTTP or Ray."""

    def __init__(
        self,
        settings: Settings,
        plan: ModelPlan,
        stages: Stages,
        statuses: Statuses,
        access: Access | None = None,
    ) -> None:
        """Take what answers; without ``access``, everybody may call."""
        self.settings = settings
        self.plan = plan
        self.stages = stages
        self.access = access or Access()
        self._statuses = statuses
        self._under_way = Load()
        self._limits: set[asyncio.Timeout] = set()  # of the requests that are not answered yet
        self._answers = 0  # on their way, errors too
        self._ending = False
        self.incoming = Incoming(settings.max_bodies, settings.max_bodies_bytes)
        # Of their own: a fetch may wait for long, and the event loop's threads are few.
        self._fetch_threads = ThreadPoolExecutor(settings.max_bodies, "fetch")
        self._addresses = AddressPolicy(allowed_hosts=settings.allowed_hosts)
        self.live = LiveConfig.of(settings, plan.config.performance)
        self._workspaces = Workspaces(settings.spool_dir, settings.deadline_s)
        self.uploads = Uploads(
            settings.spool_dir / UPLOADS,
            max_bytes=settings.max_bytes,
            max_total=settings.max_uploads_bytes,
            keep_s=settings.keep_uploads_s,
        )

    def reconfigure(self, user_config: Mapping[str, Any]) -> None:
        """Change thresholds; what is not named goes back to the settings.

        Raises:
            ConfigurationError: an unknown name or a wrong value; the old ones stay.
        """
        try:
            self.live = LiveConfig.of(self.settings, self.plan.config.performance, user_config)
        except ValidationError as error:
            raise ConfigurationError(f"user_config of the Ingress: {error}") from error

    @property
    def models(self) -> list[ModelStatus]:
        """Return the reported status of each model."""
        return list(self._statuses().values())

    @property
    def is_ending(self) -> bool:
        """Return whether the service is being drained."""
        return self._ending

    def health(self) -> Health:
        """Report what is loaded and whether requests can be answered, by a trial write too."""
        report = health.report(self.plan, self._statuses()).model_copy(
            update={"access": self.access.mode}
        )
        problem = self._no_longer_ready().detail if self._ending else self._workspaces.problem()
        if problem is None:
            return report
        found = {"status": "not_ready", "reasons": [problem, *report.reasons]}
        return report.model_copy(update=found)

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Hold a place among the requests under way.

        Raises:
            NotReadyError: nothing is loaded to answer with.
            OverloadedError: all places are taken.
        """
        self.refuse_if_not_ready()
        with self.request_slot():
            yield

    def refuse_if_not_ready(self) -> None:
        """Spare a caller to send a video that no model could analyze now.

        Raises:
            NotReadyError: nothing is loaded to answer with, or the service is ending.
        """
        self.refuse_if_ending()
        pose_order(self._statuses(), "auto")

    def refuse_if_ending(self) -> None:
        """Spare a caller to begin what the service would not end.

        Raises:
            NotReadyError: the service is ending.
        """
        if self._ending:
            raise self._no_longer_ready()

    @contextmanager
    def request_slot(self) -> Iterator[None]:
        """Hold a place among the requests under way, for one that needs no model.

        Raises:
            OverloadedError: all places are taken.
        """
        self.refuse_if_full()
        try:
            with self._under_way.one():
                yield
        except OverloadedError as error:  # the queue of a stage is full: when the next one ends
            if error.retry_after_s is None:
                error.retry_after_s = self._under_way.retry_after_s(len(self._under_way) or 1)
            raise

    def expected_wait_s(self, ahead: int = 0) -> float | None:
        """Estimate the seconds until a request has a place after ``ahead`` others; None unknown."""
        return self._under_way.expected_wait_s(self.live.max_concurrent_requests, ahead)

    def refuse_if_full(self) -> None:
        """Spare a caller to send a body for which there would be no place now.

        Raises:
            OverloadedError: all places are taken. NotReadyError: the service is ending.
        """
        self.refuse_if_ending()
        places = self.live.max_concurrent_requests
        if len(self._under_way) >= places:
            raise OverloadedError(
                f"{len(self._under_way)} requests are under way, which is the limit",
                retry_after_s=self._under_way.retry_after_s(places),
                limit=places,
            )

    def workspace(self) -> AbstractContextManager[Path]:
        """Make a folder of a request's own; see :meth:`serve_app.workspaces.Workspaces.one`."""
        return self._workspaces.one()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Delay the end of :meth:`drain` until an answer is sent."""
        self._answers += 1
        try:
            yield
        finally:
            self._answers -= 1

    async def keep_sweeping(self) -> None:
        """Sweep folders of killed processes and expired uploads periodically, until cancelled."""
        while True:
            for sweep in (self._workspaces.sweep, self.uploads.sweep):
                with contextlib.suppress(OSError):  # `/readyz` reports it
                    await asyncio.to_thread(sweep)
            await asyncio.sleep(_SWEEP_S)

    async def analyze_request(
        self,
        body: PoseRequest,
        caller: Caller,
        request_id: str,
        progress: Progress = no_progress,
        stages: Stages | None = None,
    ) -> Answer:
        """Analyze the video that a request names, by its address or as an upload in parts.

        ``stages`` are used instead of the service's own.

        Raises:
            UploadError: there is no such upload, or it cannot be used now. DefinitionsDifferError,
                ServiceError: as :meth:`analyze_url`.
        """
        if body.video_url is not None:
            return await self.analyze_url(
                body.video_url, body, request_id, progress, caller.id, stages
            )
        require_our_definitions(body.context.supplied)
        with (
            self.admitted(),
            self.workspace() as folder,
            self.uploads.using(body.upload_id or "", caller) as path,
        ):
            return await self.analyze_file(
                path, folder, body, request_id, progress, caller.id, stages=stages
            )

    async def analyze_url(
        self,
        url: str,
        options: PoseOptions,
        request_id: str,
        progress: Progress = no_progress,
        owner: str = "",
        stages: Stages | None = None,
    ) -> Answer:
        """Fetch a video, then take a place and analyze it; see :meth:`analyze_file`.

        Raises:
            DefinitionsDifferError: a result to compare to has others. ServiceError: whatever else
                went wrong.
        """
        require_our_definitions(options.context.supplied)
        with self.workspace() as folder:
            async with self.deadline():
                self.refuse_if_not_ready()
                self.refuse_if_full()
                path = await self.fetch(url, folder)
                with self.admitted():
                    return await self.analyze_file(
                        path, folder, options, request_id, progress, owner, stages=stages
                    )

    async def analyze_file(
        self,
        path: Path,
        folder: Path,
        options: PoseOptions,
        request_id: str,
        progress: Progress = no_progress,
        owner: str = "",
        *,
        stages: Stages | None = None,
        key: str | None = None,
        longest_s: float | None = None,
        edit: Callable[[ClipPoses, MediaInfo], ClipPoses] | None = None,
    ) -> Answer:
        """Analyze a local file, with ``folder`` for working files. Call within :meth:`admitted`.

        Args:
            path: of the file. folder: of working files. options: of the request.
            request_id: of this request. progress: called as the pipeline's.
            owner: ``Caller.id`` to whom the annotated video belongs.
            stages: used instead of the service's own.
            key: of the annotated video in the store; a random one of the owner's by default.
            longest_s: the settings' ``deadline_s`` by default.
            edit: see :class:`serve_app.pipeline.Job`.

        Raises:
            DefinitionsDifferError: a result to compare to has others. ServiceError: whatever else
                went wrong.
        """
        require_our_definitions(options.context.supplied)
        statuses = self._statuses()
        min_score = _first(options.confidence, self.live.confidence_threshold)
        key = key or video_key(owner, uuid.uuid4().hex)
        job = job_of(path, folder, key, options, statuses, self.settings, self.live, min_score)
        async with self.deadline(longest_s):
            outcome = await run(replace(job, edit=edit), stages or self.stages, progress)
        media = outcome.media
        if edit is None:  # else the networks did not run
            self.access.daily.add(owner, media.duration_s, media.frame_count)
        logger.info(
            "request %s: %d frames, %s",
            request_id,
            outcome.media.frame_count,
            ", ".join(f"{stage} {s:.2f} s" for stage, s in outcome.timings_s.items()),
        )
        answer = Answer(
            outcome,
            options,
            min_score,
            {role: status for role, status in statuses.items() if status.loaded},
            request_id,
        )
        if answer.video_url is not None:
            answer.video_url = self.access.linked(answer.video_url, f"/videos/{job.key}")
        return answer

    async def fetch(
        self, url: str, folder: Path, received: Callable[[int, int | None], None] = no_progress
    ) -> Path:
        """Download a video into a new file of ``folder``.

        Args:
            url: of the video. folder: of the file.
            received: called in a thread with the bytes received and the total, None if unknown.

        Raises:
            OverloadedError: too many bodies are being received. ServiceError: see
                :func:`deployments.fetch.guarded_fetch.fetch`.
        """
        settings = self.settings
        limits = FetchLimits(
            max_bytes=settings.max_bytes,
            min_rate=settings.min_body_rate,
            window_s=settings.body_window_s,
        )
        with self.incoming.one() as hold:

            def progress(size: int, total: int | None) -> None:
                hold(size)
                received(size, total)

            return await in_thread(
                lambda cancelled: fetch(
                    url,
                    folder,
                    self._addresses,
                    limits,
                    gcs_buckets=settings.gcs_buckets,
                    s3_buckets=settings.s3_buckets,
                    s3_endpoint=settings.s3_endpoint,
                    progress=progress,
                    cancelled=cancelled,
                ),
                self._fetch_threads,
            )

    @contextlib.asynccontextmanager
    async def deadline(self, longest_s: float | None = None) -> AsyncIterator[None]:
        """Hold a request to its longest time, and end it with the service.

        Args:
            longest_s: the settings' ``deadline_s`` by default.

        Raises:
            DeadlineExceededError: it is over.
            NotReadyError: the service ends.
        """
        longest_s = _first(longest_s, self.settings.deadline_s)
        limit = asyncio.timeout(longest_s)
        try:
            async with limit:
                self._limits.add(limit)
                yield
        except TimeoutError as error:
            if self._ending:
                raise self._no_longer_ready() from error
            raise DeadlineExceededError(
                f"not done after {longest_s:g} s", limit=longest_s
            ) from error
        finally:
            self._limits.discard(limit)

    async def drain(self, grace_s: float) -> None:
        """Admit nothing more, and give what is under way ``grace_s`` seconds; then it is ended."""
        self._ending = True
        loop = asyncio.get_running_loop()
        end = loop.time() + grace_s
        while (self._limits or self._answers) and loop.time() < end:
            await asyncio.sleep(_DRAIN_POLL_S)
        for limit in self._limits:
            with contextlib.suppress(RuntimeError):  # it ends by itself now
                limit.reschedule(loop.time())
        while self._limits:
            await asyncio.sleep(_DRAIN_POLL_S)
        end = loop.time() + _SENT_WITHIN_S
        while (self._answers or self._under_way) and loop.time() < end:
            await asyncio.sleep(_DRAIN_POLL_S)

    def _no_longer_ready(self) -> NotReadyError:
        return NotReadyError("the service is ending", hint="Try again.")


def _first(value: Any, default: Any) -> Any:
    return default if value is None else value
