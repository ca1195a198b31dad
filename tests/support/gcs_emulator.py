"""The part of Cloud Storage's JSON API that this project uses, on loopback and in memory.

Google's own client talks to it: set ``STORAGE_EMULATOR_HOST`` to its ``url``.
"""

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c

from tests.support.store_emulator import StoreEmulator


def crc32c_base64(content: bytes) -> str:
    return base64.b64encode(google_crc32c.Checksum(content).digest()).decode()


def md5_base64(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()


@dataclass
class StoredObject:
    """One object; ``size`` and ``served`` may contradict ``content``, to play a broken service."""

    content: bytes
    generation: int = 1
    content_type: str = "application/octet-stream"
    content_encoding: str | None = None
    size: int | None = None
    served: bytes | None = None

    def resource(self, bucket: str, name: str) -> dict[str, Any]:
        return {
            "kind": "storage#object",
            "bucket": bucket,
            "name": name,
            "generation": str(self.generation),
            "size": str(len(self.content) if self.size is None else self.size),
            "contentType": self.content_type,
            "contentEncoding": self.content_encoding,
            "md5Hash": md5_base64(self.content),
            "crc32c": crc32c_base64(self.content),
        }


class GcsEmulator(StoreEmulator):
    """Answers while the ``with`` block lasts.

    Attributes:
        objects: by (bucket, name).
        requests: what came, as ``GET metadata``, ``GET media``, ``POST multipart``,
            ``POST resumable``, ``PUT resumable`` or ``DELETE``, in order, those answered with a
            fault too.
        faults: ("GET media", status) and so on, each for one request and in order. Status 0 does
            what was asked and then breaks the connection instead of answering; -1 breaks it half
            way through the body.
    """

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.objects: dict[tuple[str, str], StoredObject] = {}
        self.sessions: dict[str, tuple[str, str, dict[str, list[str]], bytearray]] = {}

    def store(self, bucket: str, name: str, content: bytes, query: dict[str, list[str]]) -> int:
        """Keep a new object; the status says whether its precondition held."""
        present = self.objects.get((bucket, name))
        if query.get("ifGenerationMatch") == ["0"] and present is not None:
            return 412
        generation = 1 if present is None else present.generation + 1
        self.objects[bucket, name] = StoredObject(content, generation)
        return 200


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def emulator(self) -> GcsEmulator:
        return self.server.emulator  # type: ignore[attr-defined, no-any-return]

    def log_message(self, *_args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        match = re.fullmatch(r"(?:/download)?/storage/v1/b/([^/]+)/o/([^/]+)", parts.path)
        if match is None:
            self._json(404, {"error": {"code": 404, "message": "no such thing"}})
            return
        bucket, name = unquote(match[1]), unquote(match[2])
        media = query.get("alt") == ["media"]
        fault = self.emulator.fault("GET media" if media else "GET metadata")
        found = self.emulator.objects.get((bucket, name))
        if fault is not None and fault > 0:
            self._json(fault, {"error": {"code": fault, "message": "as the test wants"}})
        elif found is None:
            self._json(404, {"error": {"code": 404, "message": "No such object"}})
        elif media:
            self._media(found, breaks=fault is not None)
        else:
            self._json(200, found.resource(bucket, name))

    def _media(self, found: StoredObject, *, breaks: bool) -> None:
        content = found.content if found.served is None else found.served
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(match[1]) if match else 0
        self.send_response(206 if match else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if match:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header(
            "X-Goog-Hash",
            f"crc32c={crc32c_base64(found.content)},md5={md5_base64(found.content)}",
        )
        self.send_header("X-Goog-Generation", str(found.generation))
        self.end_headers()
        rest = content[start:]
        self.wfile.write(rest[: len(rest) // 2] if breaks else rest)
        if breaks:
            self.close_connection = True

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = query["uploadType"][0]
        bucket = parts.path.split("/")[-2]
        fault = self.emulator.fault(f"POST {kind}")
        if fault:
            self._json(fault, {"error": {"code": fault, "message": "as the test wants"}})
        elif kind == "multipart":
            boundary = re.search(rb'boundary="?([^";]+)', self.headers["Content-Type"].encode())
            assert boundary is not None
            _, head, data, _ = body.split(b"--" + boundary[1])
            name = json.loads(head.split(b"\r\n\r\n", 1)[1])["name"]
            content = data.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")
            self._stored(bucket, name, content, query, breaks=fault == 0)
        else:
            session = str(len(self.emulator.sessions))
            name = json.loads(body)["name"]
            self.emulator.sessions[session] = (bucket, name, query, bytearray())
            self.send_response(200)
            self.send_header("Location", f"{self.emulator.url}/session/{session}")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def do_DELETE(self) -> None:
        match = re.fullmatch(r"/storage/v1/b/([^/]+)/o/([^/]+)", urlsplit(self.path).path)
        assert match is not None
        fault = self.emulator.fault("DELETE")
        if fault:
            self._json(fault, {"error": {"code": fault, "message": "as the test wants"}})
        elif self.emulator.objects.pop((unquote(match[1]), unquote(match[2])), None) is None:
            self._json(404, {"error": {"code": 404, "message": "No such object"}})
        else:
            self.send_response(204)
            self.end_headers()

    def do_PUT(self) -> None:
        bucket, name, query, received = self.emulator.sessions[self.path.rsplit("/", 1)[1]]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        fault = self.emulator.fault("PUT resumable")
        if fault:
            self._json(fault, {"error": {"code": fault, "message": "as the test wants"}})
            return
        received += body
        total = self.headers["Content-Range"].rpartition("/")[2]
        if total == "*" or len(received) < int(total):
            self.send_response(308)
            self.send_header("Range", f"bytes=0-{len(received) - 1}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._stored(bucket, name, bytes(received), query, breaks=fault == 0)

    def _stored(
        self, bucket: str, name: str, content: bytes, query: dict[str, list[str]], *, breaks: bool
    ) -> None:
        status = self.emulator.store(bucket, name, content, query)
        if breaks:
            self.close_connection = True
        elif status == 200:
            self._json(200, self.emulator.objects[bucket, name].resource(bucket, name))
        else:
            self._json(status, {"error": {"code": status, "message": "conditionNotMet"}})

    def _json(self, status: int, value: dict[str, Any]) -> None:
        data = json.dumps({key: item for key, item in value.items() if item is not None}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
