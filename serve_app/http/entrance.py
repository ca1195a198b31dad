"""Strip the headers that command Serve's proxy, and answer by problem documents where it fails.

Every proxy loads :func:`middlewares` by ``RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH``, so this
imports little. It runs before Serve reads a header or logs anything of a request.
"""

import re
import uuid
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.errors import (
    DeadlineExceededError,
    NotReadyError,
    OverloadedError,
    ServiceError,
    StageFailedError,
)
from serve_app.http.problems import CONTENT_TYPE, problem

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LIMITS = frozenset(("x-request-timeout-seconds", "x-request-disconnect-disabled"))
_ROUTING = frozenset(("serve-multiplexed-model-id", "x-session-id"))

_OWN: Final = "/-/"  # paths of Serve's own: whether the proxy lives, and which routes it has
_TEXTS: Final[dict[int, Callable[[], ServiceError]]] = {
    408: lambda: DeadlineExceededError("not done in the longest time of the server"),
    429: lambda: OverloadedError("too many requests wait"),
    500: lambda: StageFailedError("the server failed"),
    503: lambda: NotReadyError("nothing runs that could answer", hint="Try again."),
}
"""Errors by the status that Serve answers with by itself, in plain text."""

_Headers = list[tuple[bytes, bytes]]


def middlewares() -> list[Middleware]:
    """Return the middleware that wraps Serve's proxy and Serve's own middleware."""
    return [Middleware(Entrance)]


def lifts_limits(name: str) -> bool:
    """Return whether Serve reads a time limit from a header of this name."""
    return _plain(name) in _LIMITS


def request_id_of(given: str) -> str:
    """Return the caller's id if it is a short plain word, else a new one."""
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


class Entrance:
    """Takes away the headers that Serve obeys, and gives every request one id that can be logged.

    A caller's own id stays if it is the only one and a short plain word. Where Serve answers
    instead of the application, or nothing answers because a replica was killed, there is a
    problem document.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] in ("http", "websocket"):
            scope = {**scope, "headers": _cleaned(scope["headers"])}
        if scope["type"] != "http" or scope["path"].startswith(_OWN):
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, receive, send)
        await self._app(scope, receive, answer.send)
        await answer.end()


class _Answer:
    """Forward an answer of the application, or replace Serve's plain text."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._request = scope, receive, send
        self._started = self._replaced = False

    async def send(self, message: Message) -> None:
        """Send a message, or a problem document instead of a plain text of Serve."""
        if message["type"] == "http.response.start":
            self._started = True
            headers = Headers(raw=message["headers"])
            if message["status"] in _TEXTS and headers.get("content-type", "")[:10] == "text/plain":
                error = _TEXTS[message["status"]]()
                after = headers.get("retry-after", "")
                error.retry_after_s = float(after) if after.isdecimal() else None
                await self._tell(error)
        if not self._replaced:
            await self._request[2](message)

    async def end(self) -> None:
        """Answer if nothing else has: the replica of the request was killed."""
        if not self._started:
            await self._tell(StageFailedError("the replica that worked on this request has ended"))

    async def _tell(self, error: ServiceError) -> None:
        self._replaced = True
        scope = self._request[0]
        (request_id,) = Headers(raw=scope["headers"]).getlist("x-request-id")
        body, headers = problem(error, request_id)
        headers["X-Request-ID"] = request_id
        await JSONResponse(body, error.status, headers, CONTENT_TYPE)(*self._request)


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")  # as Serve compares some names


def _cleaned(headers: _Headers) -> _Headers:
    given = [value.decode("latin-1") for name, value in headers if name == b"x-request-id"]
    request_id = request_id_of(given[0] if len(given) == 1 else "")
    kept = [
        (name, value)
        for name, value in headers
        if name != b"x-request-id" and _plain(name.decode("latin-1")) not in _LIMITS | _ROUTING
    ]
    return [*kept, (b"x-request-id", request_id.encode())]
