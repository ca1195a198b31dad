"""Enter the graph by HTTP or the Python handle. No pixels are held here."""

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from ray import serve

from biomech.config import Context
from deployments.annotated_video import EncodedSegment, EncodeOptions, Overlay, StoredVideo
from deployments.errors import BadParameterError, ServiceError
from deployments.media_choice import AS_IT_IS, MediaOptions
from deployments.messages import (
    AnalysisOptions,
    ClipBiomechanics,
    ClipPoses,
    MediaInfo,
    ModelStatus,
    Segment,
    SegmentPoses,
)
from deployments.process_setup import ASSIGNING, load_scipy
from deployments.roles import ModelRole
from deployments.serve_handles import await_response, http_host, log_as_serve
from serve_app.access.authentication import open_access
from serve_app.access.caller import ANONYMOUS
from serve_app.access.modes import require_choice
from serve_app.http.job_routes import source_of
from serve_app.http.routes import create_app
from serve_app.jobs.job import JobRecord
from serve_app.jobs.jobs import Jobs
from serve_app.jobs.result_file import read_document
from serve_app.model_plan import ModelPlan
from serve_app.results.job_schema import Job, JobRequest
from serve_app.results.response_schema import PoseOptions, PoseRequest
from serve_app.results.validation import parse_options
from serve_app.service import PoseService
from serve_app.settings import Settings
from serve_app.versions import system

logger = logging.getLogger("mmpose_service")

POLL_S = 5.0
POLL_STARTING_S = 0.5


class GraphStages:
    """The deployments of the graph; see :class:`serve_app.pipeline.Stages`."""

    def __init__(self, decode: Any, biomechanics: Any, render: Any) -> None:
        self._decode = decode
        self._biomechanics = biomechanics
        self._render = render

    async def probe(self, path: Path, options: MediaOptions = AS_IT_IS) -> MediaInfo:
        """See ``Stages``."""
        return await await_response(self._decode.probe.remote(str(path), options), "Decode")

    async def analyze(self, segment: Segment, options: AnalysisOptions) -> SegmentPoses:
        """See ``Stages``."""
        return await await_response(self._decode.analyze.remote(segment, options), "Decode")

    async def biomechanics(
        self, clip: ClipPoses, min_score: float, max_people_in_frames: int | None, context: Context
    ) -> ClipBiomechanics:
        """See ``Stages``."""
        return await await_response(
            self._biomechanics.analyze.remote(clip, min_score, max_people_in_frames, context),
            "Biomechanics",
        )

    async def render(
        self, segment: Segment, overlay: Overlay, folder: Path, options: EncodeOptions
    ) -> EncodedSegment:
        """See ``Stages``."""
        return await await_response(
            self._render.render.remote(segment, overlay, str(folder), options), "Render"
        )

    async def join(
        self, encoded: Sequence[EncodedSegment], media: MediaInfo, folder: Path, key: str
    ) -> StoredVideo:
        """See ``Stages``."""
        return await await_response(
            self._render.join.remote(list(encoded), media, str(folder), key), "Render"
        )


class StatusBoard:
    """States of the model deployments, polled in the background.

    `/healthz` must not wait for a busy model, so it reads this.
    """

    def __init__(self, models: Mapping[ModelRole, Any]) -> None:
        self._models = models
        self._known: dict[ModelRole, ModelStatus] = {}

    def __call__(self) -> Mapping[ModelRole, ModelStatus]:
        """Return the statuses by role."""
        return dict(self._known)

    async def keep_polling(self) -> None:
        """Ask every model again and again, until cancelled."""
        while True:
            await asyncio.gather(*(self._poll(role) for role in self._models))
            await asyncio.sleep(
                POLL_S if len(self._known) == len(self._models) else POLL_STARTING_S
            )

    async def _poll(self, role: ModelRole) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                self._known[role] = await await_response(self._models[role].status.remote(), role)
        except TimeoutError:
            return  # busy or starting: what it last said still holds
        except ServiceError as error:
            self._known[role] = ModelStatus(role=role, loaded=False, reason=error.detail)


