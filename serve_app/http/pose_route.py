"""Serve `POST /pose`: a video in, its poses and an annotated video out, at once or as a stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from deployments.errors import (
    BadParameterError,
    BodyTimeoutError,
    MediaError,
    ModelError,
    SourceError,
    StorageError,
    UploadError,
)
from serve_app.http.fields_query import FIELDS_PARAMETER, fields_of, with_fields
from serve_app.http.openapi import problems_of
from serve_app.http.pose_stream import NDJSON, Analysis, pose_lines
from serve_app.http.reception import Reception
from serve_app.http.requests import caller_of
from serve_app.http.responses import DeferredResponse
from serve_app.http.uploads import FORM, JSON, body_described, content_type, read_body, save_upload
from serve_app.pipeline import Progress, Stages, no_progress
from serve_app.results.response_schema import PoseOptions, PoseRequest, PoseResponse
from serve_app.results.response_writer import Answer
from serve_app.service import PoseService

_STREAM: Final[dict[str, Any]] = {
    "name": "stream",
    "in": "query",
    "required": False,
    "description": "Send lines of JSON (NDJSON) while the segments of the video finish.",
    "schema": {"type": "boolean", "default": False},
}


def add_pose(app: FastAPI, service: PoseService, reception: Reception) -> None:
    """Add the route to ``app``."""

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
        )
        | {200: {"content": {NDJSON: {"schema": {"type": "string"}}}}},
        summary="Analyze a video",
        tags=["analysis"],
        openapi_extra={
            "parameters": [FIELDS_PARAMETER, _STREAM],
            "requestBody": body_described(PoseRequest, PoseOptions),
        },
    )
    async def pose(request: Request) -> Response:
        """Analyze the video at `video_url`, the upload `upload_id`, or `file` in a form.

        With `stream=true`, lines of JSON come while the segments of the video finish.
        """
        fields, is_stream = fields_of(request), _is_stream(request)
        service.access.daily.refuse_if_spent(caller_of(request))
        service.refuse_if_not_ready()
        service.refuse_if_full()
        content_type(request, JSON, FORM)
        if is_stream:
            return DeferredResponse(partial(_send_lines, service, reception, request, fields))
        async with _asked(service, reception, request, fields) as analyze:
            answer = await analyze(service.stages, no_progress)
        # In a thread: an hour of video is a hundred thousand frames to write down.
        return Response(await asyncio.to_thread(answer.body), media_type=JSON)


def _is_stream(request: Request) -> bool:
    given = request.query_params.get("stream", "false")
    if given not in ("true", "false"):
        raise BadParameterError("stream: must be true or false", field="stream")
    return given == "true"


@asynccontextmanager
async def _asked(
    service: PoseService, reception: Reception, request: Request, fields: str | None
) -> AsyncIterator[Analysis]:
    """Receive a request, and yield what analyzes its video within the block."""
    request_id, caller = request.state.request_id, caller_of(request)

    def absolute(answer: Answer) -> Answer:
        if answer.video_url and answer.video_url.startswith("/"):
            answer.video_url = str(request.base_url).rstrip("/") + answer.video_url
        return answer

    if content_type(request, JSON, FORM) == JSON:
        async with service.deadline():
            body = with_fields(await read_body(request, reception, PoseRequest), fields)

        async def analyze_request(stages: Stages, progress: Progress) -> Answer:
            return absolute(
                await service.analyze_request(body, caller, request_id, progress, stages)
            )

        yield analyze_request
        return
    with service.workspace() as folder:
        async with service.deadline():
            limit = service.settings.max_bytes
            path, options = await save_upload(request, folder, limit, reception, PoseOptions)
        options = with_fields(options, fields)

        async def analyze_upload(stages: Stages, progress: Progress) -> Answer:
            with service.admitted():
                return absolute(
                    await service.analyze_file(
                        path, folder, options, request_id, progress, caller.id, stages=stages
                    )
                )

        yield analyze_upload


async def _send_lines(
    service: PoseService,
    reception: Reception,
    request: Request,
    fields: str | None,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    async with (
        _asked(service, reception, request, fields) as analyze,
        aclosing(pose_lines(analyze, service.stages, request.state.request_id)) as lines,
    ):
        first = await anext(lines)

        async def all_lines() -> AsyncIterator[bytes]:
            yield first
            async for line in lines:
                yield line

        await StreamingResponse(all_lines(), media_type=NDJSON)(scope, receive, send)
