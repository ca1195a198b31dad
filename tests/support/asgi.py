"""An ASGI application in the network's place, for httpx's ordinary client."""

import asyncio
import re
from typing import Any

import httpx

from serve_app.http.openapi import DescribedApp
from serve_app.results.response_schema import Problem

_DECLARED: dict[tuple[str, ...], dict[str, Any]] = {}
"""Paths of the description, by the routes of the application: one takes a quarter of a second."""


class AsgiTransport(httpx.BaseTransport):
    """Each request runs the application in a loop of its own; bodies are whole.

    An answer that the application's description lacks is an error.

    Args:
        loop: that runs in another thread, instead.
    """

    def __init__(self, app: Any, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self._app = app
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
            response = asyncio.run(call())
        else:
            response = asyncio.run_coroutine_threadsafe(call(), self._loop).result(120)
        if isinstance(self._app, DescribedApp):
            _require_declared(self._app, request, response)
        return response


def _require_declared(app: DescribedApp, request: httpx.Request, response: httpx.Response) -> None:
    """Raise an AssertionError if the status or media type is not in the description."""
    key = tuple(getattr(route, "path", "") for route in app.routes)
    if key not in _DECLARED:
        _DECLARED[key] = app.openapi()["paths"]
    path = next((path for path in _DECLARED[key] if _matches(path, request.url.path)), "")
    operation = _DECLARED[key].get(path, {}).get(request.method.lower())
    if operation is None:  # refused, or not a route of the description
        return
    declared = operation["responses"]
    what = f"{request.method} {path}: {response.status_code}"
    assert str(response.status_code) in declared, f"{what} is not declared"
    content = declared[str(response.status_code)].get("content", {})
    kind = response.headers.get("content-type", "").partition(";")[0]
    assert kind in content or (not kind and not content), f"{what} of {kind} is not declared"
    # Serve's proxy sends back a request id that it was given.
    for name in {*declared[str(response.status_code)]["headers"]} - {"Retry-After"}:
        assert name in response.headers or name in request.headers, f"{what} lacks {name}"


def problem_of(response: httpx.Response) -> Problem:
    """Return the problem document of a refused request."""
    assert response.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate(response.json())
    assert problem.status == response.status_code
    assert problem.detail
    assert problem.hint
    return problem


def _matches(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path) is not None
