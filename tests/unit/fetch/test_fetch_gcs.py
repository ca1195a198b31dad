"""gs:// through Google's own client, against an emulator on loopback."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.auth.exceptions import DefaultCredentialsError

from deployments.concurrency import WorkCancelledError
from deployments.errors import (
    AddressNotAllowedError,
    SourceError,
    SourceNotFoundError,
    TooLargeError,
    UnreachableError,
)
from deployments.fetch import guarded_fetch as fetch_module
from deployments.fetch.addresses import AddressPolicy
from deployments.fetch.guarded_fetch import FetchLimits, fetch
from tests.support.gcs_emulator import GcsEmulator, StoredObject
from tests.support.loopback_server import closed_port

pytestmark = [
    # Google's client mentions a package it can do without, once, when it is imported; and it leaves
    # the connections of answers it retries to the garbage collector.
    pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

BODY = bytes(range(256)) * 1000
OBJECT = ("videos", "day 1/ride?.mp4")
URL = "gs://videos/day 1/ride?.mp4"
BUCKETS = frozenset({"videos"})
LIMITS = FetchLimits(max_bytes=1_000_000, total_timeout_s=20)


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[GcsEmulator]:
    with GcsEmulator() as emulator:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.url)
        yield emulator
    gc.collect()  # here, where its warnings are expected, and not in a later test


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Google's retries wait up to a second at first: here they wait 10 ms."""
    from google.cloud.storage import retry

    monkeypatch.setattr(retry, "DEFAULT_RETRY", retry.DEFAULT_RETRY.with_delay(0.01, 0.01))


def get(folder: Path, url: str = URL, **keywords: Any) -> Path:
    limits = keywords.pop("limits", LIMITS)
    buckets = keywords.pop("gcs_buckets", BUCKETS)
    return fetch(url, folder, AddressPolicy(), limits, gcs_buckets=buckets, **keywords)


def refused(kind: type[Exception], folder: Path, **keywords: Any) -> Any:
    with pytest.raises(kind) as caught:
        get(folder, **keywords)
    assert type(caught.value) is kind
    assert list(folder.iterdir()) == []
    return caught.value


def test_download(tmp_path: Path, gcs: GcsEmulator) -> None:
    gcs.objects[OBJECT] = StoredObject(BODY)
    seen: list[tuple[int, int | None]] = []
    path = get(tmp_path, progress=lambda received, total: seen.append((received, total)))
    assert path.read_bytes() == BODY
    assert list(tmp_path.iterdir()) == [path]
    assert seen[-1] == (len(BODY), len(BODY))
    assert gcs.requests == ["GET metadata", "GET media"]


@pytest.mark.parametrize("buckets", [frozenset(), frozenset({"video"}), frozenset({"videos-2"})])
def test_foreign_bucket_is_not_asked(
    buckets: frozenset[str], tmp_path: Path, gcs: GcsEmulator
) -> None:
    gcs.objects[OBJECT] = StoredObject(BODY)
    refused(AddressNotAllowedError, tmp_path, gcs_buckets=buckets)
    assert gcs.requests == []


def test_absent(tmp_path: Path, gcs: GcsEmulator) -> None:
    assert not refused(SourceNotFoundError, tmp_path).retryable
    assert gcs.requests == ["GET metadata"]


@pytest.mark.parametrize("request_", ["GET metadata", "GET media"])
@pytest.mark.parametrize("status", [400, 403, 404])
def test_not_given(request_: str, status: int, tmp_path: Path, gcs: GcsEmulator) -> None:
    gcs.objects[OBJECT] = StoredObject(BODY)
    gcs.faults = [(request_, status)]
    error = refused(SourceNotFoundError, tmp_path)
    assert error.facts["upstream_status"] == status
    assert "127.0.0.1" not in error.detail


def test_temporary_failures_are_retried(tmp_path: Path, gcs: GcsEmulator) -> None:
    gcs.objects[OBJECT] = StoredObject(BODY)
    gcs.faults = [("GET metadata", 503), ("GET media", 503), ("GET media", 429)]
    assert get(tmp_path).read_bytes() == BODY
    assert gcs.faults == []


def test_broken_body_goes_on_where_it_broke(tmp_path: Path, gcs: GcsEmulator) -> None:
    gcs.objects[OBJECT] = StoredObject(BODY)
    gcs.faults = [("GET media", -1)]
    assert get(tmp_path).read_bytes() == BODY
    assert gcs.requests == ["GET metadata", "GET media", "GET media"]


def test_lasting_failure(tmp_path: Path, gcs: GcsEmulator) -> None:
    gcs.objects[OBJECT] = StoredObject(BODY)
    gcs.faults = [("GET metadata", 503)] * 1000
    limits = FetchLimits(max_bytes=1_000_000, total_timeout_s=0.3)
    assert refused(UnreachableError, tmp_path, limits=limits).retryable


def test_nothing_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = FetchLimits(max_bytes=1_000_000, total_timeout_s=0.3)
    with closed_port() as port:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        assert refused(UnreachableError, tmp_path, limits=limits).retryable


def test_too_large_by_its_metadata_is_not_downloaded(tmp_path: Path, gcs: GcsEmulator) -> None:
    gcs.objects[OBJECT] = StoredObject(BODY)
    error = refused(TooLargeError, tmp_path, limits=FetchLimits(len(BODY) - 1))
    assert error.facts == {"limit": len(BODY) - 1, "value": len(BODY)}
    assert gcs.requests == ["GET metadata"]


def test_larger_than_its_metadata(tmp_path: Path, gcs: GcsEmulator) -> None:
    gcs.objects[OBJECT] = StoredObject(BODY, size=10)
    refused(TooLargeError, tmp_path, limits=FetchLimits(len(BODY) - 1))


def test_damaged_on_the_way(tmp_path: Path, gcs: GcsEmulator) -> None:
    gcs.objects[OBJECT] = StoredObject(BODY, served=BODY[:-1] + b"?")
    assert refused(UnreachableError, tmp_path).retryable


def test_compressed_object(tmp_path: Path, gcs: GcsEmulator) -> None:
    gcs.objects[OBJECT] = StoredObject(BODY, content_encoding="gzip")
    refused(SourceError, tmp_path)
    assert gcs.requests == ["GET metadata"]


def test_identity_is_not_accepted(tmp_path: Path, gcs: GcsEmulator) -> None:
    gcs.objects[OBJECT] = StoredObject(BODY)
    gcs.faults = [("GET metadata", 401)]
    error = refused(UnreachableError, tmp_path)
    assert not error.retryable
    assert "identity" in error.detail


def test_service_without_identity(
    tmp_path: Path, gcs: GcsEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_identity() -> Any:
        raise DefaultCredentialsError("Your default credentials were not found.")

    monkeypatch.setattr(fetch_module, "gcs_client", no_identity)
    error = refused(UnreachableError, tmp_path)
    assert not error.retryable
    assert "credentials" in error.hint


def test_cancel(tmp_path: Path, gcs: GcsEmulator) -> None:
    gcs.objects[OBJECT] = StoredObject(BODY)
    seen: list[int] = []
    refused(
        WorkCancelledError,
        tmp_path,
        progress=lambda received, _total: seen.append(received),
        cancelled=lambda: bool(seen),
    )
    assert seen[0] < len(BODY)
    assert len(seen) == 1
