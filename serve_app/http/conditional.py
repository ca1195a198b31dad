"""Answer conditional requests: 304 to a caller that has the answer already."""

import hashlib
from email.utils import parsedate_to_datetime
from typing import Final

from fastapi import Request, Response

_KEPT: Final = ("etag", "last-modified", "cache-control", "vary", "content-location", "expires")
"""Headers of a 304, which are those of the 200."""


def tag_of(content: bytes) -> str:
    """Return the entity tag of an answer with this content."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def unless_known(request: Request, answer: Response) -> Response:
    """Return ``answer``, or 304 without a body where the caller's copy is the same.

    Args:
        request: of GET or HEAD.
        answer: with ``ETag``, and ``Last-Modified`` if it has one.
    """
    tag = answer.headers.get("etag")
    known = request.headers.getlist("if-none-match")
    if known:
        tags = {one.strip().removeprefix("W/") for one in ",".join(known).split(",")}
        same = "*" in tags or (tag is not None and tag.removeprefix("W/") in tags)
    else:
        same = _unmodified(request.headers.get("if-modified-since"), answer)
    if not same:
        return answer
    kept = {name: answer.headers[name] for name in _KEPT if name in answer.headers}
    return Response(status_code=304, headers=kept)


def _unmodified(since: str | None, answer: Response) -> bool:
    modified = answer.headers.get("last-modified")
    if since is None or modified is None:
        return False
    try:
        return parsedate_to_datetime(modified) <= parsedate_to_datetime(since)
    except (ValueError, TypeError):  # no date, or one without a zone
        return False
