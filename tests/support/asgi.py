"""An ASGI application in the network's place, for httpx's ordinary client."""

import asyncio
from typing import Any

import httpx

from serve_app.results.response_schema import Problem


class AsgiTransport(httpx.BaseTransport):
    """Each request runs the application in a loop of its own; bodies are whole.

    Args:
        loop: that runs in another thread, instead.
    """

    def __init__(self, app: Any, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._inner = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._loop = loop

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def call() -> httpx.Response:
            response = await self._inner.handle_async_request(request)
            body = b"".join([piece async for piece in response.aiter_raw()])
            return httpx.Response(
                response.status_code, headers=response.headers, stream=httpx.ByteStream(body)
            )

        if self._loop is None:
            return asyncio.run(call())
        return asyncio.run_coroutine_threadsafe(call(), self._loop).result()


def problem_of(response: httpx.Response) -> Problem:
    """Return the problem document of a refused request."""
    assert response.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate(response.json())
    assert problem.status == response.status_code
    assert problem.detail
    assert problem.hint
    return problem
