"""The entrance of Serve's proxy, and the application without it."""

import asyncio

import pytest
from ray.serve._private.constants import (
    SERVE_HTTP_REQUEST_DISCONNECT_DISABLED_HEADER,
    SERVE_HTTP_REQUEST_TIMEOUT_S_HEADER,
    SERVE_MULTIPLEXED_MODEL_ID,
    SERVE_SESSION_ID,
)
from ray.serve._private.http_util import call_function_from_import_path

from serve_app.commands.serve import ray_environment
from serve_app.entrance import REQUEST_ID, Entrance

OBEYED = (
    SERVE_HTTP_REQUEST_TIMEOUT_S_HEADER,
    SERVE_HTTP_REQUEST_DISCONNECT_DISABLED_HEADER,
    SERVE_MULTIPLEXED_MODEL_ID,
    SERVE_SESSION_ID,
)


def passed(*headers, kind="http"):
    """The headers that come through."""
    seen = []

    async def app(scope, _receive, _send):
        seen.extend(scope["headers"])

    scope = {"type": kind, "headers": list(headers)}
    asyncio.run(Entrance(app)(scope, None, None))
    assert scope["headers"] == list(headers)  # it is the server's
    return seen


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("name", [n for o in OBEYED for n in {o, o.replace("_", "-")}])
def test_headers_that_serve_obeys_are_taken_away(name, kind):
    seen = passed((name.encode(), b"?1"), (b"accept", b"*/*"), kind=kind)
    assert [name for name, _ in seen] == [b"accept", b"x-request-id"]


@pytest.mark.parametrize("given", [b"abc-1", b"A.b_c-" + b"9" * 58])
def test_a_plain_request_id_stays(given):
    assert passed((b"x-request-id", given)) == [(b"x-request-id", given)]


@pytest.mark.parametrize(
    "given",
    [
        [],
        [b""],
        [b"a" * 65],
        [b"a" * 1_000_000],
        [b"INFO 2026-01-01 00:00:00,000 serve 1 -- all is well"],
        ["a\u2028b".encode()],
        [b"a\xff"],
        [b"a\x1b[31m"],
        [b"one", b"two"],
    ],
    ids=["none", "empty", "long", "huge", "log line", "separator", "no utf-8", "escape", "two"],
)
def test_any_other_request_id_is_replaced_by_a_new_one(given):
    ((name, value),) = passed(*((b"x-request-id", value) for value in given))
    assert name == b"x-request-id"
    assert REQUEST_ID.fullmatch(value.decode())
    assert value not in given


def test_serve_loads_it_by_the_name_in_our_environment():
    path = ray_environment()["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"]
    (middleware,) = call_function_from_import_path(path)
    assert middleware.cls is Entrance


@pytest.mark.parametrize("name", ["X-Request-Timeout-Seconds", "X-Request-Disconnect-Disabled"])
def test_without_it_the_application_refuses_what_lifts_a_limit(http, name):
    response = http.post("/pose", headers={name: "?1"}, json={"video_url": "https://x/y"})
    assert (response.status_code, response.json()["code"]) == (400, "header_not_allowed")
    assert response.headers["x-request-id"] == response.json()["instance"]
