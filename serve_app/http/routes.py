"""Build the HTTP interface: an ASGI application over a :class:`PoseService`."""

import asyncio
import logging
import re
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.errors import (
    HeaderNotAllowedError,
    ServiceError,
)
from serve_app.http.compression import Compressed
from serve_app.http.correction_route import add_corrections
from serve_app.http.entrance import lifts_limits, request_id_of
from serve_app.http.export_route import Exporter, add_export
from serve_app.http.guard import add_guard, add_headers
from serve_app.http.job_results import add_job_results
from serve_app.http.job_routes import add_jobs
from serve_app.http.openapi import DescribedApp, Responses, file_answers, problems_of
from serve_app.http.page_routes import add_docs, add_page, add_sentences
from serve_app.http.pose_route import add_pose
from serve_app.http.problems import CONTENT_TYPE, problem_answer
from serve_app.http.reception import Reception
from serve_app.http.report_route import add_report
from serve_app.http.requests import caller_of
from serve_app.http.responses import file_response
from serve_app.http.upload_routes import add_uploads
from serve_app.jobs.jobs import Jobs
from serve_app.results.health_schema import Health, Liveness, Readiness
from serve_app.results.validation import bad_parameters
from serve_app.service import PoseService
from serve_app.versions import SERVICE_DISTRIBUTION, package_version

logger = logging.getLogger("mmpose_service")

_OWNER = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_VIDEO_ANSWERS = problems_of(
    also={
        400: "The Range header is malformed",
        404: "There is no such video",
        416: "The range begins behind the end of the video",
    }
) | file_answers("video/mp4")
VIDEO_KEY = re.compile(r"[0-9a-f]{32}\.mp4")

_DESCRIPTION = """
A video of an athlete in; for every frame 17 COCO keypoints with confidence, joint angles, movement
analysis and body alignment, and an annotated video out.

Errors are RFC 9457 problem documents with a stable `code`, a `hint`, and whether a retry can help.
"""


def create_app(service: PoseService, jobs: Jobs | None = None) -> FastAPI:
    """Build the application; :mod:`serve_app.ingress` runs it in the graph."""
    app = DescribedApp(
        title="MMPose Service",
        version=package_version(SERVICE_DISTRIBUTION),
        description=_DESCRIPTION,
    )
    reception = Reception(service.settings, service.incoming)
    add_guard(app, service.access)
    _add_errors(app, service)
    add_headers(app, service.settings.cors_origins)
    add_pose(app, service, reception)
    exporter = Exporter(service)
    add_export(app, exporter, reception)
    add_uploads(app, service, reception)
    if jobs is not None:
        add_jobs(app, service, jobs, reception)
        add_job_results(app, jobs, exporter)
        add_sentences(app, jobs)
        add_corrections(app, jobs, reception)
        add_report(app, service, jobs)
    add_docs(app)
    if service.settings.page:
        add_page(app)
    _add_health(app, service)
    _add_videos(app, service)
    return app


def _add_health(app: FastAPI, service: PoseService) -> None:
    @app.get(
        "/healthz",
        response_model=Health,
        responses=_or_503(Health),
        summary="What is loaded",
        tags=["health"],
    )
    async def healthz() -> Response:
        """Return the status of the service and its models; 503 until requests can be answered."""
        health = await asyncio.to_thread(service.health)
        return _health(health, health)

    @app.get(
        "/readyz",
        response_model=Readiness,
        responses=_or_503(Readiness),
        summary="Whether requests can be answered",
        tags=["health"],
    )
    async def readyz() -> Response:
        """Return 200 when ready, else 503 with the reasons."""
        health = await asyncio.to_thread(service.health)
        ready = health.status != "not_ready"
        return _health(health, Readiness(ready=ready, reasons=[] if ready else health.reasons))

    @app.get("/livez", summary="Whether the process is alive", tags=["health"])
    async def livez() -> Liveness:
        """Return 200, always."""
        return Liveness()


