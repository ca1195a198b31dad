"""Strip the headers that command Serve's proxy; only a request id passes.

Every proxy loads :func:`middlewares` by ``RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH``, so this
imports little. It runs before Serve reads a header or logs anything of a request.
"""

import re
import uuid

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LIMITS = frozenset(("x-request-timeout-seconds", "x-request-disconnect-disabled"))
_ROUTING = frozenset(("serve-multiplexed-model-id", "x-session-id"))

_Headers = list[tuple[bytes, bytes]]


def middlewares() -> list[Middleware]:
    """Return the middleware that wraps Serve's proxy and Serve's own middleware."""
    return [Middleware(Entrance)]


def lifts_limits(name: str) -> bool:
    """Return whether Serve reads a time limit from a header of this name."""
    return _plain(name) in _LIMITS


def request_id_of(given: str) -> str:
    """The caller's id if it is a short plain word, else a new one."""
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


class Entrance:
    """Takes away the headers that Serve obeys, and gives every request one id that can be logged.

    A caller's own id stays if it is the only one and a short plain word.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] in ("http", "websocket"):
            scope = {**scope, "headers": _cleaned(scope["headers"])}
        await self._app(scope, receive, send)


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
