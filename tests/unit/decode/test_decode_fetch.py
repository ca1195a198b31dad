"""Downloads over loopback only: what is refused is never contacted, what breaks leaves nothing."""

import datetime
import ipaddress
import logging
import socket
import ssl
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from loopback_server import Answer, Server, closed_port, forever, raw, reply, reset

from deployments.decode import addresses
from deployments.decode.addresses import AddressPolicy
from deployments.decode.connect import Budget
from deployments.decode.fetch import FetchCancelledError, FetchLimits, fetch
from deployments.decode.spool import Sink
from deployments.errors import (
    AddressNotAllowedError,
    ServiceError,
    SourceError,
    SourceNotFoundError,
    StageFailedError,
    TooLargeError,
    UnreachableError,
)

BODY = bytes(range(256)) * 1000
LOOPBACK = AddressPolicy(frozenset({"127.0.0.1", "127.0.0.2"}))
ONLY_SECOND = AddressPolicy(frozenset({"127.0.0.2"}))
LIMITS = FetchLimits(max_bytes=1_000_000, connect_timeout_s=5, read_timeout_s=5, total_timeout_s=20)
Resolver = Callable[[str, list[list[str]]], list[str]]


def get(url: str, folder: Path, policy: AddressPolicy = LOOPBACK, **keywords: Any) -> bytes:
    """The downloaded bytes, the file checked and gone again."""
    limits = keywords.pop("limits", LIMITS)
    path = fetch(url, folder, policy, limits, **keywords)
    assert path.parent == folder
    assert list(folder.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = path.read_bytes()
    path.unlink()
    return content


def refused(
    kind: type[Exception], url: str, folder: Path, policy: AddressPolicy = LOOPBACK, **keywords: Any
) -> Any:
    """The error of exactly this kind; nothing is left in the folder."""
    limits = keywords.pop("limits", LIMITS)
    with pytest.raises(kind) as caught:
        fetch(url, folder, policy, limits, **keywords)
    assert type(caught.value) is kind
    assert list(folder.iterdir()) == []
    return caught.value


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Makes a name resolve to one answer after another; returns the list of names asked for."""

    def install(name: str, answers: list[list[str]]) -> list[str]:
        asked: list[str] = []
        real = socket.getaddrinfo

        def stub(host: str, port: int, *args: Any, **keywords: Any) -> Any:
            if host != name:
                ipaddress.ip_address(host)  # anything but a literal would leave this machine
                return real(host, port, *args, **keywords)
            asked.append(host)
            answer = answers[min(len(asked), len(answers)) - 1]
            return [item for text in answer for item in real(text, port, type=socket.SOCK_STREAM)]

        monkeypatch.setattr(socket, "getaddrinfo", stub)
        return asked

    return install


# --- What works


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


# --- Which addresses are contacted


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


# --- Redirects


def count_down(connection: socket.socket, path: str) -> None:
    left = int(path.strip("/"))
    answer = reply(BODY) if left == 0 else reply(status=302, Location=f"/{left - 1}")
    answer(connection, path)


def test_three_redirects_are_followed(tmp_path: Path) -> None:
    with Server(count_down) as server:
        assert get(server.url("/3"), tmp_path) == BODY
    assert server.connections == 4


def test_the_fourth_redirect_is_not(tmp_path: Path) -> None:
    with Server(count_down) as server:
        error = refused(SourceError, server.url("/4"), tmp_path)
    assert not error.retryable
    assert server.connections == 4


def test_redirect_loop(tmp_path: Path) -> None:
    with Server(reply(status=302, Location="/loop")) as server:
        refused(SourceError, server.url("/loop"), tmp_path)
    assert server.connections == 4


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


# --- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for video.test, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "video.test")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("video.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


@pytest.mark.usefixtures("trusted")
def test_https_keeps_the_name(tmp_path: Path, tls: ssl.SSLContext, resolver: Resolver) -> None:
    resolver("video.test", [["127.0.0.1"]])
    with Server(reply(BODY), tls=tls) as server:
        assert get(server.url(host="video.test"), tmp_path) == BODY
    assert server.server_names == ["video.test"]
    assert f"Host: video.test:{server.port}\r\n" in server.requests[0]


def test_unknown_certificate(tmp_path: Path, tls: ssl.SSLContext, resolver: Resolver) -> None:
    resolver("video.test", [["127.0.0.1"]])
    with Server(reply(BODY), tls=tls) as server:
        refused(UnreachableError, server.url(host="video.test"), tmp_path)
    assert server.requests == []


@pytest.mark.usefixtures("trusted")
def test_certificate_of_another_host(tmp_path: Path, tls: ssl.SSLContext) -> None:
    with Server(reply(BODY), tls=tls) as server:
        refused(UnreachableError, server.url(), tmp_path)
    assert server.requests == []


@pytest.mark.usefixtures("trusted")
def test_downgrade_to_http(tmp_path: Path, tls: ssl.SSLContext, resolver: Resolver) -> None:
    resolver("video.test", [["127.0.0.1"]])
    with Server(reply(BODY)) as plain:
        with Server(reply(status=302, Location=plain.url()), tls=tls) as server:
            refused(AddressNotAllowedError, server.url(host="video.test"), tmp_path)
        assert server.connections == 1
    assert plain.connections == 0


@pytest.mark.usefixtures("trusted")
def test_https_only(tmp_path: Path, tls: ssl.SSLContext, resolver: Resolver) -> None:
    resolver("video.test", [["127.0.0.1"]])
    policy = AddressPolicy(frozenset({"127.0.0.1"}), allow_http=False)
    with Server(reply(BODY)) as plain, Server(reply(BODY), tls=tls) as server:
        assert get(server.url(host="video.test"), tmp_path, policy) == BODY
        refused(AddressNotAllowedError, plain.url(), tmp_path, policy)
    assert plain.connections == 0


# --- Answers that fail


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


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "gzip, identity", "x" * 500])
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


# --- Limits


def test_announced_too_large(tmp_path: Path) -> None:
    with Server(reply(BODY)) as server:
        limits = FetchLimits(len(BODY) - 1)
        error = refused(TooLargeError, server.url(), tmp_path, limits=limits)
    assert error.facts == {"limit": len(BODY) - 1, "value": len(BODY)}


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"10000\r\n" + b"x" * 65536 + b"\r\n",
        ),
    ],
)
def test_endless_body(head: bytes, piece: bytes, tmp_path: Path) -> None:
    largest = 0

    def progress(received: int, _total: int | None) -> None:
        nonlocal largest
        largest = received

    with Server(forever(head, piece, threading.Event(), 0)) as server:
        refused(TooLargeError, server.url(), tmp_path, progress=progress)
    assert 0 < largest <= LIMITS.max_bytes


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (b"H", b""),
    ],
)
def test_slow_drip_ends_with_the_total_time(head: bytes, piece: bytes, tmp_path: Path) -> None:
    limits = FetchLimits(1_000_000, read_timeout_s=60, total_timeout_s=0.4)
    stop = threading.Event()
    with Server(forever(head, piece, stop, 0.02)) as server:
        error = refused(UnreachableError, server.url(), tmp_path, limits=limits)
        stop.set()
    assert error.retryable
    assert error.facts == {"limit_s": 0.4}


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegin"])
def test_silence_ends_with_the_read_timeout(head: bytes, tmp_path: Path) -> None:
    limits = FetchLimits(1_000_000, read_timeout_s=0.3, total_timeout_s=60)
    stop = threading.Event()
    with Server(forever(head, b"", stop, 0.02)) as server:
        error = refused(UnreachableError, server.url(), tmp_path, limits=limits)
        stop.set()
    assert "in time" in error.detail


def test_resolver_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_keywords: stop.wait(30) and [])
    limits = FetchLimits(1_000_000, connect_timeout_s=0.2, total_timeout_s=60)
    error = refused(UnreachableError, "http://video.test/", tmp_path, limits=limits)
    stop.set()
    assert "in time" in error.detail


def test_disk_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr("deployments.decode.spool.shutil.disk_usage", lambda _fd: usage)
    with Server(reply(BODY)) as server:
        assert refused(StageFailedError, server.url(), tmp_path).retryable


@pytest.mark.parametrize("size", [10, 100_000])
def test_disk_that_fills_up(size: int) -> None:
    with pytest.raises(StageFailedError, match="No space left"):
        _fill(size)


def _fill(size: int) -> None:
    file = Path("/dev/full").open("wb")  # noqa: SIM115 - closing it fails again
    sink = Sink(file, 1_000_000, Budget("test", 10), None)
    try:
        sink.write(b"x" * size)
        sink.flush()
    finally:
        file.raw.close()


# --- Cancelling


def test_cancel_during_the_body(tmp_path: Path) -> None:
    received = threading.Event()
    with Server(reply(BODY)) as server:
        refused(
            FetchCancelledError,
            server.url(),
            tmp_path,
            progress=lambda _received, _total: received.set(),
            cancelled=received.is_set,
        )
    assert server.connections == 1


def test_cancel_while_waiting_for_an_answer(tmp_path: Path) -> None:
    limits = FetchLimits(1_000_000, read_timeout_s=600, total_timeout_s=600)
    asked, stop = threading.Event(), threading.Event()

    def silent(_connection: socket.socket, _path: str) -> None:
        asked.set()
        stop.wait(30)

    with Server(silent) as server:
        refused(FetchCancelledError, server.url(), tmp_path, limits=limits, cancelled=asked.is_set)
        stop.set()


def test_cancelled_before_the_start_contacts_nobody(tmp_path: Path) -> None:
    with Server(reply(BODY)) as server:
        refused(FetchCancelledError, server.url(), tmp_path, cancelled=lambda: True)
    assert server.connections == 0


# --- Addresses as text


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1\\@example.com/",
        "http://example.com\\.evil.test/",
        "http://user@127.0.0.1/",
        "http://user:password@127.0.0.1/",
        "http://@127.0.0.1/",
        "http://127.0.0.1/\r\nX: y",
        "http://127.0.0.1/\tx",
        "http://127.0.0.1\x00.example.com/",
        "http://127.0.0.1/\x85",
        "http://",
        "http:///video.mp4",
        "http://?x",
        "http://exa mple.com/",
        "http://ex%61mple.com/",
        "http://example..com/",
        "http://[::1/",
        "http://[fe80::1%25eth0]/",
        "http://[::1%lo]/",
        "http://[v1.x]/",
        "http://0177.0.0.1/",  # octal by one reading, decimal by another
        "http://127.0.0.1:0/",
        "http://127.0.0.1:65536/",
        "http://127.0.0.1:80:80/",
        "http://127.0.0.1:port/",
        "http://①②⑦.⓪.⓪.①/",
        "http://a.b\N{SOFT HYPHEN}\N{ZERO WIDTH JOINER}/",
        "http://" + "a" * 64 + ".test/",
        "http://127.0.0.1/" + "x" * 70_000,
        "gs://",
        "gs://bucket",
        "gs://bucket/",
        "gs:///object",
        "gs://user@bucket/object",
        "gs://bucket:80/object",
        "gs://Bucket/object",
        "gs://bucket/ob\\ject",
        "gs://bucket/ob\nject",
    ],
)
def test_malformed(url: str, tmp_path: Path) -> None:
    error = refused(SourceError, url, tmp_path, gcs_buckets=frozenset({"bucket"}))
    assert not error.retryable


@pytest.mark.parametrize(
    "url",
    [
        "",
        "video.mp4",
        "/etc/passwd",
        "//127.0.0.1/x",
        "file:///etc/passwd",
        "FILE:///etc/passwd",
        "ftp://127.0.0.1/",
        "data:video/mp4;base64,AAAA",
        "rtsp://127.0.0.1/",
        "concat:/etc/passwd|x",
        "s3://bucket/object",
        "gs:bucket/object",
        "javascript:alert(1)",
    ],
)
def test_other_schemes(url: str, tmp_path: Path) -> None:
    refused(AddressNotAllowedError, url, tmp_path)


SECRET = "X-Goog-Signature=0123456789abcdef"


@pytest.mark.parametrize(
    "answer",
    [
        reply(BODY),
        reply(status=404),
        reply(status=503),
        reply(status=302, Location=f"/loop?{SECRET}"),
        reply(status=302, Location=f"http://[::1/?{SECRET}"),
        reply(status=302, Location=f"http://10.0.0.1/?{SECRET}"),
        reply(BODY, Content_Encoding="gzip"),
        reply(BODY * 10),
        reply(BODY, length=len(BODY) + 1),
        raw(b"garbage"),
    ],
)
def test_query_is_neither_told_nor_logged(
    answer: Answer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with Server(answer) as server:
        url = server.url(f"/video.mp4?{SECRET}")
        try:
            fetch(url, tmp_path, LOOPBACK, LIMITS)
        except ServiceError as error:
            told = repr(error) + error.hint + repr(error.facts)
            assert SECRET not in told
            assert "?" not in told
    assert SECRET in server.requests[0]
    assert SECRET not in caplog.text


def test_query_of_a_malformed_address_is_not_in_the_trace(tmp_path: Path) -> None:
    error = refused(SourceError, f"http://[::1/?{SECRET}", tmp_path)
    while error is not None:
        assert SECRET not in repr(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_long_path_is_shortened_in_messages(tmp_path: Path) -> None:
    with Server(reply(status=404)) as server:
        error = refused(SourceNotFoundError, server.url("/" + "x" * 5000), tmp_path)
    assert len(error.detail) < 300
