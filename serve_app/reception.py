"""Bodies of requests while they come: bounded in number, in bytes, and in time.

A caller who is slow, or sends nothing, holds no place among the requests that are worked on.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

from fastapi import Request
from starlette.requests import ClientDisconnect

from deployments.errors import (
    BadParameterError,
    BodyTimeoutError,
    OverloadedError,
    TooLargeError,
)
from serve_app.service import RETRY_AFTER_S
from serve_app.settings import Settings


class Reception:
    """The bodies that this process receives."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bodies = 0
        self._bytes = 0

    @contextmanager
    def body(self, request: Request, limit: int) -> Iterator[AsyncGenerator[bytes, None]]:
        """The body of ``request`` in pieces, each to be taken within the ``with`` block.

        Raises:
            OverloadedError: too many bodies come already, or together they are too large.
            TooLargeError: more than ``limit`` bytes, as announced or as received.
            BodyTimeoutError: it takes too long, or comes too slowly.
            BadParameterError: it breaks off.
        """
        most = self._settings.max_bodies
        if self._bodies >= most:
            raise OverloadedError(
                f"{self._bodies} bodies are being received, which is the limit",
                retry_after_s=RETRY_AFTER_S,
                limit=most,
            )
        held = _Held()
        self._bodies += 1
        try:
            yield self._pieces(request, limit, held)
        finally:
            self._bodies -= 1
            self._bytes -= held.bytes

    async def _pieces(
        self, request: Request, limit: int, held: "_Held"
    ) -> AsyncGenerator[bytes, None]:
        settings, now = self._settings, asyncio.get_running_loop().time
        declared = request.headers.get("content-length", "")
        _check_size(int(declared) if declared.isdecimal() and len(declared) < 20 else 0, limit)
        end = now() + settings.body_timeout_s
        window_end, in_window = now() + settings.body_window_s, 0
        stream = request.stream()
        while True:
            try:
                async with asyncio.timeout_at(min(window_end, end)):
                    piece = await anext(stream, None)
            except TimeoutError as error:
                raise self._too_slow(held.bytes, whole_time=end <= window_end) from error
            except ClientDisconnect as error:
                raise BadParameterError("the body broke off") from error
            if piece is None:
                return
            held.bytes += len(piece)
            self._bytes += len(piece)
            _check_size(held.bytes, limit)
            if self._bytes > settings.max_bodies_bytes:
                raise OverloadedError(
                    f"the bodies being received are over {settings.max_bodies_bytes} bytes "
                    "together",
                    retry_after_s=RETRY_AFTER_S,
                    limit=settings.max_bodies_bytes,
                )
            in_window += len(piece)
            if in_window >= settings.min_body_rate * settings.body_window_s:
                window_end, in_window = now() + settings.body_window_s, 0
            yield piece

    def _too_slow(self, received: int, *, whole_time: bool) -> BodyTimeoutError:
        settings = self._settings
        if whole_time:
            return BodyTimeoutError(
                f"the body was not whole after {settings.body_timeout_s:g} s, "
                f"{received} bytes had come",
                limit=settings.body_timeout_s,
            )
        return BodyTimeoutError(
            f"the body came with less than {settings.min_body_rate} bytes/s for "
            f"{settings.body_window_s:g} s, {received} bytes had come",
            limit=settings.min_body_rate,
        )


class _Held:
    """Bytes of one body that have come."""

    bytes = 0


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise TooLargeError(
            f"the body is larger than {limit} bytes", quantity="bytes", value=size, limit=limit
        )
