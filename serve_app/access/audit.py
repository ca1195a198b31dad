"""Log who used what: one line of JSON for each access, without secrets."""

import json
import logging
from datetime import UTC, datetime
from typing import Final

from serve_app.access.caller import Caller

logger: Final = logging.getLogger("mmpose_service.audit")


def record(
    *,
    caller: Caller | None,
    method: str,
    route: str | None,
    status: int | None,
    sent_bytes: int,
    request_id: str,
    duration_s: float,
    by_link: bool,
) -> None:
    """Log an access.

    Args:
        caller: None where the request was refused before it was known.
        route: template of the path, such as ``/videos/{owner}/{key}``; None where none matched.
        status: None where the caller left before an answer. sent_bytes: of the body.
        by_link: whether a signed link opened it instead of a key.
    """
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "caller": None if caller is None else caller.id,
        "by_link": by_link,
        "method": method,
        "route": route,
        "status": status,
        "bytes": sent_bytes,
        "request_id": request_id,
        "duration_ms": round(duration_s * 1000, 1),
    }
    logger.info("%s", json.dumps(line))
