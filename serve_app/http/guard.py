"""Middleware of access: authentication, the audit log, security headers and CORS."""

import time
from typing import Any, Final

from fastapi import FastAPI
from starlette._utils import get_route_path
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve_app.access import audit
from serve_app.access.authentication import LINKED, OPEN_PATHS, Access
from serve_app.access.caller import ANONYMOUS, Caller

_POLICY_VIOLATION: Final = 1008

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # an address may be a signed link
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Headers of every answer that does not set its own."""

_PAGES: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""Policy of pages: their own files alone."""


def add_guard(app: FastAPI, access: Access) -> None:
    """Authenticate every request that nothing else opens; to be added before other middleware."""
    app.add_middleware(_Guard, access)


def add_headers(app: FastAPI, origins: frozenset[str]) -> None:
    """Allow CORS for ``origins`` and set security headers; to be added after other middleware."""
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["*"],
        )
    app.add_middleware(_SecurityHeaders)


def describe_access(document: dict[str, Any]) -> None:
    """Add to an OpenAPI document how callers authenticate.

    An empty requirement allows calls without a key: to what is open, and everywhere on a service
    without keys.
    """
    document.setdefault("components", {})["securitySchemes"] = _SCHEMES
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path in OPEN_PATHS:
                operation["security"] = []
                continue
            ways = [*_KEYS, _LINK] if LINKED.fullmatch(path) else _KEYS
            operation["security"] = [{}, *({way: []} for way in ways)]


_KEYS: Final = ("bearer", "key")
_LINK: Final = "link"
_SCHEMES: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, or an access token of the operator's OIDC issuer.",
    },
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    _LINK: {
        "type": "apiKey",
        "in": "query",
        "name": "signature",
        "description": "Of a signed link, which an answer has; it expires.",
    },
}


class _Guard:
    """Set ``request.state.caller``, or refuse; log the access.

    ``request.state.by_link`` says whether a signed link opened the path. ServiceErrors become
    problem documents in the middleware around this one.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":  # there is none; nobody gets past this by one
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, state = get_route_path(scope), scope["state"]
        if path in OPEN_PATHS:
            state["caller"], state["by_link"] = ANONYMOUS, False
            await self._app(scope, receive, send)
            return
        began, caller, answer = time.monotonic(), None, _Counted(send)
        query = scope["query_string"].decode("latin-1")
        by_link = self._access.opens(scope["method"], path, query)
        try:
            caller = (
                ANONYMOUS
                if by_link
                else await self._access.authenticate(Headers(scope=scope), path, query)
            )
            state["caller"], state["by_link"] = caller, by_link
            self._access.count(caller)
            await self._app(scope, receive, answer.send)
        except Exception as error:
            answer.status = answer.status or getattr(error, "status", 500)
            raise
        finally:
            _log(scope, caller, answer, by_link, time.monotonic() - began)


class _Counted:
    """Forward an answer and note its status and size."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None
        self.bytes = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.bytes += len(message.get("body", b""))
        await self._send(message)


def _log(
    scope: Scope, caller: Caller | None, answer: _Counted, by_link: bool, duration_s: float
) -> None:
    audit.record(
        caller=caller,
        method=scope["method"],
        route=getattr(scope.get("route"), "path", None),
        status=answer.status,
        sent_bytes=answer.bytes,
        request_id=scope["state"]["request_id"],
        duration_s=duration_s,
        by_link=by_link,
    )


class _SecurityHeaders:
    """Add :data:`_HEADERS`, and a policy for pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    headers.setdefault("Content-Security-Policy", _PAGES)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, guarded)