class IngressReplica:
    """Requests in, responses out."""

    def __init__(
        self,
        settings: Settings,
        plan: ModelPlan,
        stages: Mapping[str, Any],
        models: Mapping[ModelRole, Any],
    ) -> None:
        """Take the handles: ``stages`` by name, and the three models by role.

        Raises:
            ConfigurationError: it would answer everybody on a network, or keys cannot be read.
        """
        log_as_serve()
        access, host = open_access(settings), http_host()
        require_choice(access.mode, host)
        logger.info("access: %s, HTTP on %s", access.mode, host or "an unknown address")
        load_scipy(*ASSIGNING)
        system(None)  # where there is a GPU, it imports torch: not when the first probe asks
        self._board = StatusBoard(models)
        self._service = PoseService(settings, plan, GraphStages(**stages), self._board, access)
        self._jobs = Jobs(self._service)
        self._background: list[asyncio.Task[None]] = []

    def __serve_build_asgi_app__(self) -> FastAPI:
        for work in (
            self._board.keep_polling(),
            self._service.keep_sweeping(),
            self._jobs.keep_running(),
        ):
            self._background.append(asyncio.get_running_loop().create_task(work))
        return create_app(self._service, self._jobs)

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Set new thresholds without a restart; see :class:`serve_app.live_config.LiveConfig`."""
        self._service.reconfigure(user_config)

    async def analyze(self, request: PoseRequest | dict[str, Any]) -> dict[str, Any]:
        """Answer `POST /pose`, for callers with a handle.

        Args:
            request: as the body of `POST /pose`.

        Returns:
            The response as plain JSON values.

        Raises:
            ServiceError: as over HTTP, by class.
        """
        body: PoseRequest = (
            request
            if isinstance(request, PoseRequest)
            else await asyncio.to_thread(parse_options, PoseRequest, request)
        )
        answer = await self._service.analyze_request(body, ANONYMOUS, uuid.uuid4().hex)
        return await asyncio.to_thread(answer.plain)

    async def analyze_file(
        self, path: str, options: PoseOptions | dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Analyze a file that every node reaches under ``path``.

        Not over HTTP: a caller with a handle is inside the cluster, and trusted.

        Args:
            path: of the file, which is left as it is.
            options: fields of the body of `POST /pose` beside the address.

        Raises:
            BadParameterError: there is no such file. ServiceError: as over HTTP, by class.
        """
        chosen: PoseOptions = (
            options
            if isinstance(options, PoseOptions)
            else await asyncio.to_thread(parse_options, PoseOptions, options or {})
        )
        file = Path(path)
        if not file.is_file():
            raise BadParameterError(f"there is no file {path} here", field="path")
        with self._service.admitted(), self._service.workspace() as folder:
            answer = await self._service.analyze_file(file, folder, chosen, uuid.uuid4().hex)
        return await asyncio.to_thread(answer.plain)

    async def submit_job(self, request: JobRequest | dict[str, Any]) -> list[dict[str, Any]]:
        """Queue one video or several, for callers with a handle.

        Args:
            request: as the body of `POST /jobs`.

        Returns:
            The jobs, as `GET /jobs/{id}` answers.

        Raises:
            ServiceError: as over HTTP, by class.
        """
        body: JobRequest = (
            request
            if isinstance(request, JobRequest)
            else await asyncio.to_thread(parse_options, JobRequest, request)
        )
        sources = [source_of(self._service, source, ANONYMOUS) for source in body.sources()]
        records, _ = await self._jobs.submit(
            ANONYMOUS, body, sources, grouped=body.videos is not None
        )
        return [_plain(job) for job in await self._jobs.views(records)]

    async def wait_for_job(self, job_id: str, timeout_s: float | None = None) -> dict[str, Any]:
        """Return a job once it has ended, or after ``timeout_s`` as it is then.

        Raises:
            JobNotFoundError: there is no such job.
        """
        return await self._job(await self._jobs.wait(job_id, ANONYMOUS.id, timeout_s))

    async def job_result(self, job_id: str) -> dict[str, Any]:
        """Return the result of a job, as `POST /pose` answers.

        Raises:
            JobNotFoundError: there is no such job. JobNotFinishedError: it has not succeeded.
        """
        record = await self._jobs.finished(job_id, ANONYMOUS.id)
        return await self._jobs.read_result(record, read_document)

    async def cancel_job(self, job_id: str) -> None:
        """Cancel a job that has not ended, or delete one that has.

        Raises:
            JobNotFoundError: there is no such job.
        """
        await self._jobs.delete(job_id, ANONYMOUS.id)

    async def _job(self, record: JobRecord) -> dict[str, Any]:
        return _plain(await self._jobs.view(record))

    async def drain(self, grace_s: float) -> None:
        """Return jobs to the queue; then see :meth:`serve_app.service.PoseService.drain`."""
        await self._jobs.drain()
        await self._service.drain(grace_s)

    async def health(self) -> dict[str, Any]:
        """Answer `GET /healthz`."""
        return self._service.health().model_dump(mode="json")


def _plain(job: Job) -> dict[str, Any]:
    return job.model_dump(mode="json", by_alias=True)


Ingress = serve.deployment(serve.ingress()(IngressReplica), name="Ingress")