def _health(health: Health, answer: BaseModel) -> Response:
    status = 503 if health.status == "not_ready" else 200
    return JSONResponse(answer.model_dump(mode="json"), status)


def _or_503(model: type[BaseModel]) -> Responses:
    """Describe that 503 is of the same model, where it is no problem of any route."""
    problems = problems_of()
    return problems | {503: {**problems[503], "model": model}}


def _add_videos(app: FastAPI, service: PoseService) -> None:
    if "://" in service.settings.output:
        return
    folder = Path(service.settings.output)

    @app.head("/videos/{key}", include_in_schema=False)
    @app.get(
        "/videos/{key}",
        summary="An annotated video",
        tags=["videos"],
        response_class=FileResponse,
        responses=_VIDEO_ANSWERS,
    )
    async def videos(key: str, request: Request) -> Response:
        """Return the file, with byte ranges."""
        return _video(folder, "", key, request)

    @app.head("/videos/{owner}/{key}", include_in_schema=False)
    @app.get(
        "/videos/{owner}/{key}",
        summary="An annotated video of a caller with a key",
        tags=["videos"],
        response_class=FileResponse,
        responses=_VIDEO_ANSWERS,
    )
    async def owned_videos(owner: str, key: str, request: Request) -> Response:
        """Return the file, with byte ranges: for the key of its owner, or by a signed link."""
        return _video(folder, owner, key, request)


def _video(folder: Path, owner: str, key: str, request: Request) -> Response:
    """Return a video of ``owner``; that of another is as if there were none."""
    path = folder / owner / key
    mine = request.state.by_link or caller_of(request).id == owner
    named = VIDEO_KEY.fullmatch(key) and (not owner or _OWNER.fullmatch(owner))
    if not (mine and named and path.is_file()):
        raise HTTPException(404, "there is no such video")
    return file_response(request, path, "video/mp4")


class _Identified:
    """Assign each request an id, and answer unforeseen errors by a problem document.

    An answer that fails after its first byte breaks off: starlette's middleware of functions would
    end it as if it were whole.
    """

    def __init__(self, app: ASGIApp, service: PoseService) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, started = Request(scope), False
        given = request.headers.get("x-request-id", "")
        request.state.request_id = request_id_of(given)

        async def identified(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if request.state.request_id != given:  # Serve's proxy sends back the id it gave
                    MutableHeaders(scope=message)["X-Request-ID"] = request.state.request_id
            await send(message)

        with self._service.answering():
            try:
                _refuse_limits(request)
                await self._app(scope, receive, identified)
            except Exception as error:
                if started or not isinstance(error, ServiceError):
                    logger.exception("request %s failed", request.state.request_id)
                    if started:
                        raise
                    error = ServiceError("an unforeseen error; it was logged")
                answer = problem_answer(error, request.state.request_id)
                await answer(scope, receive, identified)


def _add_errors(app: FastAPI, service: PoseService) -> None:
    app.add_middleware(Compressed)
    app.add_middleware(_Identified, service)  # around all others

    @app.exception_handler(ServiceError)
    async def on_service_error(request: Request, error: ServiceError) -> Response:
        return problem_answer(error, request.state.request_id)

    @app.exception_handler(RequestValidationError)
    async def on_bad_parameter(request: Request, error: RequestValidationError) -> Response:
        return problem_answer(bad_parameters(error.errors()), request.state.request_id)

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        body = {
            "type": "about:blank",
            "title": error.detail,
            "status": error.status_code,
            "code": f"http_{error.status_code}",
            "detail": error.detail,
            "hint": "See /docs.",
            "retryable": False,
            "instance": request.state.request_id,
        }
        return JSONResponse(
            body, error.status_code, headers=dict(error.headers or {}), media_type=CONTENT_TYPE
        )


def _refuse_limits(request: Request) -> None:
    """Refuse what only a proxy without ``serve_app.http.entrance`` lets through, and has obeyed."""
    for name in request.headers:
        if lifts_limits(name):
            raise HeaderNotAllowedError(f"the header {name} is not allowed")
