"""Write errors as RFC 9457 problem documents."""

import math
import re
from typing import Any

from starlette.responses import JSONResponse

from deployments.errors import BodyTimeoutError, ServiceError, UnauthorizedError

CONTENT_TYPE = "application/problem+json"

_PATH = re.compile(r"(?:(?<![\w/.-])|(?<=file://))/[\w.@-]+/[^\s'\"`,;:()]*")


def problem(error: ServiceError, request_id: str | None) -> tuple[dict[str, Any], dict[str, str]]:
    """Return body and extra headers of the answer to ``error``."""
    body = {
        **error.problem(),
        "detail": without_paths(error.detail),
        "hint": without_paths(error.hint),
        "instance": request_id,
    }
    headers = (
        {"Retry-After": str(math.ceil(error.retry_after_s))}
        if error.retry_after_s is not None
        else {}
    )
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, BodyTimeoutError):
        headers["Connection"] = "close"  # the rest of the body is not waited for
    return body, headers


def problem_answer(error: ServiceError, request_id: str | None) -> JSONResponse:
    """Return the answer to ``error``."""
    body, headers = problem(error, request_id)
    return JSONResponse(body, error.status, headers=headers, media_type=CONTENT_TYPE)


def without_paths(text: str) -> str:
    """Return ``text`` with the names alone of files: texts of libraries have whole paths.

    No path is looked for: it may be of another machine of the cluster, or a caller's guess.
    """
    return _PATH.sub(lambda path: path[0].rstrip("/").rpartition("/")[2], text)
