"""Downloads over loopback: what arrives, and answers that are no file."""

import socket
from pathlib import Path
from typing import Any

import pytest

from deployments.errors import (
    SourceError,
    SourceNotFoundError,
    UnreachableError,
)
from deployments.fetch.addresses import AddressPolicy
from deployments.fetch.guarded_fetch import FetchLimits
from tests.support.downloads import BODY, Resolver, get, refused
from tests.support.loopback_server import Answer, Server, closed_port, raw, reply, reset


def test_download(tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    with Server(reply(BODY)) as server:
        content = get(
            server.url("/a/b.mp4?x=1#part"),
            tmp_path,
            progress=lambda received, total: seen.append((received, total)),
        )
    assert content == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert seen == sorted(seen)
    head = server.requests[0]
    assert head.startswith("GET /a/b.mp4?x=1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{server.port}\r\n" in head
    assert "Accept-Encoding: identity\r\n" in head
    assert "authorization" not in head.lower()
    assert "cookie" not in head.lower()


@pytest.mark.parametrize(
    "answer",
    [
        raw(b"HTTP/1.1 200 OK\r\n\r\n" + BODY),
        raw(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
        ),
        raw(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n" + BODY),
        reply(BODY, Content_Encoding="identity"),
        # Bytes after the announced end are no part of the answer.
        reply(BODY + b"more", length=len(BODY)),
    ],
)
def test_ways_to_send_a_body(answer: Answer, tmp_path: Path) -> None:
    with Server(answer) as server:
        assert get(server.url(), tmp_path) == BODY


def test_length_unknown_is_told_as_none(tmp_path: Path) -> None:
    totals: set[int | None] = set()
    with Server(raw(b"HTTP/1.1 200 OK\r\n\r\n" + BODY)) as server:
        get(server.url(), tmp_path, progress=lambda _received, total: totals.add(total))
    assert totals == {None}


def test_exactly_the_limit_is_taken(tmp_path: Path) -> None:
    with Server(reply(BODY)) as server:
        assert get(server.url(), tmp_path, limits=FetchLimits(len(BODY))) == BODY


def test_ipv6_literal(tmp_path: Path) -> None:
    try:
        server = Server(reply(BODY), "::1")
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with server:
        policy = AddressPolicy(frozenset({"::1"}))
        assert get(server.url(host="[::1]"), tmp_path, policy) == BODY
    assert f"Host: [::1]:{server.port}\r\n" in server.requests[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "127.1", "localhost"])
def test_allow_listed_loopback(host: str, tmp_path: Path) -> None:
    policy = AddressPolicy(frozenset({"127.0.0.1", "::1"}))
    with Server(reply(BODY)) as server:
        assert get(server.url(host=host), tmp_path, policy) == BODY


def test_next_address_is_tried_where_the_first_does_not_connect(
    tmp_path: Path, resolver: Resolver
) -> None:
    resolver("video.test", [["127.0.0.2", "127.0.0.1"]])
    with Server(reply(BODY)) as server:
        assert get(server.url(host="video.test"), tmp_path) == BODY


def test_environment_proxies_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(reply(b"proxy")) as proxy, Server(reply(BODY)) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert get(server.url(), tmp_path) == BODY
    assert proxy.connections == 0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 451])
def test_absent(status: int, tmp_path: Path) -> None:
    with Server(reply(b"no", status=status)) as server:
        error = refused(SourceNotFoundError, server.url(), tmp_path)
    assert error.facts["upstream_status"] == status
    assert not error.retryable


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(500, True), (502, True), (503, True), (408, True), (429, True), (204, False), (206, False)],
)
def test_no_usable_answer(status: int, retryable: bool, tmp_path: Path) -> None:
    with Server(reply(status=status)) as server:
        error = refused(UnreachableError, server.url(), tmp_path)
    assert error.facts["upstream_status"] == status
    assert error.retryable is retryable


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("Wed, 21 Oct 2015 07:28:00 GMT", None), ("²", None)]
)
def test_retry_after_is_passed_on(header: str, seconds: float | None, tmp_path: Path) -> None:
    with Server(reply(status=429, Retry_After=header)) as server:
        assert refused(UnreachableError, server.url(), tmp_path).retry_after_s == seconds


@pytest.mark.parametrize("encoding", ["", "identity", "aws-chunked", "AWS-Chunked, identity"])
def test_a_whole_file_is_a_whole_file_whatever_its_header_calls_it(encoding, tmp_path):
    """S3 keeps the encoding of an upload, also an empty one."""
    with Server(reply(BODY, Content_Encoding=encoding)) as server:
        assert get(server.url(), tmp_path) == BODY


def test_a_web_page_is_named_as_one(tmp_path: Path) -> None:
    """As a share link gives where one has to sign in."""
    page = b"\n<!doctype html><title>Sign in</title>"
    with Server(reply(page, Content_Type="text/html; charset=utf-8")) as server:
        error = refused(SourceError, server.url(), tmp_path)
    assert "text/html" in error.detail
    assert "web page" in error.detail
    assert "file itself" in error.hint


def test_a_video_that_a_server_calls_a_page_is_taken(tmp_path: Path) -> None:
    with Server(reply(BODY, Content_Type="text/html")) as server:
        assert get(server.url(), tmp_path) == BODY


def test_a_blank_around_an_address_is_no_part_of_it(tmp_path: Path) -> None:
    with Server(reply(BODY)) as server:
        assert get(f"  {server.url()} ", tmp_path) == BODY


@pytest.mark.parametrize(
    "encoding", ["aws-chunked, gzip", "gzip", "br", "deflate", "gzip, identity", "x" * 500]
)
def test_compressed_answer(encoding: str, tmp_path: Path) -> None:
    with Server(reply(BODY, Content_Encoding=encoding)) as server:
        refused(SourceError, server.url(), tmp_path)


@pytest.mark.parametrize(
    "answer",
    [
        reply(BODY, length=len(BODY) + 1),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort"),
        reset(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nbeginning"),
        reset(b""),
        raw(b""),
        raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabcdef"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1e3\r\n\r\nabcdef"),
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000),
        raw(b"HTTP/1.1 101 Switching Protocols\r\n\r\nabcdef"),
    ],
)
def test_broken_answer(answer: Answer, tmp_path: Path) -> None:
    with Server(answer) as server:
        error = refused(UnreachableError, server.url(), tmp_path)
    assert "127.0.0.1" in error.detail


def test_broken_body_is_worth_a_retry(tmp_path: Path) -> None:
    with Server(reply(BODY, length=len(BODY) + 1)) as server:
        assert refused(UnreachableError, server.url(), tmp_path).retryable


def test_nothing_listens(tmp_path: Path) -> None:
    with closed_port() as port:
        assert refused(UnreachableError, f"http://127.0.0.1:{port}/", tmp_path).retryable


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label too long")])
def test_name_is_not_known(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_keywords: Any) -> Any:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert refused(UnreachableError, "http://video.test/", tmp_path).retryable
