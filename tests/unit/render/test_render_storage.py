"""Stores: a folder, and a bucket through Google's own client against an emulator on loopback."""

import gc
import hashlib
import os
import pickle
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.auth.exceptions import DefaultCredentialsError
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.annotated_video import StoredVideo
from deployments.errors import BadParameterError, ConfigurationError, StorageError
from deployments.render.storage import GcsStore, LocalStore, VideoStore, open_store
from tests.support.gcs_emulator import GcsEmulator, StoredObject
from tests.support.loopback_server import closed_port

pytestmark = [
    # Google's client mentions a package it can do without, once, when it is imported; and it leaves
    # the connections of answers it retries to the garbage collector.
    pytest.mark.filterwarnings("ignore:Please install grpcio-status:ImportWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

BODY = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "rendered.mp4"
    path.write_bytes(BODY)
    return path


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    folder = tmp_path / "results"
    folder.mkdir()
    return LocalStore(folder, "http://127.0.0.1:8003/videos")


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


# --- Folder


def test_local_put(local: LocalStore, video: Path) -> None:
    stored = local.put(video, "job-1.mp4")
    assert stored == StoredVideo("http://127.0.0.1:8003/videos/job-1.mp4", len(BODY), SHA256)
    assert [path.name for path in local.folder.iterdir()] == ["job-1.mp4"]
    assert (local.folder / "job-1.mp4").read_bytes() == BODY
    assert video.read_bytes() == BODY


def test_local_put_again_replaces_at_once(local: LocalStore, video: Path) -> None:
    local.put(video, "job-1.mp4")
    with (local.folder / "job-1.mp4").open("rb") as reader:
        video.write_bytes(b"another")
        assert local.put(video, "job-1.mp4").size_bytes == 7
        assert reader.read() == BODY  # one who reads meanwhile has the whole earlier video
    assert (local.folder / "job-1.mp4").read_bytes() == b"another"


def test_local_put_that_fails_leaves_nothing(
    local: LocalStore, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left") as caught:
        local.put(video, "job-1.mp4")
    assert caught.value.retryable
    assert list(local.folder.iterdir()) == []


def test_local_put_makes_a_folder_that_was_removed(local: LocalStore, video: Path) -> None:
    local.folder.rmdir()
    assert local.sweep(0) == 0
    local.put(video, "a.mp4")
    assert (local.folder / "a.mp4").read_bytes() == video.read_bytes()


def test_local_put_where_no_folder_can_be_names_no_path(local: LocalStore, video: Path) -> None:
    local.folder.rmdir()
    local.folder.write_bytes(b"")
    assert local.sweep(0) == 0
    with pytest.raises(StorageError) as caught:
        local.put(video, "a.mp4")
    assert str(local.folder) not in str(caught.value)


def test_local_put_of_an_absent_file(local: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"):
        local.put(tmp_path / "absent.mp4", "job-1.mp4")
    assert list(local.folder.iterdir()) == []


BAD_KEYS = [
    "",
    ".",
    "..",
    "../x.mp4",
    "a/b/c.mp4",
    "a/../c.mp4",
    "../c.mp4",
    "./c.mp4",
    "/c.mp4",
    "a/",
    "a/.part-x",
    "a\\b.mp4",
    "/etc/passwd",
    ".hidden",
    ".part-x",
    "-rf",
    "a b.mp4",
    "a.mp4\n",
    "a\x00.mp4",
    "ä.mp4",
    "a?x=1",
    "a%2fb",
    "C:a",
    "x" * 201,
]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_bad_keys(key: str, local: LocalStore, video: Path, gcs: GcsEmulator) -> None:
    stores: list[VideoStore] = [local, GcsStore("bucket", "prefix")]
    for store in stores:
        with pytest.raises(BadParameterError):
            store.put(video, key)
    assert list(local.folder.iterdir()) == []
    assert gcs.requests == []


@settings(deadline=None)  # each example copies a file to disk
@given(st.text(max_size=30) | st.from_regex(r"[A-Za-z0-9._/-]{1,20}", fullmatch=True))
def test_whatever_key_is_taken_stays_in_the_folder(
    tmp_path_factory: pytest.TempPathFactory, key: str
) -> None:
    root = tmp_path_factory.mktemp("keys")
    video = root / "rendered.mp4"
    video.write_bytes(b"x")
    folder = root / "results"
    folder.mkdir()
    try:
        LocalStore(folder, "http://x").put(video, key)
    except BadParameterError:
        assert list(folder.iterdir()) == []
    else:
        assert [path for path in folder.rglob("*") if path.is_file()] == [folder / key]
    assert sorted(path.name for path in root.iterdir()) == ["rendered.mp4", "results"]


def aged(path: Path, seconds: float) -> Path:
    path.write_bytes(b"x")
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path


def test_sweep(local: LocalStore, tmp_path: Path) -> None:
    gone = [aged(local.folder / name, 1000) for name in ("old.mp4", ".part-abc")]
    kept = [
        aged(local.folder / "new.mp4", 10),
        aged(local.folder / ".part-new", 10),
        aged(local.folder / ".gitignore", 1000),
        aged(local.folder / "no key.txt", 1000),
    ]
    outside = aged(tmp_path / "outside.mp4", 1000)
    link = local.folder / "link.mp4"
    link.symlink_to(outside)
    folder = local.folder / "folder"
    folder.mkdir()
    os.utime(folder, (0, 0))
    assert local.sweep(100) == len(gone)
    assert sorted(local.folder.iterdir()) == sorted([*kept, link, folder])
    assert outside.exists()
    assert local.sweep(100) == 0


def test_videos_of_an_owner_are_in_a_folder_of_their_own_which_is_swept(
    local: LocalStore, video: Path, tmp_path: Path
) -> None:
    stored = local.put(video, "0a1b/job-1.mp4")
    assert stored.url == "http://127.0.0.1:8003/videos/0a1b/job-1.mp4"
    kept = local.folder / "0a1b" / "job-1.mp4"
    assert kept.read_bytes() == BODY
    aged(local.folder / "0a1b" / "old.mp4", 1000)
    aged(local.folder / "0a1b" / ".part-left", 1000)
    outside = tmp_path / "outside"
    outside.mkdir()
    theirs = [aged(outside / "old.mp4", 1000)]
    (local.folder / "linked").symlink_to(outside)
    (local.folder / "no owner").mkdir()
    theirs.append(aged(local.folder / "no owner" / "old.mp4", 1000))
    assert local.sweep(100) == 2
    assert list(kept.parent.iterdir()) == [kept]
    assert all(path.exists() for path in theirs)


def test_a_copy_that_was_cut_off_goes_long_before_the_videos(local: LocalStore) -> None:
    """(S8) A process that is killed while it stores a video leaves a part of it."""
    left, copied = local.folder / ".part-left", local.folder / ".part-copied"
    for path, age_s in ((left, 700), (copied, 300)):
        path.write_bytes(b"x")
        os.utime(path, (time.time() - age_s,) * 2)
    assert local.sweep(86_400) == 1
    assert list(local.folder.iterdir()) == [copied]


def test_sweep_beside_another(local: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    old = aged(local.folder / "old.mp4", 1000)
    unlink = Path.unlink

    def unlink_after_another(path: Path, missing_ok: bool = False) -> None:
        unlink(old)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink_after_another)
    assert local.sweep(100) == 0


def test_stored_just_now_outlives_a_sweep(local: LocalStore, video: Path) -> None:
    os.utime(video, (0, 0))  # the age is that of the result, not of the file it was made from
    local.put(video, "job-1.mp4")
    assert local.sweep(100) == 0


def test_local_remove(local: LocalStore, video: Path) -> None:
    for key in ("a.mp4", "ann/a.mp4"):
        local.put(video, key)
    local.remove("ann/a.mp4")
    local.remove("ann/a.mp4")
    assert [path.name for path in local.folder.rglob("*.mp4")] == ["a.mp4"]
    with pytest.raises(BadParameterError):
        local.remove("../a.mp4")


def test_local_remove_that_fails(local: LocalStore) -> None:
    (local.folder / "a.mp4").mkdir()
    with pytest.raises(StorageError, match=r"a\.mp4 cannot be deleted"):
        local.remove("a.mp4")


# --- Bucket


SMALL, LARGE = BODY, BODY * 40  # one request; a resumable upload in several (over 8 MiB)


@pytest.mark.parametrize(("content", "kind"), [(SMALL, "multipart"), (LARGE, "resumable")])
def test_gcs_put(content: bytes, kind: str, video: Path, gcs: GcsEmulator) -> None:
    video.write_bytes(content)
    stored = GcsStore("bucket", "results/day 1").put(video, "job-1.mp4")
    assert stored.url == "https://storage.googleapis.com/bucket/results/day%201/job-1.mp4"
    assert stored.size_bytes == len(content)
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert gcs.objects["bucket", "results/day 1/job-1.mp4"].content == content
    assert gcs.requests[0] == f"POST {kind}"


def test_gcs_put_without_prefix(video: Path, gcs: GcsEmulator) -> None:
    stored = GcsStore("bucket", "").put(video, "job-1.mp4")
    assert stored.url == "https://storage.googleapis.com/bucket/job-1.mp4"
    assert list(gcs.objects) == [("bucket", "job-1.mp4")]


@pytest.mark.parametrize(("content", "kind"), [(SMALL, "multipart"), (LARGE, "resumable")])
def test_gcs_retries(content: bytes, kind: str, video: Path, gcs: GcsEmulator) -> None:
    video.write_bytes(content)
    gcs.faults = [(f"POST {kind}", 503), (f"POST {kind}", 503)]
    GcsStore("bucket", "").put(video, "job-1.mp4")
    assert gcs.faults == []
    assert gcs.objects["bucket", "job-1.mp4"].content == content


def test_gcs_crash_between_upload_and_answer(video: Path, gcs: GcsEmulator) -> None:
    gcs.faults = [("POST multipart", 0)]
    stored = GcsStore("bucket", "").put(video, "job-1.mp4")
    assert gcs.requests == ["POST multipart", "POST multipart", "GET metadata"]
    assert gcs.objects["bucket", "job-1.mp4"].generation == 1
    assert stored.sha256 == SHA256


def test_gcs_remove(video: Path, gcs: GcsEmulator) -> None:
    store = GcsStore("bucket", "results")
    for key in ("a.mp4", "b.mp4"):
        store.put(video, key)
    gcs.faults = [("DELETE", 503)]
    store.remove("a.mp4")
    store.remove("a.mp4")
    assert list(gcs.objects) == [("bucket", "results/b.mp4")]
    gcs.faults = [("DELETE", 403)]
    with pytest.raises(StorageError, match="403"):
        store.remove("b.mp4")


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_gcs_same_video_again(content: bytes, video: Path, gcs: GcsEmulator) -> None:
    video.write_bytes(content)
    store = GcsStore("bucket", "results")
    assert store.put(video, "job-1.mp4") == store.put(video, "job-1.mp4")
    assert gcs.objects["bucket", "results/job-1.mp4"].generation == 1


def test_gcs_other_video_under_the_same_key(video: Path, gcs: GcsEmulator) -> None:
    gcs.objects["bucket", "job-1.mp4"] = StoredObject(BODY[::-1])
    with pytest.raises(StorageError, match="another video") as caught:
        GcsStore("bucket", "").put(video, "job-1.mp4")
    assert not caught.value.retryable
    assert gcs.objects["bucket", "job-1.mp4"].content == BODY[::-1]


@pytest.mark.parametrize("status", [400, 403, 404])
def test_gcs_refuses(status: int, video: Path, gcs: GcsEmulator) -> None:
    gcs.faults = [("POST multipart", status)]
    with pytest.raises(StorageError, match=f"status {status}") as caught:
        GcsStore("bucket", "").put(video, "job-1.mp4")
    assert not caught.value.retryable
    assert gcs.objects == {}


def test_gcs_fails_for_long(video: Path, gcs: GcsEmulator) -> None:
    gcs.faults = [("POST multipart", 503)] * 1000
    with pytest.raises(StorageError) as caught:
        GcsStore("bucket", "", retry_s=0.3).put(video, "job-1.mp4")
    assert caught.value.retryable
    assert gcs.objects == {}


def test_gcs_nothing_listens(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closed_port() as port:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        with pytest.raises(StorageError) as caught:
            GcsStore("bucket", "", retry_s=0.3).put(video, "job-1.mp4")
    assert caught.value.retryable


def test_gcs_identity_is_not_accepted(video: Path, gcs: GcsEmulator) -> None:
    gcs.faults = [("POST multipart", 401)]
    with pytest.raises(StorageError, match="identity") as caught:
        GcsStore("bucket", "").put(video, "job-1.mp4")
    assert not caught.value.retryable


def test_gcs_without_identity(video: Path) -> None:
    def no_identity() -> Any:
        raise DefaultCredentialsError("Your default credentials were not found.")

    with pytest.raises(StorageError, match="identity") as caught:
        GcsStore("bucket", "", no_identity).put(video, "job-1.mp4")
    assert not caught.value.retryable


def test_gcs_store_travels_between_processes() -> None:
    store = GcsStore("bucket", "prefix")
    assert pickle.loads(pickle.dumps(store)) == store


# --- Opening


@pytest.mark.parametrize(
    ("target", "bucket", "prefix"),
    [
        ("gs://bucket", "bucket", ""),
        ("gs://bucket/", "bucket", ""),
        ("gs://bucket/results", "bucket", "results"),
        ("gs://my-bucket.example/a/b/", "my-bucket.example", "a/b"),
    ],
)
def test_open_bucket(target: str, bucket: str, prefix: str) -> None:
    assert open_store(target, "http://unused") == GcsStore(bucket, prefix)


def test_open_folder_makes_it(tmp_path: Path, video: Path) -> None:
    target = tmp_path / "a" / "b"
    store = open_store(str(target), "http://127.0.0.1:8003/videos/")
    assert store.put(video, "x.mp4").url == "http://127.0.0.1:8003/videos/x.mp4"
    assert stat.S_ISREG((target / "x.mp4").stat().st_mode)


def test_relative_folder_is_fixed_at_the_start(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("results", "http://x")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.put(video, "x.mp4")
    assert (tmp_path / "results" / "x.mp4").exists()


@pytest.mark.parametrize(
    "target",
    [
        "",
        " ",
        "gs://",
        "gs:///prefix",
        "gs://B/prefix",
        "gs://bucket/pre\nfix",
        "s3://",
        "s3://B/prefix",
        "s3://bucket/a//b",
        "s3://bucket/../b",
        "az://bucket/prefix",
        "https://storage.googleapis.com/bucket",
        "/dev/null/results",
    ],
)
def test_wrong_target(target: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_store(target, "http://x")
    assert caught.value.facts == {"setting": "output"}
    assert repr(target) in caught.value.detail
