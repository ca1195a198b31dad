"""Downloads end: by size, by time, by a full disk, and when nobody wants them any more."""

import socket
import threading
from pathlib import Path

import pytest

from deployments.concurrency import WorkCancelledError
from deployments.errors import (
    TooLargeError,
    UnreachableError,
    WorkingFilesError,
)
from deployments.fetch.guarded_connection import Budget
from deployments.fetch.guarded_fetch import FetchLimits
from deployments.fetch.spool import Sink
from tests.support.downloads import BODY, LIMITS, refused
from tests.support.loopback_server import Server, forever, reply


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
    monkeypatch.setattr("deployments.fetch.spool.shutil.disk_usage", lambda _fd: usage)
    with Server(reply(BODY)) as server:
        assert refused(WorkingFilesError, server.url(), tmp_path).retryable


@pytest.mark.parametrize("size", [10, 100_000])
def test_disk_that_fills_up(size: int) -> None:
    with pytest.raises(WorkingFilesError, match="No space left"):
        _fill(size)


def _fill(size: int) -> None:
    file = Path("/dev/full").open("wb")  # noqa: SIM115 - closing it fails again
    sink = Sink(file, 1_000_000, Budget("test", 10), None)
    try:
        sink.write(b"x" * size)
        sink.flush()
    finally:
        file.raw.close()


def test_cancel_during_the_body(tmp_path: Path) -> None:
    received = threading.Event()
    with Server(reply(BODY)) as server:
        refused(
            WorkCancelledError,
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
        refused(WorkCancelledError, server.url(), tmp_path, limits=limits, cancelled=asked.is_set)
        stop.set()


def test_cancelled_before_the_start_contacts_nobody(tmp_path: Path) -> None:
    with Server(reply(BODY)) as server:
        refused(WorkCancelledError, server.url(), tmp_path, cancelled=lambda: True)
    assert server.connections == 0
