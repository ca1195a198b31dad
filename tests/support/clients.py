"""Both clients of the service, for tests that are written once."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from serve_app.client import AsyncPoseClient, PoseClient

KINDS = ("blocking", "asynchronous")


@contextmanager
def client_of(
    kind: str, transport: httpx.BaseTransport | None, url: str = "http://test", **options: Any
) -> Iterator[Any]:
    """Open a client of a kind, whose calls block in either case."""
    if kind == "blocking":
        with PoseClient(url, transport=transport, **options) as client:
            yield client
        return
    through = transport and _Through(transport)
    with asyncio.Runner() as runner:
        made = AsyncPoseClient(url, transport=through, **options)
        try:
            yield _Blocking(made, runner)
        finally:
            runner.run(made.close())


class _Blocking:
    """Waits for each call of the asynchronous client."""

    def __init__(self, client: AsyncPoseClient, runner: asyncio.Runner) -> None:
        self._client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def call(*arguments: Any, **options: Any) -> Any:
            found = method(*arguments, **options)
            return self._items(found) if inspect.isasyncgen(found) else self._runner.run(found)

        return call

    def _items(self, items: Any) -> Iterator[Any]:
        async def following() -> list[Any]:
            async for item in items:
                return [item]
            return []

        try:
            while found := self._runner.run(following()):
                yield found[0]
        finally:
            self._runner.run(items.aclose())


class _Through(httpx.AsyncBaseTransport):
    """Sends requests through a blocking transport, in a thread."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        answer = await asyncio.to_thread(self._inner.handle_request, request)
        return httpx.Response(
            answer.status_code, headers=answer.headers, stream=_Pieces(answer.stream)
        )


class _Pieces(httpx.AsyncByteStream):
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._inner:
            yield piece

    async def aclose(self) -> None:
        self._inner.close()
