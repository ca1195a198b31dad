"""Serve `/uploads`: uploads in parts by tus 1.0, which resume where they broke off."""

import base64
import binascii
import re
from collections.abc import Callable, Coroutine
from email.utils import formatdate
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from deployments.errors import (
    BadParameterError,
    BodyTimeoutError,
    OverloadedError,
    PartTypeError,
    ServiceError,
    StorageError,
    TooLargeError,
    UploadError,
    UploadVersionError,
)
from serve_app.http.openapi import problems_of
from serve_app.http.problems import problem_answer
from serve_app.http.reception import Reception
from serve_app.http.requests import caller_of
from serve_app.service import PoseService
from serve_app.upload_part import CHECKSUMS, PART_BYTES, Checksum, Upload

VERSION: Final = "1.0.0"
PART_TYPE: Final = "application/offset+octet-stream"

_EXTENSIONS = "creation,expiration,termination,checksum"
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_LONGEST_LABEL = 1024
_LABEL = re.compile(r"[!-+\--~]+( [A-Za-z0-9+/=]*)?(,[!-+\--~]+( [A-Za-z0-9+/=]*)?)*")
_VERSION_PARAMETER = {
    "name": "Tus-Resumable",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "enum": [VERSION]},
}
_OF_ANY = (BadParameterError, UploadError)
_BEGUN = {
    "schema": {
        "type": "object",
        "required": ["upload_id"],
        "properties": {"upload_id": {"type": "string"}},
    }
}
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class _TusRoute(APIRoute):
    """Check the protocol's version, and name it in every answer, errors too."""

    def get_route_handler(self) -> _Handler:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                if request.method != "OPTIONS":
                    _require_version(request)
                response = await handle(request)
            except ServiceError as error:
                response = problem_answer(error, request.state.request_id)
                if isinstance(error, UploadVersionError):
                    response.headers["Tus-Version"] = VERSION
            response.headers["Tus-Resumable"] = VERSION
            response.headers["Cache-Control"] = "no-store"
            return response

        return answer


