"""Segments on disk: links, damage, and the limits of the shared folder."""

import os
import time

import numpy as np
import pytest

from serve_app.jobs.segment_store import SegmentStore
from tests.support.made_up_segments import segment_poses

KEYS = [f"{i:02x}" + "0" * 62 for i in range(4)]


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


@pytest.fixture
def store(tmp_path):
    return SegmentStore(tmp_path / "segments")


def shared(tmp_path, key):
    return tmp_path / "segments" / key[:2] / f"{key}.npz"


def names(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_another_job_finds_a_segment_and_links_it(store, own, tmp_path):
    store.put(KEYS[0], segment_poses(3), own)
    other = tmp_path / "other"
    other.mkdir()
    found = store.get(KEYS[0], other)
    assert np.array_equal(found.box, segment_poses(3).box)
    links = [folder / f"{KEYS[0]}.npz" for folder in (own, other)]
    assert len({path.stat().st_ino for path in (*links, shared(tmp_path, KEYS[0]))}) == 1
    assert store.get(KEYS[1], own) is None


def test_a_job_keeps_its_segments_when_the_shared_folder_is_emptied(store, own, tmp_path):
    store.put(KEYS[0], segment_poses(3), own)
    assert store.trim(0, 0.0, time.time()) == 0
    assert names(tmp_path / "segments") == []
    assert store.get(KEYS[0], own) is not None


def test_where_there_are_no_links_segments_are_copied(store, own, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    store.put(KEYS[0], segment_poses(3), own)
    (own / f"{KEYS[0]}.npz").unlink()
    assert store.get(KEYS[0], own) is not None
    assert names(own) == [f"{KEYS[0]}.npz"]


@pytest.mark.parametrize("damage", [b"", b"PK", None], ids=["empty", "cut", "flipped"])
def test_a_damaged_segment_is_missing_logged_and_replaced(store, own, tmp_path, damage, caplog):
    store.put(KEYS[0], segment_poses(3), own)
    path = own / f"{KEYS[0]}.npz"
    text = path.read_bytes()
    path.write_bytes(text[:200] + bytes(40) + text[240:] if damage is None else damage)
    assert store.get(KEYS[0], own) is None
    assert "is damaged" in caplog.text
    store.put(KEYS[0], segment_poses(3), own)
    assert store.get(KEYS[0], own) is not None
    path.unlink()
    assert store.get(KEYS[0], own) is not None


def test_a_segment_that_cannot_be_stored_is_logged(store, tmp_path, caplog):
    store.put(KEYS[0], segment_poses(3), tmp_path / "no folder")
    assert "cannot be stored" in caplog.text


def test_nothing_is_left_of_a_segment_that_broke_off(store, own, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    store.put(KEYS[0], segment_poses(3), own)
    assert names(tmp_path) == []


def test_the_segments_used_last_stay(store, own, tmp_path):
    now = time.time()
    for age, key in enumerate(KEYS):
        store.put(key, segment_poses(3), own)
        os.utime(shared(tmp_path, key), (now - 100 * age,) * 2)
    other = tmp_path / "other"
    other.mkdir()
    assert store.get(KEYS[3], other) is not None  # the oldest is used again
    size = shared(tmp_path, KEYS[0]).stat().st_size
    assert store.trim(2 * size, 0.0, now) == 2 * size
    assert names(tmp_path / "segments") == [f"{KEYS[0]}.npz", f"{KEYS[3]}.npz"]


def test_old_segments_go_and_so_do_partial_files_of_killed_processes(store, own, tmp_path):
    now = time.time()
    for age, key in enumerate(KEYS):
        store.put(key, segment_poses(3), own)
        os.utime(shared(tmp_path, key), (now - 100 * age,) * 2)
    for name, age in ((".part-old", 700), (".part-new", 1)):
        part = shared(tmp_path, KEYS[0]).with_name(name)
        part.write_bytes(b"x")
        os.utime(part, (now - age,) * 2)
    store.trim(1 << 30, now - 150, now)
    assert names(tmp_path / "segments") == [".part-new", f"{KEYS[0]}.npz", f"{KEYS[1]}.npz"]
