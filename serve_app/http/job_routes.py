"""Routes of jobs: submit, list, watch, read, export, cancel and delete."""

import asyncio
import hashlib
import json
import shutil
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException

from deployments.errors import BadParameterError, TooLargeError, keeping
from serve_app.access.caller import Caller
from serve_app.http.reception import Reception
from serve_app.http.requests import caller_of, owner_of
from serve_app.http.uploads import FORM, JSON, content_type, read_body, save_upload
from serve_app.jobs import result_file
from serve_app.jobs.job import JobState
from serve_app.jobs.jobs import Jobs, Placed, digest_of
from serve_app.results.job_schema import (
    FramePage,
    Job,
    JobGroup,
    JobList,
    JobOptions,
    JobRequest,
    JobSource,
    StateName,
)
from serve_app.results.response_schema import PoseResponse
from serve_app.service import PoseService

NDJSON: Final = "application/x-ndjson"
MOST_PAGE_BYTES: Final = 32 * 1024**2
"""Largest page of a result: Serve's proxy holds a whole answer for a slow reader."""

_FRAMES_A_PAGE = 1000
_LONGEST_KEY = 255
_PING_S = 15


def add_jobs(
    app: FastAPI, service: PoseService, jobs: Jobs, reception: Reception, problems: dict[Any, Any]
) -> None:
    """Add the routes to ``app``; ``problems`` are the errors to document."""
    _add_submit(app, service, jobs, reception, problems)
    _add_state(app, jobs, problems)
    _add_results(app, jobs, problems)


def _add_submit(
    app: FastAPI, service: PoseService, jobs: Jobs, reception: Reception, problems: dict[Any, Any]
) -> None:
    form = JobOptions.model_json_schema()
    form["properties"]["file"] = {"type": "string", "format": "binary"}
    form["required"] = ["file"]

    @app.post(
        "/jobs",
        status_code=202,
        response_model=Job | JobGroup,
        responses=problems,
        summary="Submit a video, or several",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    JSON: {"schema": JobRequest.model_json_schema()},
                    FORM: {"schema": form},
                },
            }
        },
    )
    async def submit(request: Request) -> Response:
        """Queue a video for analysis; it waits its turn."""
        key = _idempotency_key(request)
        caller = caller_of(request)
        _ = jobs.store  # NotReadyError before the body is received
        if content_type(request, JSON, FORM) == FORM:
            with service.workspace() as folder:
                async with service.deadline():
                    limit = service.settings.max_bytes
                    path, options = await save_upload(request, folder, limit, reception, JobOptions)
                digest = key and await asyncio.to_thread(_digest_of_file, options, path)
                return await _submitted(
                    jobs, caller, options, [_moved(path)], key and (key, digest)
                )
        async with service.deadline():
            body = await read_body(request, reception, JobRequest)
        sources = [source_of(service, source, caller) for source in body.sources()]
        digest = key and digest_of(body.model_dump_json().encode())
        return await _submitted(
            jobs,
            caller,
            body,
            sources,
            key and (key, digest),
            grouped=body.videos is not None,
        )


async def _submitted(
    jobs: Jobs,
    caller: Caller,
    options: JobOptions,
    sources: list[str | Placed],
    idempotency: Any,
    *,
    grouped: bool = False,
) -> Response:
    records, is_new = await jobs.submit(
        caller, options, sources, grouped=grouped, idempotency=idempotency or None
    )
    views = [await jobs.view(record) for record in records]
    headers = {} if is_new else {"Idempotent-Replayed": "true"}
    if grouped and views[0].group:
        group = JobGroup(group=views[0].group, jobs=views)
        headers["Location"] = f"/jobs?group={group.group}"
        return JSONResponse(group.model_dump(mode="json", by_alias=True), 202, headers)
    headers["Location"] = views[0].links.self_
    return JSONResponse(views[0].model_dump(mode="json", by_alias=True), 202, headers)


