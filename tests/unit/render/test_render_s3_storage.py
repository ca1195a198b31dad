"""A bucket of S3 as the store of videos, through obstore against an emulator on loopback."""

import dataclasses
import hashlib
import pickle
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from deployments.errors import BadParameterError, StorageError
from deployments.fetch.s3 import S3Limits
from deployments.render.s3_storage import S3VideoStore
from deployments.render.storage import open_store
from tests.support.loopback_server import closed_port
from tests.support.s3_emulator import ENVIRONMENT, S3Emulator, StoredObject

BODY = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()
LARGE = BODY * 70
"""More than two parts."""

QUICK = S3Limits(retry_s=0.3, wait_s=0.01)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Emulator]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with S3Emulator() as emulator:
        yield emulator


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "rendered.mp4"
    path.write_bytes(BODY)
    return path


def store_at(url: str, prefix: str = "", url_s: float = 3600) -> S3VideoStore:
    return S3VideoStore("bucket", prefix, url, url_s, QUICK)


@pytest.mark.parametrize(
    ("content", "requests"),
    [
        (BODY, ["HEAD", "PUT"]),
        (LARGE, ["HEAD", "POST begin", *["PUT part"] * 3, "POST complete"]),
    ],
    ids=["small", "large"],
)
def test_put(content: bytes, requests: list[str], video: Path, s3: S3Emulator) -> None:
    video.write_bytes(content)
    stored = store_at(s3.url, "results/day 1").put(video, "job-1.mp4")
    assert (stored.size_bytes, stored.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    kept = s3.objects["bucket", "results/day 1/job-1.mp4"]
    assert kept.content == content
    assert {name.lower(): value for name, value in kept.headers.items()} == {
        "content-type": "video/mp4",
        "x-amz-meta-sha256": stored.sha256,
    }
    assert s3.requests == requests
    assert httpx.get(stored.url).content == content


@pytest.mark.parametrize(("asked", "signed"), [(3600, "3600"), (10**8, "604800")])
def test_the_address_is_signed_for_a_time(
    asked: float, signed: str, video: Path, s3: S3Emulator
) -> None:
    url = urlsplit(store_at(s3.url, url_s=asked).put(video, "job-1.mp4").url)
    query = parse_qs(url.query)
    assert (url.path, query["X-Amz-Expires"]) == ("/bucket/job-1.mp4", [signed])
    assert query["X-Amz-Signature"]


@pytest.mark.parametrize("content", [BODY, LARGE], ids=["small", "large"])
def test_the_same_video_again(content: bytes, video: Path, s3: S3Emulator) -> None:
    video.write_bytes(content)
    store = store_at(s3.url)
    first = store.put(video, "job-1.mp4")
    s3.requests.clear()
    assert store.put(video, "job-1.mp4").sha256 == first.sha256
    assert s3.requests == ["HEAD"]


@pytest.mark.parametrize("content", [BODY, LARGE], ids=["small", "large"])
def test_another_video_under_the_same_key_stays(
    content: bytes, video: Path, s3: S3Emulator
) -> None:
    video.write_bytes(content)
    s3.objects["bucket", "job-1.mp4"] = StoredObject(content[::-1])
    with pytest.raises(StorageError, match="another video") as caught:
        store_at(s3.url).put(video, "job-1.mp4")
    assert not caught.value.retryable
    assert s3.objects["bucket", "job-1.mp4"].content == content[::-1]


@pytest.mark.parametrize("same", [True, False])
def test_a_video_that_another_stores_meanwhile_stays(
    same: bool, video: Path, s3: S3Emulator
) -> None:
    """Between the first look and the upload: the store itself refuses to overwrite."""
    digest = {"x-amz-meta-sha256": SHA256 if same else "0"}
    s3.after["HEAD"] = lambda: s3.objects.update(
        {("bucket", "job-1.mp4"): StoredObject(BODY, digest)}
    )
    if same:
        assert store_at(s3.url).put(video, "job-1.mp4").sha256 == SHA256
    else:
        with pytest.raises(StorageError, match="another video"):
            store_at(s3.url).put(video, "job-1.mp4")
    assert s3.requests == ["HEAD", "PUT", "HEAD"]
    assert s3.objects["bucket", "job-1.mp4"].headers == digest


def test_an_answer_that_is_lost_is_no_failure(video: Path, s3: S3Emulator) -> None:
    s3.faults = [("PUT", 0)]
    assert store_at(s3.url).put(video, "job-1.mp4").sha256 == SHA256
    assert s3.requests == ["HEAD", "PUT", "PUT", "HEAD"]


@pytest.mark.parametrize(
    ("content", "request_"), [(BODY, "PUT"), (LARGE, "PUT part"), (LARGE, "POST begin")]
)
def test_retries(content: bytes, request_: str, video: Path, s3: S3Emulator) -> None:
    video.write_bytes(content)
    s3.faults = [(request_, 503)]
    store_at(s3.url).put(video, "job-1.mp4")
    assert s3.faults == []
    assert s3.objects["bucket", "job-1.mp4"].content == content


@pytest.mark.parametrize(
    ("request_", "content"), [("PUT", BODY), ("PUT part", LARGE), ("HEAD", BODY)]
)
def test_no_right(request_: str, content: bytes, video: Path, s3: S3Emulator) -> None:
    video.write_bytes(content)
    s3.faults = [(request_, 403)]
    with pytest.raises(StorageError, match="refused") as caught:
        store_at(s3.url).put(video, "job-1.mp4")
    assert not caught.value.retryable
    assert "127.0.0.1" not in caught.value.detail
    assert s3.objects == {}


def test_parts_of_a_failed_upload_are_dropped(video: Path, s3: S3Emulator) -> None:
    video.write_bytes(LARGE)
    s3.faults = [("PUT part", 403)]
    with pytest.raises(StorageError):
        store_at(s3.url).put(video, "job-1.mp4")
    assert "DELETE abort" in s3.requests
    assert s3.parts == {}


def test_identity_is_not_accepted(video: Path, s3: S3Emulator) -> None:
    s3.faults = [("PUT", 401)]
    with pytest.raises(StorageError, match="identity") as caught:
        store_at(s3.url).put(video, "job-1.mp4")
    assert not caught.value.retryable


def test_a_failure_that_lasts(video: Path, s3: S3Emulator) -> None:
    s3.faults = [("PUT", 503)] * 1000
    with pytest.raises(StorageError) as caught:
        store_at(s3.url).put(video, "job-1.mp4")
    assert caught.value.retryable


def test_nothing_listens(video: Path, s3: S3Emulator) -> None:
    with closed_port() as port, pytest.raises(StorageError) as caught:
        store_at(f"http://127.0.0.1:{port}").put(video, "job-1.mp4")
    assert caught.value.retryable


@pytest.mark.parametrize("key", ["", "../x.mp4", "a/b/c.mp4", ".hidden", "a b.mp4"])
def test_bad_keys(key: str, video: Path, s3: S3Emulator) -> None:
    with pytest.raises(BadParameterError):
        store_at(s3.url).put(video, key)
    assert s3.requests == []


def test_remove(video: Path, s3: S3Emulator) -> None:
    store = store_at(s3.url, "results")
    for key in ("job-1.mp4", "anna/job-1.mp4"):
        store.put(video, key)
    store.remove("anna/job-1.mp4")
    assert list(s3.objects) == [("bucket", "results/job-1.mp4")]
    store.remove("anna/job-1.mp4")  # as if it were removed
    s3.faults = [("DELETE", 403)]
    with pytest.raises(StorageError):
        store.remove("job-1.mp4")
    with pytest.raises(BadParameterError):
        store.remove("../job-1.mp4")
    assert list(s3.objects) == [("bucket", "results/job-1.mp4")]


def test_the_store_travels_between_processes() -> None:
    store = store_at("http://127.0.0.1:9000", "prefix")
    assert pickle.loads(pickle.dumps(store)) == store


@pytest.mark.parametrize(
    ("target", "prefix"),
    [("s3://bucket", ""), ("s3://bucket/", ""), ("s3://bucket/a b/c/", "a b/c")],
)
def test_open(target: str, prefix: str) -> None:
    store = open_store(target, "unused", s3_endpoint="https://minio.example", url_s=60)
    assert isinstance(store, S3VideoStore)
    assert dataclasses.astuple(store)[:4] == ("bucket", prefix, "https://minio.example", 60)
