"""Working files: swept when their owner is killed, and typed errors where the disk fails."""

import asyncio
import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time

import pytest

from deployments.errors import WorkingFilesError
from deployments.fetch.spool import new_file
from serve_app import service as service_module
from serve_app.export.formats import ExportOptions, export
from serve_app.export.saved_clip import read_result
from serve_app.workspaces import Workspaces
from tests.support.saved_results import height_of, saved, squatting

HOLD = """
import sys
from pathlib import Path
from serve_app.workspaces import Workspaces

with Workspaces(Path(sys.argv[1]), 3600).one() as folder:
    (folder / "upload").write_bytes(bytes(1000))
    print(folder.name, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def owner(tmp_path):
    """A process with a folder, and the folder's name."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "spool")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def names(tmp_path):
    return sorted(entry.name for entry in (tmp_path / "spool").iterdir())


def test_the_folder_of_a_killed_owner_goes_at_once_with_the_next_request(tmp_path, owner):
    process, name = owner
    living = Workspaces(tmp_path / "spool", 3600)
    with living.one() as folder:
        assert names(tmp_path) == sorted([name, folder.name])
    process.kill()
    process.wait()
    assert names(tmp_path) == [name]
    with living.one() as folder:
        assert names(tmp_path) == [folder.name]


def test_the_folder_of_a_killed_owner_goes_at_the_next_start(tmp_path, owner):
    process, name = owner
    Workspaces(tmp_path / "spool", 0)
    assert names(tmp_path) == [name], "its owner lives, whatever its age"
    process.kill()
    process.wait()
    Workspaces(tmp_path / "spool", 3600)
    assert names(tmp_path) == []


OURS = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("name", "age_s", "left"),
    [
        (OURS, 90, False),
        (OURS, 30, True),
        (f".new-{OURS}", 90, False),
        (f".new-{OURS}", 30, True),
        ("not-ours", 90, True),
    ],
)
def test_a_folder_without_a_lock_goes_within_minutes(tmp_path, name, age_s, left):
    """(S8) Its owner was killed before it locked it, or a stage wrote there as it was removed."""
    folder = tmp_path / "spool" / name
    folder.mkdir(parents=True)
    (folder / "segment-1.mp4").write_bytes(b"x")
    os.utime(folder, (time.time() - age_s,) * 2)
    Workspaces(tmp_path / "spool", 3600)
    assert names(tmp_path) == [name] * left


def test_a_living_service_sweeps_without_a_request(tmp_path, owner, service, monkeypatch):
    """(S8)"""
    process, _ = owner
    monkeypatch.setattr(service, "_workspaces", Workspaces(tmp_path / "spool", 3600))
    monkeypatch.setattr(service_module, "_SWEEP_S", 0.05)

    async def wait():
        sweeping = asyncio.create_task(service.keep_sweeping())
        await asyncio.sleep(0.2)
        assert len(names(tmp_path)) == 1
        process.kill()
        while names(tmp_path):
            await asyncio.sleep(0.05)
        sweeping.cancel()

    asyncio.run(asyncio.wait_for(wait(), 20))


def test_a_spool_folder_that_was_removed_is_made_again_with_its_parents(tmp_path):
    spool = tmp_path / "far" / "away" / "spool"
    workspaces = Workspaces(spool, 3600)
    shutil.rmtree(tmp_path / "far")
    assert workspaces.problem() is None
    shutil.rmtree(tmp_path / "far")
    with workspaces.one() as folder:
        assert folder.is_dir()


def broken(service):
    """Put a file where the spool folder was."""
    shutil.rmtree(service.settings.spool_dir)
    service.settings.spool_dir.write_bytes(b"")


def test_without_a_spool_folder_requests_are_refused_and_it_is_not_ready(
    service, http, squat_video
):
    broken(service)
    try:
        answer = http.post("/pose", files={"file": squat_video.read_bytes()})
        ready = http.get("/readyz")
        health = http.get("/healthz")
    finally:
        service.settings.spool_dir.unlink()
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["retryable"]) == (
        503,
        "storage_failed",
        True,
    )
    assert str(service.settings.spool_dir) not in answer.text + ready.text + health.text
    assert ready.status_code == health.status_code == 503
    assert "working files" in ready.json()["reasons"][0]
    assert http.get("/readyz").status_code == 200


def test_without_a_temporary_folder_a_large_upload_is_refused(http, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    answer = http.post("/pose", files={"file": bytes(2_000_000)})
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_failed")
    assert http.get("/readyz").status_code == 503


def test_a_disk_that_fills_while_an_upload_is_put_in_place(http, service, monkeypatch):
    def full(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    answer = http.post("/pose", files={"file": b"x"})
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_failed")
    assert "No space left" in answer.json()["detail"]
    assert list(service.settings.spool_dir.iterdir()) == []


def test_a_download_that_cannot_begin(tmp_path):
    with pytest.raises(WorkingFilesError), new_file(tmp_path / "gone"):
        pass


def test_a_c3d_file_without_a_temporary_folder(monkeypatch, tmp_path):
    pytest.importorskip("ezc3d")
    result = read_result(saved(squatting(30), context=height_of(1.8)))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(WorkingFilesError):
        export(result, "c3d", ExportOptions())
