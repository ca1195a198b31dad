"""Receive a video in the body of a request: multipart form data, spooled to disk as it comes."""

import re
import shutil
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from deployments.errors import BadParameterError, TooLargeError, keeping
from serve_app.http.decompression import ENCODINGS, decompressed
from serve_app.http.reception import Reception
from serve_app.results.response_schema import PoseOptions
from serve_app.results.supplied import SUPPLIED
from serve_app.results.validation import LONGEST_NAME, parse_options, values_in

Options = TypeVar("Options", bound=PoseOptions)

FORM, JSON = "multipart/form-data", "application/json"

# The short fields, boundaries and headers.
_FORM_OVERHEAD = 64 * 1024
_FIELD_BYTES = 8 * 1024
_JSON_BYTES = 64 * 1024
_FILE = "file"
_BINARY = {"type": "string", "format": "binary"}
_LONGEST_TYPE = 400
_MOST_FIELDS = 16
_CHARSET = re.compile(r';\s*(charset[^=;]*)=\s*"?([^";\s]*)', re.IGNORECASE)
_ENCODING = "content-encoding"
_NOT_TEXT = {
    b"\x1f\x8b": (
        "is compressed with gzip",
        "Send it uncompressed; JSON also with Content-Encoding: gzip.",
    ),
    b"\xef\xbb\xbf": (
        "begins with a byte order mark",
        "Send UTF-8 without one: in Python the encoding utf-8, not utf-8-sig.",
    ),
    b"\xff\xfe": ("is in UTF-16", "Send it in UTF-8."),
    b"\xfe\xff": ("is in UTF-16", "Send it in UTF-8."),
}
"""First bytes of a body that cannot be read: what it is, and the remedy."""

_LONGEST_MARK = max(map(len, _NOT_TEXT))
_AS_TEXT = "With curl, write -F 'file=@run.mp4': with '<' it sends the file as text."
_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,./:=? -]{1,70}")  # RFC 2046


def body_described(of_json: type[BaseModel], of_form: type[PoseOptions]) -> dict[str, Any]:
    """Describe for OpenAPI a body that is JSON, or a form with the video as ``file``."""
    form = of_form.model_json_schema()
    form["properties"][_FILE] = _BINARY
    for name in SUPPLIED:
        form["properties"][name]["anyOf"].insert(0, _BINARY)
    form["required"] = [_FILE]
    content = {JSON: {"schema": of_json.model_json_schema()}, FORM: {"schema": form}}
    return {"required": True, "content": content}


def content_type(request: Request, *kinds: str) -> str:
    """Return the media type of the body, which is one of ``kinds``, its text in UTF-8.

    Python knows encodings whose decoders take minutes for a megabyte: no name of a caller's choice
    reaches them.

    Raises:
        BadParameterError: it is another type, or another charset, or compressed.
    """
    header = request.headers.get("content-type", "")
    kind = header.partition(";")[0].strip().lower()
    if kind not in kinds:
        raise BadParameterError(
            f"the content type {kind[:50] or '(none)'} is not {' or '.join(kinds)}"
        )
    encoding, allowed = _encoding_of(request), ENCODINGS if kind == JSON else ()
    if encoding and encoding not in allowed:
        with_one = f", or JSON with {' or '.join(ENCODINGS)}"
        raise BadParameterError(
            f"the body has the content encoding {encoding[:20]!r}",
            hint=f"Send the body as it is, without Content-Encoding{with_one}.",
            field=_ENCODING,
        )
    if len(header) > _LONGEST_TYPE:
        raise BadParameterError(f"the content type is longer than {_LONGEST_TYPE} characters")
    for name, value in _CHARSET.findall(header):
        if name.strip().lower() != "charset" or value.lower() not in ("utf-8", "utf8"):
            raise BadParameterError(f"the charset {value[:20]!r} is not utf-8", field="charset")
    return kind


