"""`POST /export`: a saved result in, a file out."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from fastapi import FastAPI, Request, Response

from deployments.threads import Cancelled, WorkCancelledError
from serve_app.export.files import ExportedFile, ExportOptions, export
from serve_app.export.query import ExportQuery
from serve_app.export.saved import read_result
from serve_app.reception import Reception
from serve_app.service import PoseService
from serve_app.upload import JSON, content_type, parse_options, read_json

_THREADS = 4  # of exports alone: the event loop's serve probes of health too


def add_export(
    app: FastAPI, service: PoseService, reception: Reception, problems: dict[int | str, Any]
) -> None:
    """Add the route to ``app``; ``problems`` are the errors to document."""
    pool = ThreadPoolExecutor(_THREADS, "export")
    query = ExportQuery.model_json_schema()
    parameters = [
        {
            "name": name,
            "in": "query",
            "required": name in query["required"],
            "description": schema.get("description", ""),
            "schema": {k: v for k, v in schema.items() if k not in ("description", "title")},
        }
        for name, schema in query["properties"].items()
    ]

    @app.post(
        "/export",
        response_class=Response,
        responses=problems | {200: {"description": "The file.", "content": _CONTENT}},
        summary="A result as a file of another program",
        openapi_extra={
            "parameters": parameters,
            "requestBody": {
                "required": True,
                "description": "A response of `POST /pose`, with its data.",
                "content": {JSON: {"schema": {"type": "object"}}},
            },
        },
    )
    async def export_result(request: Request) -> Response:
        """The result in the body as CSV, Parquet, OpenSim .trc or .mot, C3D or COCO results."""
        asked: ExportQuery = parse_options(ExportQuery, dict(request.query_params))
        content_type(request, JSON)
        service.refuse_if_full()
        async with service.deadline():
            body = await read_json(request, reception, service.settings.max_result_bytes)
            made = await _made(body, asked, service, pool)
        return Response(
            made.body,
            media_type=made.media_type,
            headers={"Content-Disposition": f'attachment; filename="result{made.suffix}"'},
        )


_CONTENT: dict[str, dict[str, Any]] = {
    kind: {}
    for kind in (
        "text/csv",
        "application/vnd.apache.parquet",
        "text/plain",
        "application/octet-stream",
        "application/json",
    )
}


async def _made(
    body: bytes, asked: ExportQuery, service: PoseService, pool: ThreadPoolExecutor
) -> ExportedFile:
    """Write the file in a thread, which keeps its place until it ends, whoever waits."""
    loop, gone = asyncio.get_running_loop(), threading.Event()
    with ExitStack() as places:
        places.enter_context(service.place())
        work = pool.submit(_make, body, asked, gone.is_set)
        place = places.pop_all()

    def leave(_: object) -> None:
        try:
            loop.call_soon_threadsafe(place.close)
        except RuntimeError:  # the loop has ended
            place.close()

    work.add_done_callback(leave)
    try:
        return await asyncio.wrap_future(work)
    finally:
        gone.set()


def _make(body: bytes, asked: ExportQuery, cancelled: Cancelled) -> ExportedFile:
    options = ExportOptions(**asked.model_dump(exclude={"format"}), cancelled=cancelled)
    result = read_result(body)
    if cancelled():
        raise WorkCancelledError(asked.format)
    return export(result, asked.format, options)
