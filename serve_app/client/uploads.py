"""Send a file: as a form, or in parts that resume where the connection broke."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import httpx

from deployments.errors import BadParameterError, ServiceError, UploadOffsetError
from serve_app.client.steps import Flow, Pause, Send, Work, retried, wait_s
from serve_app.upload_part import PART_BYTES

IN_PARTS_FROM: Final = 64 * 1024**2
"""Size from which a client sends a file in parts: Serve's proxy holds any other body in memory."""

TUS: Final = {"Tus-Resumable": "1.0.0"}
UploadProgress = Callable[[int, int], None]
"""Called with the bytes that have arrived, and those of the file."""

_TRIES = 6


def is_address(source: str | Path) -> bool:
    """Return whether a source is an address rather than a file."""
    return isinstance(source, str) and "://" in source


def send_video(
    path: str,
    source: str | Path,
    options: Mapping[str, Any],
    retries: int,
    *,
    is_streamed: bool = False,
    **keywords: Any,
) -> Flow[httpx.Response]:
    """Post a video and options to ``path``, and return the answer.

    Raises:
        FileNotFoundError: no such file.
    """

    def post(**body: Any) -> Send:
        return Send("POST", path, {**keywords, **body}, is_streamed=is_streamed)

    if is_address(source):
        return (yield from retried(post(json={**options, "video_url": source}), retries))
    file = Path(source)
    if file.stat().st_size > IN_PARTS_FROM:
        upload_id = yield from upload(file, None, retries)
        request = post(json={**options, "upload_id": upload_id})
        try:
            return (yield from retried(request, retries))
        except ServiceError:
            yield from forget([upload_id])
            raise
    form = {name: _form_value(value) for name, value in options.items() if value is not None}
    with file.open("rb") as opened:
        return (yield from retried(post(files={"file": opened}, data=form), retries))


def forget(upload_ids: list[str]) -> Flow[None]:
    """Delete uploads that nobody else knows; those that cannot be deleted expire."""
    for upload_id in upload_ids:
        with suppress(ServiceError):
            yield Send("DELETE", f"/uploads/{upload_id}", {"headers": TUS})


def upload(path: Path, progress: UploadProgress | None, retries: int) -> Flow[str]:
    """Upload the file ``path``, and return the id of the upload.

    Args:
        path: of the file.
        progress: called after each part.
        retries: how often the first request is made again.

    Raises:
        ServiceError: it is not retryable, or nothing more arrived in several tries.
    """
    with path.open("rb") as file:
        length = path.stat().st_size
        begin = Send("POST", "/uploads", {"headers": TUS | {"Upload-Length": str(length)}})
        upload_id: str = (yield from retried(begin, retries)).json()["upload_id"]
        offset, failures = 0, 0
        while offset < length:
            try:
                if failures:
                    offset = _arrived(
                        (yield Send("HEAD", f"/uploads/{upload_id}", {"headers": TUS}))
                    )
                if offset < length:
                    offset = yield from _send_part(upload_id, file, offset)
            except ServiceError as error:
                failures += 1
                resumable = error.retryable or isinstance(error, UploadOffsetError)
                if not resumable or failures == _TRIES:
                    raise
                yield Pause(wait_s(error, failures - 1))
            else:
                failures = 0
                if progress is not None:
                    progress(offset, length)
    return upload_id


def _send_part(upload_id: str, file: IO[bytes], offset: int) -> Flow[int]:
    part, checksum = yield Work(partial(_read_part, file, offset))
    if not part:
        raise BadParameterError("the file became shorter while it was uploaded")
    headers = {
        "Content-Type": "application/offset+octet-stream",
        "Upload-Offset": str(offset),
        "Upload-Checksum": f"sha256 {checksum}",
    }
    keywords = {"headers": TUS | headers, "content": part}
    return _arrived((yield Send("PATCH", f"/uploads/{upload_id}", keywords)))


def _read_part(file: IO[bytes], offset: int) -> tuple[bytes, str]:
    file.seek(offset)
    part = file.read(PART_BYTES)
    return part, base64.b64encode(hashlib.sha256(part).digest()).decode()


def _arrived(answer: httpx.Response) -> int:
    return int(answer.headers["Upload-Offset"])


def _form_value(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool | dict | list) else str(value)
