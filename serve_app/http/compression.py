"""Compress answers of JSON and text by zstd or gzip, as ``Accept-Encoding`` says.

A compressed answer's size depends on its content. That gives nothing away here: no answer has a
secret of the server in it next to something that another caller chooses.
"""

import asyncio
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import zstandard
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.errors import NotAcceptableError

KINDS: Final = frozenset(
    (
        "application/json",
        "application/problem+json",
        "application/x-ndjson",
        "text/css",
        "text/csv",
        "text/html",
        "text/javascript",
        "text/plain",
    )
)
"""Media types of answers that are compressed."""

MIN_BYTES: Final = 1024
_SHORT_BYTES: Final = 4096  # compressed in less time than a thread takes to begin
_IDENTITY: Final = "identity"
VARY: Final = "Accept-Encoding"


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self, mode: int, /) -> bytes: ...


@dataclass(frozen=True)
class _Coding:
    """A content coding.

    Attributes:
        name: of HTTP.
        begin: makes a compressor. pause, end: how it is flushed within and at the end.
    """

    name: str
    begin: Callable[[], _Compressor]
    pause: int
    end: int


_CODINGS: Final = (
    _Coding(
        "zstd",
        lambda: zstandard.ZstdCompressor(level=3).compressobj(),
        zstandard.COMPRESSOBJ_FLUSH_BLOCK,
        zstandard.COMPRESSOBJ_FLUSH_FINISH,
    ),
    _Coding("gzip", lambda: zlib.compressobj(6, wbits=31), zlib.Z_SYNC_FLUSH, zlib.Z_FINISH),
)
"""In the order of preference where the caller has none."""


def coding_for(accepted: str) -> tuple[_Coding | None, bool]:
    """Choose a coding, None for none, and say whether uncompressed answers are allowed.

    Args:
        accepted: ``Accept-Encoding``, empty without the header.

    Raises:
        NotAcceptableError: the header refuses every one.
    """
    weights = _weights(accepted)
    others = weights.get("*", 0.0)
    plain = weights.get(_IDENTITY, 1.0 if "*" not in weights or others else 0.0)
    best = max(_CODINGS, key=lambda coding: weights.get(coding.name, others))
    weight = weights.get(best.name, others)
    if weight > 0 and weight >= weights.get(_IDENTITY, 0.0):
        return best, plain > 0
    if not plain:
        names = ", ".join(coding.name for coding in _CODINGS)
        raise NotAcceptableError(
            "Accept-Encoding refuses every encoding that there is",
            hint=f"Accept one of {names} and {_IDENTITY}.",
        )
    return None, True


def _weights(accepted: str) -> dict[str, float]:
    """Return the weight, 0 to 1, of each coding named; one that is no number is 0."""
    weights = {}
    for item in accepted.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        given = next((p[2:].strip() for p in parameters if p.startswith("q=")), "1")
        weight = float(given) if given.replace(".", "", 1).isdecimal() else 0.0
        if name:
            weights["gzip" if name == "x-gzip" else name] = min(weight, 1.0)
    return weights


class Compressed:
    """Compress the answers of an application: whole ones in one piece, streams piece by piece.

    Ranges, videos and what is compressed already pass unchanged.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on.

        Raises:
            NotAcceptableError: the caller refuses every encoding.
        """
        if scope["type"] != "http" or scope["method"] == "HEAD":
            await self._app(scope, receive, send)
            return
        accepted = ",".join(Headers(scope=scope).getlist("accept-encoding"))
        coding, plain = coding_for(accepted)
        await self._app(scope, receive, _Answer(send, coding, plain).send)


class _Answer:
    """Forward an answer, compressed where that is allowed and worth it."""

    def __init__(self, send: Send, coding: _Coding | None, plain: bool) -> None:
        self._send = send
        self._coding = coding
        self._plain = plain
        self._start: Message | None = None
        self._compressor: _Compressor | None = None

    async def send(self, message: Message) -> None:
        """Send a message of the answer."""
        if message["type"] == "http.response.start" and _fits(message):
            self._start = message  # until the first piece says whether it is compressed
            return
        if message["type"] == "http.response.body":
            body, more = message.get("body", b""), message.get("more_body", False)
            start, self._start = self._start, None
            if start is not None and (more or len(body) >= MIN_BYTES or not self._plain):
                self._compressor = self._coding.begin() if self._coding else None
            if self._compressor is not None:
                body = await self._compressed(body, more)
                message = {**message, "body": body}
            if start is not None:
                await self._send(self._headed(start, None if more else len(body)))
        await self._send(message)

    def _headed(self, start: Message, size: int | None) -> Message:
        """Return the beginning of an answer with headers for its encoding, in ``size`` bytes."""
        start = {**start, "headers": list(start["headers"])}
        headers = MutableHeaders(scope=start)
        if VARY.lower() not in headers.get("Vary", "").lower():
            headers.add_vary_header(VARY)
        if self._compressor is not None and self._coding is not None:
            headers["Content-Encoding"] = self._coding.name
            del headers["Content-Length"]
            if size is not None:
                headers["Content-Length"] = str(size)
            if (tag := headers.get("ETag")) and not tag.startswith("W/"):
                headers["ETag"] = f"W/{tag}"  # other bytes than those of the tag
        return start

    async def _compressed(self, body: bytes, more: bool) -> bytes:
        if len(body) <= _SHORT_BYTES:
            return self._step(body, more)
        return await asyncio.to_thread(self._step, body, more)

    def _step(self, body: bytes, more: bool) -> bytes:
        """Compress a piece so that the caller can read it before the next one."""
        if self._compressor is None or self._coding is None:
            raise AssertionError("no compressor was begun")
        mode = self._coding.pause if more else self._coding.end
        return self._compressor.compress(body) + self._compressor.flush(mode)


def _fits(start: Message) -> bool:
    """Return whether an answer that begins so may be compressed."""
    headers = Headers(raw=start["headers"])
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    whole = start["status"] >= 200 and start["status"] not in (204, 206, 304)
    return whole and kind in KINDS and "content-encoding" not in headers
