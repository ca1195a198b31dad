"""Responses that starlette has not: files by conditional ranges, and answers made while sent."""

import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from fastapi import Request, Response
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from serve_app.http.conditional import unless_known

_RANGE: Final = re.compile(r"(\d{0,18})-(\d{0,18})", re.ASCII)
_MOST_RANGES: Final = 16


class DeferredResponse(Response):
    """Run an answer while it is sent; errors before its first byte become problem documents."""

    def __init__(self, answer: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        super().__init__()
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await self._answer(scope, receive, send)


def file_response(request: Request, path: Path, media_type: str) -> Response:
    """Return a file with byte ranges, or 304 where the caller has it; for its owner's caches.

    Raises:
        HTTPException: 400, 416: the range is malformed, or begins behind the end.
    """
    stat, headers = path.stat(), {"Cache-Control": "private"}
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
