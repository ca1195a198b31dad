"""Errors as RFC 9457 problem documents."""

import math
from typing import Any

from deployments.errors import ServiceError

CONTENT_TYPE = "application/problem+json"


def problem(error: ServiceError, request_id: str | None) -> tuple[dict[str, Any], dict[str, str]]:
    """Body and extra headers of the answer to ``error``."""
    body = {
        **error.facts,
        "type": f"/errors/{error.code}",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
        "hint": error.hint,
        "retryable": error.retryable,
        "instance": request_id,
    }
    headers = (
        {"Retry-After": str(math.ceil(error.retry_after_s))}
        if error.retry_after_s is not None
        else {}
    )
    return body, headers