def _encoding_of(request: Request) -> str:
    encoding = request.headers.get(_ENCODING, "").strip().lower()
    return "" if encoding == "identity" else encoding


async def read_body(request: Request, reception: Reception, kind: type[Options]) -> Options:
    """Read a request of ``kind`` from a body of JSON.

    Raises:
        TooLargeError: more than some kB; with a result in it, more than a result may have.
        BodyTimeoutError, OverloadedError: see :meth:`Reception.body`.
        BadParameterError: it is no JSON, or names the fields that are wrong.
    """
    limit = _JSON_BYTES + reception.max_result_bytes
    with reception.body(request, limit) as pieces:
        body = await _whole(request, pieces, reception, limit)
        return await reception.parsed(lambda text: _request_in(text, kind), body, size=len(body))


def _request_in(body: bytes, kind: type[Options]) -> Options:
    values = values_in(body)
    if len(body) > _JSON_BYTES and not (isinstance(values, dict) and values.keys() & {*SUPPLIED}):
        raise _too_large("the body", len(body), _JSON_BYTES)
    asked: Options = parse_options(kind, values)
    return asked


async def save_upload(
    request: Request, folder: Path, max_bytes: int, reception: Reception, kind: type[Options]
) -> tuple[Path, Options]:
    """Save the uploaded file under a name of our own; return it and the form's other fields.

    The form has one file, ``file``, and any of the fields of ``kind``; those that are results or
    norms may be files too.

    Raises:
        TooLargeError: a part is larger than it may be; found out while it comes.
        BodyTimeoutError, OverloadedError: see :meth:`Reception.body`.
        WorkingFilesError: it cannot be kept.
        BadParameterError: no file, an unknown field, one of more than some kB, or a wrong value.
    """
    limits = {_FILE: max_bytes, **dict.fromkeys(SUPPLIED, reception.max_result_bytes)}
    most = max_bytes + reception.max_result_bytes + _FORM_OVERHEAD
    with reception.body(request, most) as pieces:
        parser = _FormParser(_boundary_alone(request), _readable(pieces), limits)
        try:
            with keeping("the upload"):
                form = await parser.parse()
        except MultiPartException as error:
            is_long = error.message.startswith("Part exceeded")
            raise BadParameterError(
                f"the form cannot be read: {error.message}", hint=_AS_TEXT if is_long else None
            ) from error
        try:
            upload = form.get(_FILE)
            if isinstance(upload, str):
                raise BadParameterError(
                    "the form's 'file' came as text, without a file name",
                    hint=_AS_TEXT,
                    field=_FILE,
                )
            if not isinstance(upload, UploadFile):
                raise BadParameterError("the form has no file named 'file'", field=_FILE)
            fields = {name: value for name, value in form.items() if name != _FILE}
            options = await reception.parsed(
                lambda parts: _options_in(parts, kind), fields, size=parser.supplied_bytes
            )
            path = folder / "upload"
            with keeping("the upload"):
                await run_in_threadpool(_copy, upload, path)
        finally:
            await form.close()
    return path, options


