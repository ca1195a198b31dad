"""The entrance of Serve's proxy, and the application without it."""

import asyncio

import pytest
from ray.serve._private.constants import (
    SERVE_HTTP_REQUEST_DISCONNECT_DISABLED_HEADER,
    SERVE_HTTP_REQUEST_TIMEOUT_S_HEADER,
    SERVE_MULTIPLEXED_MODEL_ID,
    SERVE_SESSION_ID,
)
from ray.serve._private.http_util import (
    call_function_from_import_path,
    convert_object_to_asgi_messages,
)
from starlette.datastructures import Headers

from serve_app.cli.serve import ray_environment
from serve_app.http.entrance import REQUEST_ID, Entrance
from serve_app.results.response_schema import Problem

OBEYED = (
    SERVE_HTTP_REQUEST_TIMEOUT_S_HEADER,
    SERVE_HTTP_REQUEST_DISCONNECT_DISABLED_HEADER,
    SERVE_MULTIPLEXED_MODEL_ID,
    SERVE_SESSION_ID,
)


def passed(*headers, kind="http"):
    """The headers that come through."""
    seen = []

    async def app(scope, _receive, send):
        seen.extend(scope["headers"])
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(_message):
        pass

    scope = {"type": kind, "path": "/pose", "headers": list(headers)}
    asyncio.run(Entrance(app)(scope, None, send))
    assert scope["headers"] == list(headers)  # it is the server's
    return seen


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "name", [n for o in OBEYED for n in dict.fromkeys((o, o.replace("_", "-")))]
)
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


def answered(*messages, path="/pose"):
    """Status, headers and body that come out where Serve's proxy answers by these messages."""
    sent = []

    async def app(_scope, _receive, send):
        for message in messages:
            await send(message)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "headers": [(b"x-request-id", b"my-own")]}
    asyncio.run(Entrance(app)(scope, None, send))
    start, *bodies = sent
    return start["status"], Headers(raw=start["headers"]), b"".join(b["body"] for b in bodies)


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        (408, 504, "deadline_exceeded"),
        (429, 429, "overloaded"),
        (500, 503, "stage_failed"),
        (503, 503, "not_ready"),
    ],
)
def test_what_serve_answers_by_itself_becomes_a_problem_document(given, status, code):
    """(S8)"""
    after = [(b"retry-after", b"3")]
    messages = convert_object_to_asgi_messages("Text of Serve", given, after)
    found, headers, body = answered(*messages)
    problem = Problem.model_validate_json(body)
    assert (found, problem.status, problem.code, problem.retryable) == (status, status, code, True)
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-request-id"] == problem.instance == "my-own"
    assert (headers["retry-after"], int(headers["content-length"])) == ("3", len(body))


def test_where_nothing_answers_a_problem_document_does():
    """(S8) Serve ends a request whose replica was killed without a word."""
    status, headers, body = answered()
    problem = Problem.model_validate_json(body)
    assert (status, problem.code, problem.retryable) == (503, "stage_failed", True)
    assert headers["x-request-id"] == problem.instance == "my-own"


@pytest.mark.parametrize(
    ("messages", "path"),
    [
        (convert_object_to_asgi_messages({"code": "inference_failed"}, 500), "/pose"),
        (convert_object_to_asgi_messages("text", 200), "/export"),
        (convert_object_to_asgi_messages("the node is drained", 503), "/-/healthz"),
    ],
    ids=["the application's problem", "a text file", "Serve's own path"],
)
def test_other_answers_pass_as_they_are(messages, path):
    status, headers, body = answered(*messages, path=path)
    assert (status, body) == (messages[0]["status"], messages[1]["body"])
    assert headers == Headers(raw=messages[0]["headers"])


def test_an_answer_that_broke_off_is_not_made_whole():
    """(S8) What has begun cannot become another answer: the server cuts the connection."""
    begun = convert_object_to_asgi_messages("text", 200)
    begun[1]["more_body"] = True
    assert answered(*begun)[2] == b"text"


def test_serve_loads_it_by_the_name_in_our_environment():
    path = ray_environment()["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"]
    (middleware,) = call_function_from_import_path(path)
    assert middleware.cls is Entrance


@pytest.mark.parametrize("name", ["X-Request-Timeout-Seconds", "X-Request-Disconnect-Disabled"])
def test_without_it_the_application_refuses_what_lifts_a_limit(http, name):
    response = http.post("/pose", headers={name: "?1"}, json={"video_url": "https://x/y"})
    assert (response.status_code, response.json()["code"]) == (400, "header_not_allowed")
    assert response.headers["x-request-id"] == response.json()["instance"]
