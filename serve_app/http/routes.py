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
    BadParameterError,
    BodyTimeoutError,
    HeaderNotAllowedError,
    IdempotencyKeyReusedError,
    JobNotFinishedError,
    JobNotFoundError,
    MediaError,
    ModelError,
    QueueFullError,
    ServiceError,
    SourceError,
    StorageError,
    TooLargeError,
    UploadError,
)
from serve_app.http.compression import Compressed
from serve_app.http.conditional import unless_known
from serve_app.http.entrance import lifts_limits, request_id_of
from serve_app.http.export_route import add_export
from serve_app.http.fields_query import FIELDS_PARAMETER, fields_of, with_fields
from serve_app.http.guard import add_guard, add_headers
from serve_app.http.job_routes import add_jobs
from serve_app.http.openapi import DescribedApp, Responses, header, problems_of
from serve_app.http.problems import CONTENT_TYPE, problem_answer
from serve_app.http.reception import Reception
from serve_app.http.requests import caller_of
from serve_app.http.upload_routes import add_uploads
from serve_app.http.uploads import FORM, JSON, bad_parameters, content_type, read_body, save_upload
from serve_app.jobs.jobs import Jobs
from serve_app.results.health_schema import Health, Liveness, Readiness
from serve_app.results.response_schema import PoseOptions, PoseRequest, PoseResponse
from serve_app.results.supplied import SUPPLIED
from serve_app.service import PoseService
from serve_app.versions import SERVICE_DISTRIBUTION, package_version

logger = logging.getLogger("mmpose_service")

_RANGE = re.compile(r"(\d{0,18})-(\d{0,18})", re.ASCII)
_MOST_RANGES = 16
_OWNER = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_VIDEO = {"video/mp4": {"schema": {"type": "string", "format": "binary"}}}
_VIDEO_ANSWERS = problems_of(
    also={
        400: "The Range header is malformed",
        404: "There is no such video",
        416: "The range begins behind the end of the video",
    }
) | {
    200: {"description": "The video.", "content": _VIDEO, "headers": header("ETag")},
    206: {"description": "Ranges of it.", "content": _VIDEO, "headers": header("ETag")},
    304: {"description": "The caller has it already.", "headers": header("ETag")},
}
_OF_JOBS = problems_of(
    BadParameterError,
    BodyTimeoutError,
    TooLargeError,
    StorageError,
    UploadError,
    IdempotencyKeyReusedError,
    QueueFullError,
    JobNotFoundError,
    JobNotFinishedError,
)
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
    _add_pose(app, service, reception)
    add_export(app, service, reception)
    add_uploads(app, service, reception)
    if jobs is not None:
        add_jobs(app, service, jobs, reception, _OF_JOBS)
    _add_health(app, service)
    _add_videos(app, service)
    return app


def _add_pose(app: FastAPI, service: PoseService, reception: Reception) -> None:
    form = PoseOptions.model_json_schema()
    form["properties"]["file"] = {"type": "string", "format": "binary"}
    for name in SUPPLIED:
        form["properties"][name]["anyOf"].insert(0, {"type": "string", "format": "binary"})
    form["required"] = ["file"]

    @app.post(
        "/pose",
        response_model=PoseResponse,
        responses=problems_of(
            BadParameterError,
            BodyTimeoutError,
            SourceError,
            MediaError,
            ModelError,
            StorageError,
            UploadError,
        ),
        summary="Analyze a video",
        tags=["analysis"],
        openapi_extra={
            "parameters": [FIELDS_PARAMETER],
            "requestBody": {
                "required": True,
                "content": {
                    JSON: {"schema": PoseRequest.model_json_schema()},
                    FORM: {"schema": form},
                },
            },
        },
    )
    async def pose(request: Request) -> Response:
        """Analyze the video at `video_url`, the upload `upload_id`, or `file` in a form."""
        request_id: str = request.state.request_id
        fields = fields_of(request)
        caller = caller_of(request)
        service.access.daily.refuse_if_spent(caller)
        service.refuse_if_not_ready()
        service.refuse_if_full()
        if content_type(request, JSON, FORM) == FORM:
            limit = service.settings.max_bytes
            with service.workspace() as folder:
                async with service.deadline():
                    path, options = await save_upload(
                        request, folder, limit, reception, PoseOptions
                    )
                options = with_fields(options, fields)
                with service.admitted():
                    answer = await service.analyze_file(
                        path, folder, options, request_id, owner=caller.id
                    )
        else:
            async with service.deadline():
                body = with_fields(await read_body(request, reception, PoseRequest), fields)
            answer = await service.analyze_request(body, caller, request_id)
        if answer.video_url and answer.video_url.startswith("/"):
            answer.video_url = str(request.base_url).rstrip("/") + answer.video_url
        # In a thread: an hour of video is a hundred thousand frames to write down.
        return Response(await asyncio.to_thread(answer.body), media_type="application/json")


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
    stat, headers = path.stat(), {"Cache-Control": "private"}
    answer = FileResponse(path, media_type="video/mp4", headers=headers, stat_result=stat)
    known = unless_known(request, answer)
    if known is answer and (asked := request.headers.get("range")):
        _check_range(asked, stat.st_size)
    return known


def _check_range(asked: str, size: int) -> None:
    """Refuse by a problem document what starlette would refuse in plain text."""
    unit, _, listed = asked.partition("=")
    parts = [_RANGE.fullmatch(part.strip()) for part in listed.split(",")]
    if unit.strip().lower() != "bytes" or len(parts) > _MOST_RANGES:
        raise HTTPException(400, "the Range header is malformed")
    for part in parts:
        if part is None or part[0] == "-" or (part[1] and part[2] and int(part[1]) > int(part[2])):
            raise HTTPException(400, "the Range header is malformed")
        if part[1] and int(part[1]) >= size:
            raise HTTPException(
                416,
                f"the video has {size} bytes, and the range begins behind them",
                {"Content-Range": f"bytes */{size}"},
            )


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