class _FormParser(MultiPartParser):
    """A parser of forms whose parts have names and sizes of their own.

    Args:
        limits: bytes of a part by name, of those that may be files; of the three that a request
            supplies, together. Others have some kB.

    Raises:
        BadParameterError: two parts have one name. TooLargeError: a part is too large.
    """

    def __init__(
        self, headers: Headers, pieces: AsyncGenerator[bytes, None], limits: Mapping[str, int]
    ) -> None:
        super().__init__(
            headers,
            pieces,
            max_files=len(limits),
            max_fields=_MOST_FIELDS,
            max_part_size=_FIELD_BYTES,
        )
        self._limits = limits
        self._sizes: dict[str, int] = {}

    @property
    def supplied_bytes(self) -> int:
        """Return the bytes so far of results and norms."""
        return sum(self._sizes.get(name, 0) for name in SUPPLIED)

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        name = self._current_part.field_name
        if name in self._sizes:
            raise BadParameterError(
                f"the form has several parts {name[:LONGEST_NAME]!r}", field=name[:LONGEST_NAME]
            )
        self._sizes[name] = 0
        self.max_part_size = self._limits[name] if name in SUPPLIED else _FIELD_BYTES
        if self._current_part.file is not None and name not in self._limits:
            raise BadParameterError(
                f"the part {name[:LONGEST_NAME]!r} must not be a file; the files of a form are "
                f"{', '.join(self._limits)}",
                field=name[:LONGEST_NAME],
            )

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        name = self._current_part.field_name
        self._sizes[name] += end - start
        together = name in SUPPLIED
        size = self.supplied_bytes if together else self._sizes[name]
        if size > self._limits.get(name, size):
            what = f"what {', '.join(SUPPLIED)} hold together" if together else f"the part {name!r}"
            raise _too_large(what, size, self._limits[name])
        super().on_part_data(data, start, end)


def _options_in(fields: Mapping[str, Any], kind: type[Options]) -> Options:
    """Parse the options in the parts of a form, of which some may be files."""
    values = {
        name: part.file.read() if isinstance(part, UploadFile) else part
        for name, part in fields.items()
    }
    options: Options = parse_options(kind, values)
    return options


def _too_large(what: str, size: int, limit: int) -> TooLargeError:
    return TooLargeError(
        f"{what} is larger than {limit} bytes", quantity="bytes", value=size, limit=limit
    )


def _boundary_alone(request: Request) -> Headers:
    """Return the content type with its boundary and nothing else.

    Raises:
        BadParameterError: it has none, or one that RFC 2046 does not allow.
    """
    _, parameters = parse_options_header(request.headers["content-type"])
    boundary = parameters.get(b"boundary", b"")
    if not _BOUNDARY.fullmatch(boundary):
        raise BadParameterError("the form cannot be read: it has no valid boundary")
    return Headers(raw=[(b"content-type", FORM.encode() + b'; boundary="' + boundary + b'"')])


async def read_json(request: Request, reception: Reception, limit: int) -> bytes:
    """Read a JSON body of at most ``limit`` bytes.

    Raises:
        TooLargeError: it is larger; found out while it comes.
        BodyTimeoutError, OverloadedError: see :meth:`Reception.body`.
        BadParameterError: it is compressed in another way than it says, or begins with a byte
            order mark.
    """
    with reception.body(request, limit) as pieces:
        return await _whole(request, pieces, reception, limit)


async def _whole(
    request: Request, pieces: AsyncGenerator[bytes, None], reception: Reception, limit: int
) -> bytes:
    """Join the pieces of a body, and decompress it as its Content-Encoding says."""
    encoding = _encoding_of(request)
    if not encoding:
        return b"".join([piece async for piece in _readable(pieces)])
    packed = b"".join([piece async for piece in pieces])
    # The size is the most that it may become, so that a thread does it.
    body = await reception.parsed(
        lambda text: decompressed(text, encoding, limit), packed, size=limit
    )
    _refuse_marked(body)
    return body


async def _readable(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Pass on the pieces of a body.

    Raises:
        BadParameterError: its first bytes are of something that cannot be read; says of what.
    """
    head = b""
    async for piece in pieces:
        if len(head) < _LONGEST_MARK:
            head += piece[:_LONGEST_MARK]
            _refuse_marked(head)
        yield piece


def _refuse_marked(head: bytes) -> None:
    for mark, (what, remedy) in _NOT_TEXT.items():
        if head.startswith(mark):
            raise BadParameterError(f"the body {what}", hint=remedy)


def _copy(upload: UploadFile, path: Path) -> None:
    with path.open("xb") as file:
        path.chmod(0o600)
        shutil.copyfileobj(upload.file, file, 1024 * 1024)
