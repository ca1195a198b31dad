"""Answer with a file: byte ranges, conditional requests, and problems where they are malformed."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fastapi import Request, Response
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException

from serve_app.http.conditional import unless_known
from serve_app.http.openapi import Responses, header, problems_of

_RANGE: Final = re.compile(r"(\d{0,18})-(\d{0,18})", re.ASCII)
_MOST_RANGES: Final = 16
_PROBLEMS: Final = problems_of(
    also={
        400: "The Range header is malformed",
        416: "The range begins behind the end of the file",
    }
)


def file_answers(*media_types: str) -> Responses:
    """Return ``responses=`` of :func:`file_answer`; 404 is to be added."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in media_types}
    several = {"multipart/byteranges": {"schema": {"type": "string", "format": "binary"}}}
    return {status: _PROBLEMS[status] for status in (400, 416)} | {
        200: {"description": "The file.", "content": content, "headers": header("ETag")},
        206: {"description": "Ranges.", "content": content | several, "headers": header("ETag")},
        304: {"description": "The caller has it already.", "headers": header("ETag")},
    }


def file_answer(
    request: Request, path: Path, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a file, or the part of it that is asked for, or 304 if the caller has it.

    Raises:
        HTTPException: the ranges are malformed, or behind its end.
    """
    stat = path.stat()
    answer = FileResponse(path, media_type=media_type, headers=headers, stat_result=stat)
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
                f"the file has {size} bytes, and the range begins behind them",
                {"Content-Range": f"bytes */{size}"},
            )
