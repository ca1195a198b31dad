"""Serve's own proxy before the graph: what a caller's headers and bodies can do there."""

import socket
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import ray

from serve_app.http.entrance import REQUEST_ID
from tests.graph.conftest import deploy

FORGED = "INFO 2026-11-30 00:00:00,000 serve 1 -- nobody was here"
HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
ANSWER_S = 10.0


def ask(graph, *headers, body=b"", method="GET", path="/livez"):
    """An answer to a request whose headers are these bytes."""
    url = httpx.URL(graph.url)
    with connection(url) as caller:
        caller.sendall(request(method, path, *headers, length=len(body)) + body)
        return answer_from(caller)


def connection(url):
    return socket.create_connection((url.host, url.port), timeout=60)


def request(method, path, *headers, length):
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: test", *headers]
    return b"\r\n".join([*lines, b"Content-Length: %d" % length, b"Connection: close", b"", b""])


def answer_from(caller):
    """Status, headers and body of the answer, the connection then being closed."""
    received = b""
    while piece := caller.recv(1 << 16):
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = [tuple(line.split(": ", 1)) for line in lines]
    return int(first.split()[1]), httpx.Headers(headers), body


def logs():
    """Serve's logs of this cluster."""
    session = Path(ray._private.worker._global_node.get_session_dir_path())
    return list((session / "logs" / "serve").glob("*.log"))


@pytest.mark.parametrize(
    "given",
    [b"a" * 1_000_000, FORGED.encode(), f"a\u2028{FORGED}".encode(), b"\xff\xfe"],
    ids=["1 MB", "log line", "line separator", "no utf-8"],
)
def test_a_request_id_that_could_not_be_logged_is_replaced(graph, given):
    before = sum(path.stat().st_size for path in logs())
    status, headers, body = ask(graph, b"X-Request-ID: " + given, path="/nothing")
    assert status == 404
    assert headers.get_list("x-request-id") == [
        (found := httpx.Response(404, content=body).json())["instance"]
    ]
    assert REQUEST_ID.fullmatch(found["instance"])
    time.sleep(1)  # logs are written now and then
    texts = [path.read_text(errors="replace") for path in logs()]
    assert any(found["instance"] in text for text in texts)
    assert not any(FORGED in text for text in texts)
    assert sum(path.stat().st_size for path in logs()) - before < 100_000


def test_a_plain_request_id_comes_back_once_and_is_in_our_logs(graph, squat_video):
    with squat_video.open("rb") as file:
        answer = httpx.post(
            f"{graph.url}/pose",
            files={"file": file},
            data={"video": "false"},
            headers={"X-Request-ID": "my-own.id_1"},
            timeout=120,
        )
    assert answer.json()["request_id"] == "my-own.id_1"
    assert answer.headers.get_list("x-request-id") == ["my-own.id_1"]
    end = time.monotonic() + 20
    while not any("request my-own.id_1: 96 frames" in path.read_text() for path in logs()):
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.parametrize(
    "header",
    [
        "X-Request-Timeout-Seconds: 0.01",
        "X-Request-Timeout-Seconds: -1",
        "serve_multiplexed_model_id: \u00ff",
    ],
)
def test_headers_that_serve_obeys_change_nothing(graph, squat_video, header):
    body = HEAD + squat_video.read_bytes() + b"\r\n--x--\r\n"
    kind = b"Content-Type: multipart/form-data; boundary=x"
    status, _, answer = ask(
        graph, header.encode("latin-1"), kind, body=body, method="POST", path="/pose"
    )
    assert status == 200, answer[:500]


@pytest.mark.parametrize("fields", [1, 8])
def test_no_charset_freezes_the_graph(graph, fields):
    part = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\n' + b"a-" * 500_000
    kind = {"Content-Type": "multipart/form-data; charset=punycode; boundary=x"}
    body = (part + b"\r\n") * fields + b"--x--\r\n"
    started = time.monotonic()
    answer = httpx.post(f"{graph.url}/pose", content=body, headers=kind, timeout=300)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_parameter")
    assert time.monotonic() - started < ANSWER_S  # it was 16 s for one field, 160 s for eight


@pytest.fixture
def short_windows(graph, tmp_path):
    document = graph.document
    document["applications"][0]["args"] |= {"body_window_s": 3.0}
    document["applications"][0]["deployments"][0]["user_config"] = {"max_concurrent_requests": 4}
    deploy(graph, document, tmp_path)
    yield
    deploy(graph, graph.document, tmp_path)


def test_uploads_that_stall_take_no_place_from_others(graph, squat_video, short_windows, client):
    kind = b"Content-Type: multipart/form-data; boundary=x"
    with ExitStack() as stack:
        callers = [stack.enter_context(connection(httpx.URL(graph.url))) for _ in range(6)]
        for caller in callers:
            caller.sendall(request("POST", "/pose", kind, length=10**8) + HEAD + b"x")
        assert client.analyze(squat_video, video=False).data is not None
        answers = [answer_from(caller) for caller in callers]
    assert {status for status, *_ in answers} == {408}
    assert all(b"body_timeout" in body for *_, body in answers)
