"""A video in the body of a request: multipart form data, spooled to disk as it comes."""

import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from fastapi import Request
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from deployments.errors import BadParameterError, TooLargeError
from serve_app.schemas import PoseOptions

# The fields beside the file, boundaries and headers.
_FORM_OVERHEAD = 64 * 1024
_JSON_BYTES = 64 * 1024


async def save_upload(request: Request, folder: Path, max_bytes: int) -> tuple[Path, PoseOptions]:
    """The uploaded file under a name of our own, and the form's other fields.

    The form has one file, ``file``, and any of the fields of :class:`PoseOptions`.

    Raises:
        TooLargeError: more than ``max_bytes``; found out while it comes.
        BadParameterError: no file, an unknown field or a wrong value.
    """
    parser = MultiPartParser(
        request.headers, _limited(request, max_bytes + _FORM_OVERHEAD), max_files=1, max_fields=16
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        reason = error.message if isinstance(error, MultiPartException) else f"no {error}"
        raise BadParameterError(f"the form cannot be read: {reason}") from error
    try:
        upload = form.get("file")
        if not isinstance(upload, UploadFile):
            raise BadParameterError("the form has no file named 'file'", field="file")
        fields = {name: value for name, value in form.items() if name != "file"}
        options = parse_options(PoseOptions, fields)
        path = folder / "upload"
        await run_in_threadpool(_copy, upload, path)
    finally:
        await form.close()
    return path, options


async def read_json(request: Request, limit: int = _JSON_BYTES) -> bytes:
    """A body of at most ``limit`` bytes.

    Raises:
        TooLargeError: it is larger; found out while it comes.
    """
    return b"".join([chunk async for chunk in _limited(request, limit)])


def parse_options(kind: type[Any], values: Any) -> Any:
    """A request model of ``values``.

    Raises:
        BadParameterError: names the fields that are wrong.
    """
    try:
        return kind.model_validate_json(values) if isinstance(values, bytes) else kind(**values)
    except ValidationError as error:
        wrong = [
            {"field": ".".join(map(str, item["loc"])) or "body", "message": item["msg"]}
            for item in error.errors()
        ]
        raise BadParameterError(
            "; ".join(f"{item['field']}: {item['message']}" for item in wrong), errors=wrong
        ) from error


async def _limited(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    declared = request.headers.get("content-length", "")
    _check(int(declared) if declared.isdigit() else 0, limit)
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        _check(received, limit)
        yield chunk


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise TooLargeError(
            f"the body is larger than {limit} bytes", quantity="bytes", value=size, limit=limit
        )


def _copy(upload: UploadFile, path: Path) -> None:
    with path.open("xb") as file:
        path.chmod(0o600)
        shutil.copyfileobj(upload.file, file, 1024 * 1024)
