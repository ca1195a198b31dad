"""Serve `POST /export`: a saved result in, a file out."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from deployments.concurrency import Cancelled
from deployments.errors import (
    BadParameterError,
    BodyTimeoutError,
    TooLargeError,
    WorkingFilesError,
)
from serve_app.export.formats import ExportedFile, ExportOptions, export
from serve_app.export.saved_clip import read_result
from serve_app.http.export_query import ExportQuery
from serve_app.http.openapi import Responses, problems_of
from serve_app.http.reception import Reception
from serve_app.http.responses import DeferredResponse
from serve_app.http.uploads import JSON, content_type, read_json
from serve_app.results.validation import parse_options
from serve_app.service import PoseService

_THREADS = 4  # of exports alone: the event loop's serve probes of health too

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Exporter:
    """Makes files of results, each within a place among the requests and a longest time."""

    def __init__(self, service: PoseService) -> None:
        self.service = service
        self._pool = ThreadPoolExecutor(_THREADS, "export")

    def response(self, asked: ExportQuery, read: Callable[[], Awaitable[bytes]]) -> Response:
        """Return the file of the result that ``read`` gives while the response is sent.

        Raises:
            OverloadedError: there is no place. NotReadyError: the service is ending.
        """
        service = self.service
        service.refuse_if_full()

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            async with service.deadline(service.settings.export_deadline_s):
                body = await read()
                async with _working(service, self._pool) as work:
                    begun = work.do(_begin, body, asked, work.cancelled, work.folder)
                    del body
                    made, first, second = await begun
                    await _answer(work, made, first, second)(scope, receive, send)

        return DeferredResponse(answer)


def query_parameters(*without: str) -> list[dict[str, Any]]:
    """Describe the query of an export for OpenAPI, ``without`` some parameters."""
    query = ExportQuery.model_json_schema()
    return [
        {
            "name": name,
            "in": "query",
            "required": name in query["required"],
            "description": schema.get("description", ""),
            "schema": {k: v for k, v in schema.items() if k not in ("description", "title")},
        }
        for name, schema in query["properties"].items()
        if name not in without
    ]


def add_export(app: FastAPI, exporter: Exporter, reception: Reception) -> None:
    """Add the route to ``app``."""

    @app.post(
        "/export",
        response_class=Response,
        responses=problems_of(BadParameterError, BodyTimeoutError, TooLargeError, WorkingFilesError)
        | EXPORTED,
        summary="A result as a file of another program",
        tags=["exports"],
        openapi_extra={
            "parameters": query_parameters(),
            "requestBody": {
                "required": True,
                "description": "A response of `POST /pose`, with its data.",
                "content": {JSON: {"schema": {"type": "object"}}},
            },
        },
    )
    async def export_result(request: Request) -> Response:
        """Export the result in the body to CSV, Parquet, OpenSim .trc or .mot, C3D or COCO."""
        asked: ExportQuery = parse_options(ExportQuery, dict(request.query_params))
        content_type(request, JSON)
        limit = exporter.service.settings.max_result_bytes
        return exporter.response(asked, lambda: read_json(request, reception, limit))


_NAMED = {"Content-Disposition": {"schema": {"type": "string"}, "description": "A file name."}}
_CONTENT: dict[str, dict[str, Any]] = {
    kind: {"schema": {"type": "string", "format": "binary"}}
    for kind in (
        "text/csv",
        "application/vnd.apache.parquet",
        "text/plain",
        "application/octet-stream",
        "application/json",
    )
}
EXPORTED: Final[Responses] = {
    200: {"description": "The file.", "content": _CONTENT, "headers": _NAMED}
}
"""Response of a route that exports."""


class _Work:
    """Run one request's work in a thread pool, a step at a time."""

    def __init__(self, pool: ThreadPoolExecutor, folder: Path) -> None:
        self._pool = pool
        self._gone = threading.Event()
        self._last: Future[Any] = Future()
        self._last.set_result(None)
        self.folder = folder
        self.cancelled: Cancelled = self._gone.is_set

    def do(
        self,
        step: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Awaitable[Result]:
        """Start ``step``, and return an awaitable of its result."""
        self._last = work = self._pool.submit(step, *args, **kwargs)
        return asyncio.wrap_future(work)

    def end(self, then: Callable[[], None]) -> None:
        """Cancel the step under way, and call ``then`` once it has ended."""
        loop = asyncio.get_running_loop()

        def ended(_: object) -> None:
            try:
                loop.call_soon_threadsafe(then)
            except RuntimeError:  # the loop has ended
                then()

        self._gone.set()
        self._last.add_done_callback(ended)


@asynccontextmanager
async def _working(service: PoseService, pool: ThreadPoolExecutor) -> AsyncIterator[_Work]:
    """Yield work that keeps its place and folder until its last thread has ended.

    Raises:
        OverloadedError: there is no place. NotReadyError: the service is ending.
        WorkingFilesError: there can be no folder.
    """
    with ExitStack() as places:
        places.enter_context(service.request_slot())
        work = _Work(pool, places.enter_context(service.workspace()))
        held = places.pop_all()
    try:
        yield work
    finally:
        work.end(held.close)


def _begin(
    body: bytes, asked: ExportQuery, cancelled: Cancelled, folder: Path
) -> tuple[ExportedFile, bytes, bytes]:
    """Return the file of the result in ``body`` and its first two pieces, empty after its end."""
    made = export(
        read_result(body, cancelled),
        asked.format,
        ExportOptions(**asked.model_dump(exclude={"format"}), cancelled=cancelled, folder=folder),
    )
    return made, next(made.pieces, b""), next(made.pieces, b"")


def _answer(work: _Work, made: ExportedFile, first: bytes, second: bytes) -> Response:
    """Return the answer of ``made``, with a Content-Length if it has one piece."""
    headers = {"Content-Disposition": f'attachment; filename="result{made.suffix}"'}
    if not second:
        return Response(first, media_type=made.media_type, headers=headers)

    async def pieces() -> AsyncIterator[bytes]:
        yield first
        piece = second
        while piece:
            yield piece
            piece = await work.do(next, made.pieces, b"")

    return StreamingResponse(pieces(), media_type=made.media_type, headers=headers)
