"""The part of S3's interface that this project uses, on loopback and in memory.

Point the setting ``s3_endpoint`` at its ``url``; requests must be signed by ``KEY_ID``.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.store_emulator import StoreEmulator

KEY_ID, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI"

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": KEY_ID,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_REGION": "eu-central-1",
}
"""Environment of an operator with credentials for it."""


@dataclass
class StoredObject:
    """One object; ``size`` and ``served`` may contradict ``content``, to play a broken service."""

    content: bytes
    headers: dict[str, str] = field(default_factory=dict)
    size: int | None = None
    served: bytes | None = None

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.content).hexdigest()}"'


class S3Emulator(StoreEmulator):
    """Answers while the ``with`` block lasts.

    Attributes:
        objects: by (bucket, key).
        requests: what came, as ``GET``, ``HEAD``, ``PUT``, ``PUT part``, ``POST begin``,
            ``POST complete``, ``DELETE`` or ``DELETE abort``, in order, those answered
            with a fault too.
        faults: ("GET", status) and so on, each for one request and in order. Status 0 does what was
            asked and then breaks the connection instead of answering; -1 breaks it half way
            through the body, -2 stops half way through until the block ends.
        after: called at the first ``GET`` or ``HEAD``, once its answer is decided.
        parts: bodies of the multipart uploads that are not complete, by upload id.
    """

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.objects: dict[tuple[str, str], StoredObject] = {}
        self.after: dict[str, Callable[[], None]] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.headers_of: dict[str, dict[str, str]] = {}
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # broken off


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def emulator(self) -> S3Emulator:
        return self.server.emulator  # type: ignore[attr-defined, no-any-return]

    def log_message(self, *_args: object) -> None:
        """Quiet."""

    def _begin(self, kind: str) -> tuple[tuple[str, str], dict[str, list[str]], bytes] | None:
        """The object's name, the query and the body; None once a fault is answered."""
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        query = parse_qs(parts.query, keep_blank_values=True)
        self._fault = self.emulator.fault(kind)
        if self._fault is not None and self._fault > 0:
            self._error(self._fault, "AsTheTestWants")
        elif f"Credential={KEY_ID}/" not in self.headers.get("Authorization", "") and not query.get(
            "X-Amz-Credential", [""]
        )[0].startswith(f"{KEY_ID}/"):
            self._error(403, "InvalidAccessKeyId")
        else:
            return (bucket, key), query, body
        return None

    def do_GET(self) -> None:
        self._object(self.command)

    def do_HEAD(self) -> None:
        self._object(self.command)

    def _object(self, kind: str) -> None:
        begun = self._begin(kind)
        if begun is None:
            return
        found = self.emulator.objects.get(begun[0])
        self.emulator.after.pop(kind, lambda: None)()
        if found is None:
            self._error(404, "NoSuchKey")
            return
        if self.headers.get("If-Match", found.etag) != found.etag:
            self._error(412, "PreconditionFailed")
            return
        content = found.content if found.served is None else found.served
        size = len(content) if found.size is None else found.size
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(match[1]) if match else 0
        self.send_response(206 if match else 200)
        self.send_header("Content-Length", str(size - start))
        self.send_header("Last-Modified", "Mon, 02 Nov 2026 10:00:00 GMT")
        self.send_header("ETag", found.etag)
        if match:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        for name, value in found.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if kind == "HEAD":
            return
        rest = content[start:]
        self.wfile.write(rest[: len(rest) // 2] if self._fault else rest)
        if self._fault == -2:
            self.wfile.flush()
            self.emulator.ended.wait(60)
        if self._fault or size != len(content):
            self.close_connection = True

    def do_PUT(self) -> None:
        part = "partNumber" in self.path
        begun = self._begin("PUT part" if part else "PUT")
        if begun is None:
            return
        name, query, body = begun
        if part:
            number = int(query["partNumber"][0])
            self.emulator.parts[query["uploadId"][0]][number] = body
        elif self.headers.get("If-None-Match") == "*" and name in self.emulator.objects:
            self._error(412, "PreconditionFailed")
            return
        else:
            self.emulator.objects[name] = StoredObject(body, self._kept_headers())
        self._answer(200, b"", etag=f'"{hashlib.md5(body).hexdigest()}"')

    def _kept_headers(self) -> dict[str, str]:
        return {
            name: value
            for name, value in self.headers.items()
            if name.lower().startswith("x-amz-meta-") or name.lower() == "content-type"
        }

    def do_POST(self) -> None:
        begins = "uploads" in parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        begun = self._begin("POST begin" if begins else "POST complete")
        if begun is None:
            return
        name, query, body = begun
        if begins:
            upload_id = str(len(self.emulator.parts))
            self.emulator.parts[upload_id] = {}
            self.emulator.headers_of[upload_id] = self._kept_headers()
            text = f"<Bucket>{name[0]}</Bucket><Key>{name[1]}</Key><UploadId>{upload_id}</UploadId>"
            self._answer(200, _xml("InitiateMultipartUploadResult", text))
            return
        upload_id = query["uploadId"][0]
        parts = self.emulator.parts.pop(upload_id)
        numbers = [int(number) for number in re.findall(rb"<PartNumber>(\d+)<", body)]
        content = b"".join(parts[number] for number in numbers)
        stored = StoredObject(content, self.emulator.headers_of.pop(upload_id))
        self.emulator.objects[name] = stored
        self._answer(
            200,
            _xml("CompleteMultipartUploadResult", f"<ETag>{stored.etag}</ETag>"),
        )

    def do_DELETE(self) -> None:
        begun = self._begin("DELETE abort" if "uploadId=" in self.path else "DELETE")
        if begun is None:
            return
        name, query, _ = begun
        if "uploadId" in query:
            self.emulator.parts.pop(query["uploadId"][0], None)
        else:
            self.emulator.objects.pop(name, None)
        self._answer(204, b"")

    def _error(self, status: int, code: str) -> None:
        body = _xml("Error", f"<Code>{code}</Code><Message>{code}</Message>")
        self._answer(status, b"" if self.command == "HEAD" else body)

    def _answer(self, status: int, body: bytes, etag: str | None = None) -> None:
        if self._fault == 0:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        if etag is not None:
            self.send_header("ETag", etag)
        self.end_headers()
        self.wfile.write(body)


def _xml(root: str, text: str) -> bytes:
    return f'<?xml version="1.0"?><{root}>{text}</{root}>'.encode()
