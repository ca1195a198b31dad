"""Send a file in parts, and resume where the connection broke."""

import base64
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

import httpx

from deployments.errors import BadParameterError, ServiceError, UploadOffsetError
from serve_app.upload_part import PART_BYTES

IN_PARTS_FROM: Final = 64 * 1024**2
"""Size from which a client sends a file in parts: Serve's proxy holds any other body in memory."""

TUS: Final = {"Tus-Resumable": "1.0.0"}
UploadProgress = Callable[[int, int], None]
"""Called with the bytes that have arrived, and those of the file."""

_TRIES = 6
_FIRST_WAIT_S = 0.5


def upload_in_parts(
    call: Callable[..., httpx.Response], path: Path, progress: UploadProgress | None
) -> str:
    """Upload the file ``path``, and return the id of the upload.

    Args:
        call: sends a request by method, path and keywords; raises a ServiceError.
        path: of the file.
        progress: called after each part.

    Raises:
        ServiceError: it is not retryable, or nothing more arrived in several tries.
    """
    with path.open("rb") as file:
        length = path.stat().st_size
        begun = call("POST", "/uploads", headers=TUS | {"Upload-Length": str(length)})
        upload_id: str = begun.json()["upload_id"]
        offset, failures = 0, 0
        while offset < length:
            try:
                if failures:
                    offset = _arrived(call("HEAD", f"/uploads/{upload_id}", headers=TUS))
                if offset < length:
                    offset = _send_part(call, upload_id, file, offset)
            except ServiceError as error:
                failures += 1
                resumable = error.retryable or isinstance(error, UploadOffsetError)
                if not resumable or failures == _TRIES:
                    raise
                time.sleep(error.retry_after_s or _FIRST_WAIT_S * 2 ** (failures - 1))
            else:
                failures = 0
                if progress is not None:
                    progress(offset, length)
    return upload_id


def _send_part(
    call: Callable[..., httpx.Response], upload_id: str, file: IO[bytes], offset: int
) -> int:
    file.seek(offset)
    part = file.read(PART_BYTES)
    if not part:
        raise BadParameterError("the file became shorter while it was uploaded")
    headers: dict[str, Any] = {
        "Content-Type": "application/offset+octet-stream",
        "Upload-Offset": str(offset),
        "Upload-Checksum": f"sha256 {base64.b64encode(hashlib.sha256(part).digest()).decode()}",
    }
    return _arrived(call("PATCH", f"/uploads/{upload_id}", headers=TUS | headers, content=part))


def _arrived(answer: httpx.Response) -> int:
    return int(answer.headers["Upload-Offset"])
