"""Receive the bodies of requests, bounded in number, in bytes, and in time."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from deployments.errors import BadParameterError, BodyTimeoutError, TooLargeError
from deployments.fetch.spool import Pace
from serve_app.http.incoming import Incoming
from serve_app.settings import Settings

Given = TypeVar("Given")
Parsed = TypeVar("Parsed")

_PARSERS = 2
_SHORT_BYTES = 64 * 1024


class Reception:
    """Receives bodies within the limits of the settings."""

    def __init__(self, settings: Settings, incoming: Incoming) -> None:
        self._settings = settings
        self._incoming = incoming
        self._parsers = ThreadPoolExecutor(_PARSERS, "parse")

    @property
    def max_result_bytes(self) -> int:
        """Return the most bytes that the results in a body may have together."""
        return self._settings.max_result_bytes

    async def parsed(self, parse: Callable[[Given], Parsed], given: Given, *, size: int) -> Parsed:
        """Call ``parse(given)``; where it has more than some kB, in one of few threads.

        Its values take three times the memory of the text, so that many at once would fill it. Call
        it within the block of :meth:`body`, where the body is counted.
        """
        if size <= _SHORT_BYTES:
            return parse(given)
        return await asyncio.get_running_loop().run_in_executor(self._parsers, parse, given)

    @contextmanager
    def body(self, request: Request, limit: int) -> Iterator[AsyncGenerator[bytes, None]]:
        """Yield the body of ``request`` in pieces, each to be taken within the ``with`` block.

        Raises:
            OverloadedError: too many bodies come already, or together they are too large.
            TooLargeError: more than ``limit`` bytes, as announced or as received.
            BodyTimeoutError: it takes too long, or comes too slowly.
            BadParameterError: it breaks off.
        """
        with self._incoming.one() as hold:
            yield self._pieces(request, limit, hold)

    async def _pieces(
        self, request: Request, limit: int, hold: Callable[[int], None]
    ) -> AsyncGenerator[bytes, None]:
        settings = self._settings
        declared = request.headers.get("content-length", "")
        _check_size(int(declared) if declared.isdecimal() and len(declared) < 20 else 0, limit)
        end = asyncio.get_running_loop().time() + settings.body_timeout_s
        pace = Pace(settings.min_body_rate, settings.body_window_s)
        stream, received = request.stream(), 0
        while True:
            try:
                async with asyncio.timeout_at(min(pace.end, end)):
                    piece = await anext(stream, None)
            except TimeoutError as error:
                raise self._too_slow(received, whole_time=end <= pace.end) from error
            except ClientDisconnect as error:
                raise BadParameterError("the body broke off") from error
            if piece is None:
                return
            received += len(piece)
            _check_size(received, limit)
            hold(received)
            pace.came(len(piece))
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


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise TooLargeError(
            f"the body is larger than {limit} bytes", quantity="bytes", value=size, limit=limit
        )