def _add_state(app: FastAPI, jobs: Jobs, problems: dict[Any, Any]) -> None:
    @app.get("/jobs", response_model=JobList, responses=problems, summary="Your jobs")
    async def list_jobs(
        request: Request,
        state: StateName | None = None,
        group: Annotated[str | None, Query(pattern="^[0-9a-f]{32}$")] = None,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> JobList:
        """Jobs, the newest first, a page at a time."""
        return await jobs.list_jobs(
            caller_of(request).id,
            state=JobState(state) if state else None,
            group=group,
            cursor=cursor,
            limit=limit,
        )

    @app.get("/jobs/{job_id}", response_model=Job, responses=problems, summary="State of a job")
    async def get_job(job_id: str, request: Request) -> Job:
        """State, stage, percent, frames, estimate and place in the queue."""
        return await jobs.view(await jobs.get(job_id, caller_of(request).id))

    @app.delete(
        "/jobs/{job_id}",
        response_model=Job,
        status_code=202,
        responses=problems | {204: {"description": "It had ended, and is deleted."}},
        summary="Cancel or delete a job",
    )
    async def delete_job(job_id: str, request: Request) -> Response:
        """Cancel a job that is queued or running; delete one that has ended, with its files."""
        record = await jobs.delete(job_id, caller_of(request).id)
        if record is None:
            return Response(status_code=204)
        view = await jobs.view(record)
        return JSONResponse(view.model_dump(mode="json", by_alias=True), 202)

    @app.get(
        "/jobs/{job_id}/events",
        response_class=EventSourceResponse,
        responses=problems,
        summary="Progress of a job as server-sent events",
    )
    async def events(job_id: str, request: Request) -> Response:
        """Events `state` and `progress`, each with an id; `Last-Event-ID` continues after one."""
        owner = caller_of(request).id
        await jobs.get(job_id, owner)  # a problem document where there is none
        after = _last_event(request)

        async def lines() -> AsyncIterator[ServerSentEvent]:
            async for event in jobs.events(job_id, owner, after):
                yield ServerSentEvent(
                    json.dumps(event.data), event=event.kind, id=str(event.number)
                )

        return EventSourceResponse(lines(), ping=_PING_S)


def _add_results(app: FastAPI, jobs: Jobs, problems: dict[Any, Any]) -> None:
    @app.get(
        "/jobs/{job_id}/result",
        response_model=PoseResponse | FramePage,
        responses=problems | {200: {"content": {NDJSON: {}}}},
        summary="Result of a job",
    )
    async def result(
        job_id: str,
        request: Request,
        cursor: Annotated[int | None, Query(ge=0)] = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = _FRAMES_A_PAGE,
    ) -> Response:
        """The response of `POST /pose`; with `cursor`, a page of its frames.

        With `Accept: application/x-ndjson` the frames come as lines, a page at a time.
        """
        record = await jobs.finished(job_id, caller_of(request).id)
        folder = jobs.files.result(record.id)
        as_lines = NDJSON in request.headers.get("accept", "")
        if cursor is None and not as_lines:
            if (record.result_bytes or 0) > MOST_PAGE_BYTES:
                raise TooLargeError(
                    f"the result has {record.result_bytes} bytes",
                    hint="Read its frames in pages: give cursor=0 and follow the cursors.",
                    quantity="bytes",
                    value=record.result_bytes,
                    limit=MOST_PAGE_BYTES,
                )
            text = await asyncio.to_thread(lambda: b"".join(result_file.read_whole(folder)))
            return Response(text, media_type=JSON)
        lines, after = await asyncio.to_thread(_page, folder, cursor or 0, limit)
        headers = {}
        if after is not None:
            follow = request.url.include_query_params(cursor=after, limit=limit)
            headers["Link"] = f'<{follow.path}?{follow.query}>; rel="next"'
        if as_lines:
            return Response(b"".join(b"%b\n" % line for line in lines), 200, headers, NDJSON)
        text = b'{"frames":[%b],"cursor":%b}' % (b",".join(lines), json.dumps(after).encode())
        return Response(text, 200, headers, JSON)

    @app.get(
        "/jobs/{job_id}/video",
        response_class=FileResponse,
        responses=problems | {307: {"description": "It is in an object store."}},
        summary="Annotated video of a job",
    )
    async def video(job_id: str, request: Request) -> Response:
        """Return the file, with byte ranges, or redirect to an object store."""
        record = await jobs.finished(job_id, owner_of(request))
        if record.video_url is None:
            raise HTTPException(404, "the job has no annotated video")
        path = jobs.stored_video(record.id)
        if path is None:
            return RedirectResponse(record.video_url)
        return _file(request, path, "video/mp4", "the annotated video was deleted")

    @app.get(
        "/jobs/{job_id}/source",
        response_class=FileResponse,
        responses=problems,
        summary="Video of a job as it was sent",
    )
    async def source(job_id: str, request: Request) -> Response:
        """Return the file, with byte ranges."""
        record = await jobs.get(job_id, owner_of(request))
        path = jobs.files.source(record.id)
        kind = await asyncio.to_thread(_media_type, path) if path.is_file() else ""
        return _file(request, path, kind, "the video is not here: not fetched yet, or deleted")


def _page(folder: Path, first: int, limit: int) -> tuple[list[bytes], int | None]:
    """Return frames from ``first`` on that fit a page, and the next cursor."""
    lines: list[bytes] = []
    size = 0
    for line in islice(result_file.read_frames(folder, first), limit + 1):
        size += len(line) + 1
        if len(lines) == limit or (lines and size > MOST_PAGE_BYTES):
            return lines, first + len(lines)
        lines.append(line)
    return lines, None


_MAGIC: Final = (
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (8, b"AVI ", "video/x-msvideo"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG", "image/png"),
    (8, b"WEBP", "image/webp"),
)
"""Offset and bytes by which a browser's media type is chosen."""


def _media_type(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(16)
    return next(
        (kind for at, magic, kind in _MAGIC if head[at : at + len(magic)] == magic),
        "application/octet-stream",
    )


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not (
        key.isascii() and key.isprintable() and 0 < len(key) <= _LONGEST_KEY
    ):
        raise BadParameterError(
            f"the Idempotency-Key must be 1 to {_LONGEST_KEY} printable ASCII characters",
            field="idempotency-key",
        )
    return key


def _last_event(request: Request) -> int:
    given = request.headers.get("last-event-id", "0")
    if not (given.isascii() and given.isdecimal() and len(given) < 10):
        raise BadParameterError("Last-Event-ID must be a number", field="last-event-id")
    return int(given)


def _digest_of_file(options: JobOptions, path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    return digest_of(options.model_dump_json().encode(), digest)


def source_of(service: PoseService, source: JobSource, caller: Caller) -> str | Placed:
    """Return the address of a video, or what moves its upload into place."""
    if source.video_url is not None:
        return source.video_url

    async def place(to: Path) -> None:
        await service.uploads.take(source.upload_id or "", caller, to)

    return place


def _moved(path: Path) -> Placed:
    def move(to: Path) -> None:
        with keeping("the video of a job"):
            shutil.move(path, to)

    async def place(to: Path) -> None:
        await asyncio.to_thread(move, to)

    return place


def _file(request: Request, path: Path, media_type: str, missing: str) -> Response:
    if not path.is_file():
        raise HTTPException(404, missing)
    return FileResponse(path, media_type=media_type)
