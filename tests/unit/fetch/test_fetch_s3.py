"""s3:// through obstore, against an emulator on loopback."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments.concurrency import WorkCancelledError
from deployments.errors import (
    AddressNotAllowedError,
    SourceError,
    SourceNotFoundError,
    TooLargeError,
    UnreachableError,
)
from deployments.fetch.addresses import AddressPolicy
from deployments.fetch.guarded_fetch import FetchLimits, fetch
from tests.support.loopback_server import closed_port
from tests.support.s3_emulator import ENVIRONMENT, S3Emulator, StoredObject

BODY = bytes(range(256)) * 4000
OBJECT = ("videos", "day 1/ride?%20ü.mp4")
URL = "s3://videos/day 1/ride?%20ü.mp4"
BUCKETS = frozenset({"videos"})
LIMITS = FetchLimits(max_bytes=2_000_000, total_timeout_s=20)
SHORT = FetchLimits(max_bytes=2_000_000, read_timeout_s=0.2, total_timeout_s=0.6)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Emulator]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with S3Emulator() as emulator:
        emulator.objects[OBJECT] = StoredObject(BODY)
        yield emulator


def get(folder: Path, endpoint: str, url: str = URL, **keywords: Any) -> Path:
    limits = keywords.pop("limits", LIMITS)
    buckets = keywords.pop("s3_buckets", BUCKETS)
    return fetch(
        url,
        folder,
        AddressPolicy(),
        limits,
        s3_buckets=buckets,
        s3_endpoint=endpoint,
        gcs_buckets=BUCKETS,
        **keywords,
    )


def refused(kind: type[Exception], folder: Path, endpoint: str, **keywords: Any) -> Any:
    with pytest.raises(kind) as caught:
        get(folder, endpoint, **keywords)
    assert type(caught.value) is kind
    assert list(folder.iterdir()) == []
    assert "127.0.0.1" not in getattr(caught.value, "detail", "")
    return caught.value


def test_download(tmp_path: Path, s3: S3Emulator) -> None:
    seen: list[tuple[int, int | None]] = []
    path = get(tmp_path, s3.url, progress=lambda received, total: seen.append((received, total)))
    assert path.read_bytes() == BODY
    assert list(tmp_path.iterdir()) == [path]
    assert len(seen) > 1  # as it comes, not whole
    assert seen[-1] == (len(BODY), len(BODY))
    assert s3.requests == ["GET"]


@pytest.mark.parametrize("buckets", [frozenset(), frozenset({"video"}), frozenset({"videos-2"})])
def test_foreign_bucket_is_not_asked(
    buckets: frozenset[str], tmp_path: Path, s3: S3Emulator
) -> None:
    refused(AddressNotAllowedError, tmp_path, s3.url, s3_buckets=buckets)
    assert s3.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3://videos",
        "s3://videos/",
        "s3:///ride.mp4",
        "s3://key@videos/ride.mp4",
        "s3://videos:80/ride.mp4",
        "s3://videos/../ride.mp4",
        "s3://videos//ride.mp4",
        "s3://videos/a/./ride.mp4",
        "s3://videos/ride.mp4/",
        "s3://videos/ri\\de.mp4",
    ],
)
def test_malformed_address_is_not_asked(url: str, tmp_path: Path, s3: S3Emulator) -> None:
    refused(SourceError, tmp_path, s3.url, url=url)
    assert s3.requests == []


def test_absent(tmp_path: Path, s3: S3Emulator) -> None:
    error = refused(SourceNotFoundError, tmp_path, s3.url, url="s3://videos/absent.mp4")
    assert (error.retryable, error.facts["upstream_status"]) == (False, 404)


def test_no_right(tmp_path: Path, s3: S3Emulator) -> None:
    s3.faults = [("GET", 403)]
    assert refused(SourceNotFoundError, tmp_path, s3.url).facts["upstream_status"] == 403


def test_identity_is_not_accepted(tmp_path: Path, s3: S3Emulator) -> None:
    s3.faults = [("GET", 401)]
    error = refused(UnreachableError, tmp_path, s3.url)
    assert not error.retryable
    assert "credentials" in error.hint


def test_another_key_is_refused_by_the_store(
    tmp_path: Path, s3: S3Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The identity is that of the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ANOTHER")
    refused(SourceNotFoundError, tmp_path, s3.url)


def test_temporary_failures_are_retried(tmp_path: Path, s3: S3Emulator) -> None:
    s3.faults = [("GET", 503), ("GET", 429)]
    assert get(tmp_path, s3.url).read_bytes() == BODY
    assert s3.faults == []


def test_broken_body_goes_on_where_it_broke(tmp_path: Path, s3: S3Emulator) -> None:
    s3.faults = [("GET", -1)]
    assert get(tmp_path, s3.url).read_bytes() == BODY
    assert s3.requests == ["GET", "GET"]


def test_a_new_version_in_between_is_not_joined_to_the_old(tmp_path: Path, s3: S3Emulator) -> None:
    s3.faults = [("GET", -1)]

    def replaced(*_: object) -> None:
        s3.objects[OBJECT] = StoredObject(BODY[::-1])

    refused(UnreachableError, tmp_path, s3.url, progress=replaced)


def test_lasting_failure(tmp_path: Path, s3: S3Emulator) -> None:
    s3.faults = [("GET", 503)] * 1000
    assert refused(UnreachableError, tmp_path, s3.url, limits=SHORT).retryable


def test_nothing_listens(tmp_path: Path, s3: S3Emulator) -> None:
    with closed_port() as port:
        error = refused(UnreachableError, tmp_path, f"http://127.0.0.1:{port}", limits=SHORT)
    assert error.retryable


@pytest.mark.parametrize(
    "limits", [SHORT, FetchLimits(10**9, 5, 5, 20, min_rate=1e9, window_s=0.2)]
)
def test_a_body_that_stalls_is_ended(limits: FetchLimits, tmp_path: Path, s3: S3Emulator) -> None:
    s3.faults = [("GET", -2)] * 1000
    assert refused(UnreachableError, tmp_path, s3.url, limits=limits).retryable


def test_too_large_by_its_metadata_is_not_written(tmp_path: Path, s3: S3Emulator) -> None:
    seen: list[int] = []
    error = refused(
        TooLargeError,
        tmp_path,
        s3.url,
        limits=FetchLimits(len(BODY) - 1),
        progress=lambda received, _total: seen.append(received),
    )
    assert error.facts == {"limit": len(BODY) - 1, "value": len(BODY)}
    assert seen == []


def test_shorter_than_its_metadata(tmp_path: Path, s3: S3Emulator) -> None:
    s3.objects[OBJECT] = StoredObject(BODY, size=len(BODY) + 1)
    refused(UnreachableError, tmp_path, s3.url, limits=SHORT)


def test_compressed_object(tmp_path: Path, s3: S3Emulator) -> None:
    s3.objects[OBJECT] = StoredObject(BODY, {"Content-Encoding": "gzip"})
    refused(SourceError, tmp_path, s3.url)
    s3.objects[OBJECT] = StoredObject(BODY, {"Content-Encoding": "aws-chunked"})
    assert get(tmp_path, s3.url).read_bytes() == BODY


def test_cancel(tmp_path: Path, s3: S3Emulator) -> None:
    seen: list[int] = []
    refused(
        WorkCancelledError,
        tmp_path,
        s3.url,
        progress=lambda received, _total: seen.append(received),
        cancelled=lambda: bool(seen),
    )
    assert len(seen) == 1
    assert seen[0] < len(BODY)


def test_cancel_while_nothing_comes(tmp_path: Path, s3: S3Emulator) -> None:
    s3.faults = [("GET", -2)]
    came: list[float] = []
    refused(
        WorkCancelledError,
        tmp_path,
        s3.url,
        progress=lambda *_: came.append(time.monotonic()),
        cancelled=lambda: bool(came) and time.monotonic() > came[-1] + 0.5,
    )
    assert s3.requests == ["GET"]
