"""What is refused is never contacted, whatever led there: names, redirects, rebinding."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.errors import (
    AddressNotAllowedError,
    ServiceError,
    SourceError,
)
from deployments.fetch import addresses
from deployments.fetch.addresses import AddressPolicy
from tests.support.downloads import BODY, ONLY_SECOND, Resolver, get, refused
from tests.support.loopback_server import Server, forever, reply


@pytest.fixture
def sentinel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A private server on what counts as a web port, so that only its address can be at fault."""
    with Server(reply(b"secret")) as server:
        monkeypatch.setattr(addresses, "_WEB_PORTS", frozenset({80, 443, server.port}))
        yield server


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "127.1",
        "0.0.0.0",
        "0",
        "127。0。0。1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[::1]",
        "[::]",
    ],
)
def test_private_address_is_never_contacted(host: str, tmp_path: Path, sentinel: Server) -> None:
    refused(AddressNotAllowedError, sentinel.url(host=host), tmp_path, AddressPolicy())
    assert sentinel.connections == 0


def test_the_sentinel_hears_what_is_permitted(tmp_path: Path, sentinel: Server) -> None:
    assert get(sentinel.url(), tmp_path) == b"secret"
    assert sentinel.connections == 1


def test_public_address_on_another_port_is_not_contacted(
    tmp_path: Path, resolver: Resolver
) -> None:
    resolver("video.test", [["8.8.8.8"]])
    refused(AddressNotAllowedError, "http://video.test:6379/", tmp_path)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_to_a_private_address(status: int, tmp_path: Path, sentinel: Server) -> None:
    answer = reply(status=status, Location=sentinel.url("/latest/meta-data"))
    with Server(answer, "127.0.0.2") as server:
        refused(AddressNotAllowedError, server.url(), tmp_path, ONLY_SECOND)
    assert server.connections == 1
    assert sentinel.connections == 0


def test_rebinding_between_check_and_connection(
    tmp_path: Path, sentinel: Server, resolver: Resolver
) -> None:
    asked = resolver("video.test", [["127.0.0.2"], ["127.0.0.1"]])
    with Server(reply(BODY), "127.0.0.2", sentinel.port):
        url = sentinel.url(host="video.test")
        assert get(url, tmp_path, ONLY_SECOND) == BODY
        assert asked == ["video.test"]
        # Asked anew, it is judged anew.
        refused(AddressNotAllowedError, url, tmp_path, ONLY_SECOND)
    assert sentinel.connections == 0


def test_rebinding_between_redirects(tmp_path: Path, sentinel: Server, resolver: Resolver) -> None:
    asked = resolver("video.test", [["127.0.0.2"], ["127.0.0.1"]])
    with Server(reply(status=302, Location="/again"), "127.0.0.2", sentinel.port) as server:
        url = sentinel.url(host="video.test")
        refused(AddressNotAllowedError, url, tmp_path, ONLY_SECOND)
        assert server.connections == 1
    assert len(asked) == 2
    assert sentinel.connections == 0


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.2", "127.0.0.1"],
        ["127.0.0.1", "127.0.0.2"],
        ["127.0.0.2", "::1"],
        ["127.0.0.2", "10.0.0.1", "127.0.0.2"],
    ],
)
def test_one_bad_address_among_good_ones(
    answer: list[str], tmp_path: Path, sentinel: Server, resolver: Resolver
) -> None:
    resolver("video.test", [answer])
    with Server(reply(BODY), "127.0.0.2", sentinel.port) as server:
        refused(AddressNotAllowedError, sentinel.url(host="video.test"), tmp_path, ONLY_SECOND)
        assert server.connections == 0
    assert sentinel.connections == 0


def count_down(connection: socket.socket, path: str) -> None:
    left = int(path.strip("/"))
    answer = reply(BODY) if left == 0 else reply(status=302, Location=f"/{left - 1}")
    answer(connection, path)


def test_ten_redirects_are_followed(tmp_path: Path) -> None:
    with Server(count_down) as server:
        assert get(server.url("/10"), tmp_path) == BODY
    assert server.connections == 11


def test_the_eleventh_redirect_is_not(tmp_path: Path) -> None:
    with Server(count_down) as server:
        error = refused(SourceError, server.url("/11"), tmp_path)
    assert not error.retryable
    assert server.connections == 11


def test_redirect_loop(tmp_path: Path) -> None:
    with Server(reply(status=302, Location="/loop")) as server:
        refused(SourceError, server.url("/loop"), tmp_path)
    assert server.connections == 11


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("file:///etc/passwd", AddressNotAllowedError),
        ("gs://bucket/object", AddressNotAllowedError),
        ("ftp://example.com/x", AddressNotAllowedError),
        ("data:video/mp4;base64,AAAA", AddressNotAllowedError),
        ("http://user:password@127.0.0.1/", SourceError),
        ("http://127.0.0.1\\@example.com/", SourceError),
        ("http://[::1/", SourceError),
        ("", SourceError),
    ],
)
def test_redirect_elsewhere(location: str, kind: type[ServiceError], tmp_path: Path) -> None:
    with Server(reply(status=302, Location=location)) as server:
        refused(kind, server.url(), tmp_path, gcs_buckets=frozenset({"bucket"}))
    assert server.connections == 1


def test_redirect_without_location(tmp_path: Path) -> None:
    with Server(reply(status=302)) as server:
        refused(SourceError, server.url(), tmp_path)


def test_body_of_a_redirect_is_not_read(tmp_path: Path) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: %b\r\n\r\n"
    with Server(reply(BODY)) as target:
        endless = forever(head % target.url().encode(), b"x" * 65536, target.over, 0)
        with Server(endless) as server:
            assert get(server.url(), tmp_path) == BODY