def add_uploads(app: FastAPI, service: PoseService, reception: Reception) -> None:
    """Add the routes to ``app``."""
    router = APIRouter(route_class=_TusRoute, tags=["uploads"])
    uploads = service.uploads

    @router.options(
        "/uploads",
        status_code=204,
        responses=problems_of(),
        summary="The protocol's version and limits",
    )
    @router.options("/uploads/{upload_id}", status_code=204, include_in_schema=False)
    async def options() -> Response:
        """Return `Tus-Version`, `-Extension`, `-Max-Size` and `-Checksum-Algorithm`."""
        headers = {
            "Tus-Version": VERSION,
            "Tus-Extension": _EXTENSIONS,
            "Tus-Max-Size": str(uploads.max_bytes),
            "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
        }
        return Response(status_code=204, headers=headers)

    @router.post(
        "/uploads",
        status_code=201,
        responses=problems_of(*_OF_ANY, TooLargeError, OverloadedError, StorageError)
        | {201: {"description": "Begun.", "content": {"application/json": _BEGUN}}},
        summary="Begin an upload in parts",
        openapi_extra=_headers_in("Upload-Length", "Upload-Metadata"),
    )
    async def create(request: Request) -> Response:
        """Return its `Location`, which ends with the `upload_id` of other requests."""
        service.access.daily.refuse_if_spent(caller_of(request))
        service.refuse_if_ending()
        length, label = _number_in(request, "upload-length"), _label_in(request)
        if length < 1:
            raise BadParameterError("the upload has no bytes", field="upload-length")
        made = await uploads.create(caller_of(request), length, label)
        path = request.url_for("begun_upload", upload_id=made.id).path
        return JSONResponse({"upload_id": made.id}, 201, _state(made) | {"Location": path})

    @router.head("/uploads/{upload_id}", include_in_schema=False)
    @router.get(
        "/uploads/{upload_id}",
        name="begun_upload",
        responses=problems_of(*_OF_ANY, StorageError),
        summary="How much of an upload is here",
        openapi_extra=_headers_in(),
    )
    async def offset(upload_id: str, request: Request) -> Response:
        """Return `Upload-Offset`, where the next part begins; HEAD has the same headers."""
        found = await uploads.find(upload_id, caller_of(request))
        headers = _state(found) | {"Upload-Length": str(found.length)}
        if found.label:
            headers["Upload-Metadata"] = found.label
        return JSONResponse({"offset": found.offset, "length": found.length}, headers=headers)

    @router.patch(
        "/uploads/{upload_id}",
        status_code=204,
        responses=problems_of(*_OF_ANY, BodyTimeoutError, TooLargeError, StorageError),
        summary="Send the next part",
        openapi_extra=_headers_in("Upload-Offset", "Upload-Checksum")
        | {"requestBody": {"required": True, "content": {PART_TYPE: {"schema": {}}}}},
    )
    async def part(upload_id: str, request: Request) -> Response:
        """Append a part of at most 8 MiB; what arrived of a part that breaks off is kept."""
        if request.headers.get("content-type", "").strip().lower() != PART_TYPE:
            raise PartTypeError(f"the content type is not {PART_TYPE}")
        begin, checksum = _number_in(request, "upload-offset"), _checksum_in(request)
        caller = caller_of(request)
        async with service.deadline():
            with uploads.part(upload_id, caller, begin, checksum) as coming:
                try:
                    with reception.body(request, coming.room) as pieces:
                        async for piece in pieces:
                            await coming.write(piece)
                except TooLargeError as error:
                    error.hint = f"Send parts of at most {PART_BYTES} bytes, within Upload-Length."
                    raise
                await coming.end()
            return Response(status_code=204, headers=_state(await uploads.find(upload_id, caller)))

    @router.delete(
        "/uploads/{upload_id}",
        status_code=204,
        responses=problems_of(*_OF_ANY, StorageError),
        summary="Delete an upload",
        openapi_extra=_headers_in(),
    )
    async def remove(upload_id: str, request: Request) -> Response:
        """Delete what is here, whole or not."""
        await uploads.remove(upload_id, caller_of(request))
        return Response(status_code=204)

    app.router.routes.extend(router.routes)  # flat: whoever lists them sees each path


def _require_version(request: Request) -> None:
    version = request.headers.get("tus-resumable", "")
    if version != VERSION:
        raise UploadVersionError(f"Tus-Resumable is {version[:20]!r}, expected {VERSION}")


def _state(upload: Upload) -> dict[str, str]:
    return {
        "Upload-Offset": str(upload.offset),
        "Upload-Expires": formatdate(upload.expires_at, usegmt=True),
    }


def _headers_in(*names: str) -> dict[str, Any]:
    """Describe the headers of a request; metadata and a checksum may be left out."""
    headers = [
        {
            "name": name,
            "in": "header",
            "required": name in ("Upload-Length", "Upload-Offset"),
            "schema": {"type": "string"},
        }
        for name in names
    ]
    return {"parameters": [_VERSION_PARAMETER, *headers]}


def _number_in(request: Request, header: str) -> int:
    text = request.headers.get(header, "")
    if not _NUMBER.fullmatch(text):
        raise BadParameterError(
            f"the header {header} is {text[:20]!r}, expected a number of bytes", field=header
        )
    return int(text)


def _label_in(request: Request) -> str:
    label = request.headers.get("upload-metadata", "")
    if label and (len(label) > _LONGEST_LABEL or not _LABEL.fullmatch(label)):
        raise BadParameterError(
            "the header upload-metadata is malformed, expected names with values in base64, "
            f"{_LONGEST_LABEL} characters at most",
            field="upload-metadata",
        )
    return label


def _checksum_in(request: Request) -> Checksum | None:
    text = request.headers.get("upload-checksum")
    if text is None:
        return None
    algorithm, _, digest = text.partition(" ")
    try:
        if algorithm in CHECKSUMS:
            return Checksum(algorithm, base64.b64decode(digest, validate=True))
    except (binascii.Error, ValueError):
        pass
    raise BadParameterError(
        f"the header upload-checksum is malformed, expected one of {', '.join(CHECKSUMS)}, "
        "a blank and the digest in base64",
        field="upload-checksum",
    )
