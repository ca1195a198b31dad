"""Requests that send a body over guarded connections, over loopback."""

import threading

import pytest

from deployments.errors import AddressNotAllowedError, SourceError, UnreachableError
from deployments.fetch.addresses import AddressPolicy
from deployments.fetch.guarded_request import Timeouts, post
from tests.support.downloads import Resolver
from tests.support.loopback_server import Server, closed_port, forever, raw, reply

LOCAL = AddressPolicy(frozenset({"127.0.0.1"}))
BODY = '{"note": "☃"}'.encode()


def send(url, policy=LOCAL, *, total_timeout_s=5.0, **values):
    return post(
        url, BODY, {"webhook-id": "msg_1"}, policy, total_timeout_s=total_timeout_s, **values
    )


def taking(answer):
    """An answer that comes after the body of the request, and the bodies that came."""
    bodies = []

    def take(connection, path):
        received = b""
        while len(received) < len(BODY):
            received += connection.recv(len(BODY))
        bodies.append(received)
        answer(connection, path)

    return take, bodies


@pytest.mark.parametrize("status", [200, 204, 404, 410, 503])
def test_a_body_is_sent_whole_and_the_status_returned(status):
    answer, bodies = taking(reply(b"ok" if status != 204 else b"", status=status))
    with Server(answer) as server:
        assert send(server.url("/hook?token=1#part")) == status
    assert bodies == [BODY]
    (head,) = server.requests
    assert head.startswith("POST /hook?token=1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}\r\n" in head
    assert f"Content-Length: {len(BODY)}\r\n" in head
    assert "webhook-id: msg_1\r\n" in head


def test_a_redirect_is_not_followed():
    answer, bodies = taking(reply(status=307, Location="http://127.0.0.1/elsewhere"))
    with Server(answer) as server:
        assert send(server.url()) == 307
    assert (server.connections, len(bodies)) == (1, 1)


def test_private_addresses_are_refused_and_not_contacted(resolver: Resolver):
    resolver("hook.test", [["127.0.0.1"]])
    with Server(reply()) as server:
        for host in ("127.0.0.1", "hook.test"):
            with pytest.raises(AddressNotAllowedError):
                send(server.url(host=host), AddressPolicy())
        assert server.connections == 0


@pytest.mark.parametrize("url", ["gs://bucket/object", "file:///etc/passwd", "ftp://host/"])
def test_other_schemes_are_refused(url):
    with pytest.raises(AddressNotAllowedError):
        send(url)


@pytest.mark.parametrize("url", ["http://ann:pw@host/", "http://ho\\st/", "nonsense"])
def test_malformed_addresses_are_refused(url):
    with pytest.raises(SourceError):
        send(url)


def test_plain_http_is_refused_where_the_policy_says_so():
    with Server(reply()) as server, pytest.raises(AddressNotAllowedError, match="https"):
        send(server.url(), AddressPolicy(LOCAL.allowed_hosts, allow_http=False))
    assert server.connections == 0


def test_an_endless_answer_is_not_read_to_its_end():
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    answer, _ = taking(forever(head, b"x" * 8192, threading.Event(), 0.0))
    with Server(answer) as server:
        assert send(server.url(), total_timeout_s=60.0) == 200


def test_an_answer_that_drips_counts_when_its_time_is_over():
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    answer, _ = taking(forever(head, b"x", threading.Event(), 0.05))
    with Server(answer) as server:
        assert send(server.url(), total_timeout_s=0.5) == 200


def test_no_answer_in_time():
    silence = threading.Event()
    with Server(lambda *_: silence.wait(20)) as server:
        with pytest.raises(UnreachableError):
            send(server.url(), timeouts=Timeouts(silence_s=0.2))
        with pytest.raises(UnreachableError):
            send(server.url(), total_timeout_s=0.2)
        silence.set()


def test_nobody_listens_or_answers_http():
    with closed_port() as port, pytest.raises(UnreachableError):
        send(f"http://127.0.0.1:{port}/")
    with Server(raw(b"SSH-2.0\r\n\r\n")) as server, pytest.raises(UnreachableError):
        send(server.url())
