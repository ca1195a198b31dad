"""Addresses as text: what is malformed, and that no secret is told."""

import logging
from pathlib import Path

import pytest

from deployments.errors import (
    AddressNotAllowedError,
    ServiceError,
    SourceError,
    SourceNotFoundError,
)
from deployments.fetch.guarded_fetch import fetch
from tests.support.downloads import BODY, LIMITS, LOOPBACK, refused
from tests.support.loopback_server import Answer, Server, raw, reply


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
