"""Routes of what a job leaves: its result, its videos, and files of other programs."""

import asyncio
import json
from itertools import islice
from pathlib import Path
from typing import Annotated, Final, get_args

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, RedirectResponse
from starlette.exceptions import HTTPException

from deployments.errors import (
    BadParameterError,
    JobNotFinishedError,
    JobNotFoundError,
    ResultFilesError,
    StorageError,
    TooLargeError,
)
from serve_app.http.conditional import tag_of, unless_known
from serve_app.http.export_query import ExportQuery, Format
from serve_app.http.export_route import EXPORTED, Exporter, query_parameters
from serve_app.http.fields_query import FIELDS_PARAMETER, fields_of
from serve_app.http.openapi import file_answers, header, problems_of
from serve_app.http.pose_stream import NDJSON
from serve_app.http.requests import caller_of, owner_of
from serve_app.http.responses import file_response
from serve_app.http.uploads import JSON
from serve_app.jobs.job import JobRecord
from serve_app.jobs.jobs import Jobs
from serve_app.jobs.result_file import read_bytes, read_frames, read_head
from serve_app.results.job_schema import FramePage
from serve_app.results.response_schema import FRAMES, PoseResponse, selection_of
from serve_app.results.selection import Selection
from serve_app.results.validation import parse_options

MOST_PAGE_BYTES: Final = 32 * 1024**2
"""Largest page of a result: Serve's proxy holds a whole answer for a slow reader."""

