"""Files of jobs: what is kept, what is deleted, and what a full disk says."""

import os
import shutil
import time
from types import SimpleNamespace

import pytest

from deployments.errors import BadParameterError, ConfigurationError, WorkingFilesError
from serve_app.jobs import job_files
from serve_app.jobs.job_files import JobFiles
from serve_app.jobs.result_file import read_whole

JOB = "a" * 32


class Told:
    """An answer of bytes."""

    def __init__(self, text=b'{"data":null}'):
        self.text = text

    def head(self):
        return self.text

    def frames(self):
        return iter(())


@pytest.fixture
def files(tmp_path):
    return JobFiles(tmp_path / "jobs")


def entries(files, job_id=JOB):
    return sorted(path.name for path in files.folder(job_id).iterdir())


def test_files_are_the_owners_alone(files, tmp_path):
    files.make(JOB)
    with files.workspace(JOB) as (work, resume):
        modes = {
            f.stat().st_mode & 0o777 for f in (tmp_path / "jobs", files.make(JOB), work, resume)
        }
    assert modes == {0o700}


@pytest.mark.parametrize("job_id", ["", "A" * 32, "a" * 31, "../" + "a" * 29, "a" * 32 + "\n"])
def test_a_name_that_is_no_id_is_refused(files, job_id):
    with pytest.raises(BadParameterError):
        files.folder(job_id)


def test_a_folder_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "jobs").write_text("a file")
    with pytest.raises(ConfigurationError, match="jobs_dir"):
        JobFiles(tmp_path / "jobs")


def test_a_full_disk_is_said_before_anything_is_written(files, monkeypatch):
    free = SimpleNamespace(free=300 << 20)
    monkeypatch.setattr(job_files.shutil, "disk_usage", lambda _: free)
    files.make(JOB, 40 << 20)
    with pytest.raises(WorkingFilesError, match="300 MiB free, and a job needs 356 MiB"):
        files.make("b" * 32, 100 << 20)
    assert not files.folder("b" * 32).exists()


def test_working_files_go_and_those_for_another_attempt_stay(files):
    with files.workspace(JOB) as (work, resume):
        (work / "video").write_bytes(b"x")
        (resume / "segment").write_bytes(b"x")
    assert entries(files) == ["resume"]
    (files.folder(JOB) / "work-of-a-killed-attempt").mkdir()
    with files.workspace(JOB) as (_, again):
        assert [path.name for path in again.iterdir()] == ["segment"]
        assert "work-of-a-killed-attempt" not in entries(files)
    files.forget_work(JOB)
    assert entries(files) == []


def test_a_result_replaces_that_of_an_earlier_attempt(files):
    files.make(JOB)
    files.write_result(JOB, Told(b'{"data":1}'))
    text = b'{"data":22}'
    assert files.write_result(JOB, Told(text)) == len(text)
    assert b"".join(read_whole(files.result(JOB))) == text
    assert entries(files) == ["result"]


def test_a_result_that_cannot_be_written_is_a_problem_of_the_disk(files):
    with pytest.raises(WorkingFilesError, match="the result of a job"):
        files.write_result(JOB, Told())


def test_a_deleted_job_is_gone_even_if_the_process_is_killed_meanwhile(files, monkeypatch):
    files.make(JOB)
    files.source(JOB).write_bytes(b"video")

    def killed(_path):
        raise KeyboardInterrupt

    monkeypatch.setattr(job_files.shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        files.remove(JOB)
    monkeypatch.undo()
    assert not files.folder(JOB).exists()
    files.finish_removals()
    assert list(files.folder(JOB).parent.iterdir()) == []
    files.remove(JOB)  # there is nothing to delete


def test_a_deletion_that_fails_is_said(files, monkeypatch):
    files.make(JOB)

    def denied(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(job_files.shutil, "rmtree", denied)
    with pytest.raises(WorkingFilesError, match="Permission denied"):
        files.remove(JOB)


def test_sizes_and_ages(files):
    for job_id, size in ((JOB, 10), ("b" * 32, 20)):
        files.make(job_id)
        files.source(job_id).write_bytes(bytes(size))
    os.utime(files.folder(JOB), (time.time() - 100,) * 2)
    assert (files.size_of(JOB), files.total_bytes()) == (10, 30)
    assert files.older_than(time.time() - 50) == [JOB]
    shutil.rmtree(files.folder(JOB))
    assert files.size_of(JOB) == 0