_FRAMES_A_PAGE: Final = 1000
_MEDIA_TYPES: Final = (
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (8, b"AVI ", "video/x-msvideo"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG", "image/png"),
    (8, b"WEBP", "image/webp"),
)
"""Offset and bytes by which a browser's media type is chosen."""

_OTHER_TYPE: Final = "application/octet-stream"
FINISHED: Final = (JobNotFoundError, JobNotFinishedError)
"""Errors of every route that reads the result of a job."""

_RANGES: Final = {
    400: "The Range header is malformed",
    404: "There is no such file",
    416: "The range begins behind the end of the file",
}


def add_job_results(app: FastAPI, jobs: Jobs, exporter: Exporter) -> None:
    """Add the routes to ``app``."""
    _add_result(app, jobs)
    _add_videos(app, jobs)
    _add_export(app, jobs, exporter)


def _add_result(app: FastAPI, jobs: Jobs) -> None:
    @app.get(
        "/jobs/{job_id}/result",
        response_model=PoseResponse | FramePage,
        responses=problems_of(BadParameterError, TooLargeError, ResultFilesError, *FINISHED)
        | {
            200: {"content": {NDJSON: {"schema": {"type": "string"}}}, "headers": header("ETag")},
            304: {"description": "The caller has it already.", "headers": header("ETag")},
        },
        summary="Result of a job",
        tags=["jobs"],
        openapi_extra={"parameters": [FIELDS_PARAMETER]},
    )
    async def job_result(
        job_id: str,
        request: Request,
        cursor: Annotated[int | None, Query(ge=0)] = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = _FRAMES_A_PAGE,
    ) -> Response:
        """Return the response of `POST /pose`; with `cursor`, a page of its frames.

        With `Accept: application/x-ndjson` the frames come as lines, a page at a time.
        """
        selection = selection_of(fields_of(request))
        record = await jobs.finished(job_id, caller_of(request).id)
        as_lines = NDJSON in request.headers.get("accept", "")
        version = f"{record.id} {record.ended_at} {request.url.query} {as_lines}"
        headers = {"ETag": tag_of(version.encode()), "Cache-Control": "private"}
        known = unless_known(request, Response(headers=headers))
        if known.status_code == 304:
            return known
        if cursor is None and not as_lines:
            text = await jobs.read_result(record, _whole, record, selection)
            return Response(text, 200, headers, JSON)
        frames, after = await jobs.read_result(record, _page, cursor or 0, limit, selection)
        if after is not None:
            follow = request.url.include_query_params(cursor=after, limit=limit)
            headers["Link"] = f'<{follow.path}?{follow.query}>; rel="next"'
        if as_lines:
            return Response(b"".join(b"%b\n" % line for line in frames), 200, headers, NDJSON)
        text = b'{"frames":[%b],"cursor":%b}' % (b",".join(frames), json.dumps(after).encode())
        return Response(text, 200, headers, JSON)


def _whole(folder: Path, record: JobRecord, selection: Selection | None) -> bytes:
    """Return the response, or the parts that are chosen.

    Raises:
        TooLargeError: it is larger than a page may be.
    """
    if selection is not None and not selection.has(*FRAMES):
        return selection.of_json(read_head(folder))
    if (record.result_bytes or 0) > MOST_PAGE_BYTES:
        raise TooLargeError(
            f"the result has {record.result_bytes} bytes, {MOST_PAGE_BYTES} can be sent at once",
            hint="Read its frames in pages: send cursor=0, and follow the cursors.",
            quantity="bytes",
            value=record.result_bytes,
            limit=MOST_PAGE_BYTES,
        )
    text = read_bytes(folder)
    return text if selection is None else selection.of_json(text)


def _page(
    folder: Path, first: int, limit: int, selection: Selection | None
) -> tuple[list[bytes], int | None]:
    """Return frames from ``first`` on that fit a page, and the next cursor."""
    if selection is not None and not selection.has(*FRAMES):
        return [], None
    chosen = None if selection is None else selection.below(*FRAMES)
    frames: list[bytes] = []
    size = 0
    for line in islice(read_frames(folder, first), limit + 1):
        frame = line if chosen is None else chosen.of_json(line)
        size += len(frame) + 1
        if len(frames) == limit or (frames and size > MOST_PAGE_BYTES):
            return frames, first + len(frames)
        frames.append(frame)
    return frames, None


def _add_videos(app: FastAPI, jobs: Jobs) -> None:
    @app.head("/jobs/{job_id}/video", include_in_schema=False)
    @app.get(
        "/jobs/{job_id}/video",
        response_class=FileResponse,
        responses=problems_of(StorageError, *FINISHED, also=_RANGES)
        | file_answers("video/mp4")
        | {307: {"description": "It is in an object store."}},
        summary="Annotated video of a job",
        tags=["jobs"],
    )
    async def job_video(job_id: str, request: Request) -> Response:
        """Return the file, with byte ranges, or redirect to an object store."""
        record = await jobs.finished(job_id, owner_of(request))
        if record.video_url is None:
            raise HTTPException(
                404, "the job has no annotated video: it was submitted with video=false"
            )
        path = jobs.stored_video(record.id)
        if path is None:
            return RedirectResponse(await jobs.video_address(record.id))
        if not path.is_file():
            raise HTTPException(404, "the annotated video was deleted")
        return file_response(request, path, "video/mp4")

    @app.head("/jobs/{job_id}/source", include_in_schema=False)
    @app.get(
        "/jobs/{job_id}/source",
        response_class=FileResponse,
        responses=problems_of(JobNotFoundError, also=_RANGES)
        | file_answers(*dict.fromkeys((*(kind for *_, kind in _MEDIA_TYPES), _OTHER_TYPE))),
        summary="Video of a job as it was sent",
        tags=["jobs"],
    )
    async def job_source(job_id: str, request: Request) -> Response:
        """Return the file, with byte ranges."""
        record = await jobs.get(job_id, owner_of(request))
        path = jobs.files.source(record.id)
        if not path.is_file():
            raise HTTPException(404, "the video is not here: not fetched yet, or deleted")
        return file_response(request, path, await asyncio.to_thread(_media_type, path))


def _media_type(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(16)
    return next(
        (kind for at, magic, kind in _MEDIA_TYPES if head[at : at + len(magic)] == magic),
        _OTHER_TYPE,
    )


def _add_export(app: FastAPI, jobs: Jobs, exporter: Exporter) -> None:
    @app.get(
        "/jobs/{job_id}/export/{kind}",
        response_class=Response,
        responses=problems_of(BadParameterError, TooLargeError, StorageError, *FINISHED) | EXPORTED,
        summary="Result of a job as a file of another program",
        tags=["exports"],
        openapi_extra={"parameters": query_parameters("format")},
    )
    async def export_job(job_id: str, kind: str, request: Request) -> Response:
        """Export the result to CSV, Parquet, OpenSim .trc or .mot, C3D or COCO."""
        if kind not in get_args(Format):
            raise BadParameterError(
                f"there is no export {kind[:50]!r}; there are {', '.join(get_args(Format))}",
                field="kind",
            )
        asked: ExportQuery = parse_options(
            ExportQuery, {**dict(request.query_params), "format": kind}
        )
        record = await jobs.finished(job_id, caller_of(request).id)
        limit = exporter.service.settings.max_result_bytes
        refuse_larger(record, limit, f"{limit} can be exported")
        return exporter.response(asked, lambda: jobs.read_result(record, read_bytes))


def refuse_larger(record: JobRecord, limit: int, allowed: str) -> None:
    """Refuse a result that is too large to be read as a whole.

    Args:
        limit: bytes of JSON. allowed: the limit in words.

    Raises:
        TooLargeError: it has more.
    """
    if (record.result_bytes or 0) > limit:
        raise TooLargeError(
            f"the result has {record.result_bytes} bytes, {allowed}",
            quantity="bytes",
            value=record.result_bytes,
            limit=limit,
        )
