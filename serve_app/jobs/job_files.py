"""Keep the files of jobs: source, result, and working files that a later attempt uses again."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from deployments.errors import BadParameterError, ConfigurationError, WorkingFilesError, keeping
from deployments.render.object_names import JOBS_FOLDER
from serve_app.jobs.durable_files import move_durably
from serve_app.jobs.job import JOB_ID
from serve_app.jobs.result_file import write_result
from serve_app.jobs.segment_store import SegmentStore
from serve_app.results.response_writer import Answer

_GONE: Final = ".gone-"
_WORK: Final = "work-"
_RESUME: Final = "resume"
_SPARE_BYTES: Final = 256 << 20
"""Free space that a job leaves on the disk."""


def video_key(job_id: str) -> str:
    """Return the key of a job's annotated video in the store: the same at each attempt."""
    return f"{JOBS_FOLDER}/{job_id}.mp4"


class JobFiles:
    """Folder with one folder a job, and the folder of segments that jobs share."""

    def __init__(self, folder: Path) -> None:
        """Make the folder, unless it is there.

        Raises:
            ConfigurationError: it cannot be written.
        """
        self._folder = folder
        self.segments = SegmentStore(folder / "segments")
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(0, "Permission denied")
        except OSError as error:
            raise ConfigurationError(
                f"jobs_dir: {folder} cannot be written: {error.strerror}", setting="jobs_dir"
            ) from error

    def folder(self, job_id: str) -> Path:
        """Return the folder of a job.

        Raises:
            BadParameterError: the id is not one of a job.
        """
        if not JOB_ID.fullmatch(job_id):
            raise BadParameterError(f"{job_id[:50]!r} is no id of a job", field="id")
        return self._folder / job_id

    def source(self, job_id: str) -> Path:
        """Return the path of the video of a job."""
        return self.folder(job_id) / "source"

    def result(self, job_id: str) -> Path:
        """Return the folder of the result; see :mod:`serve_app.jobs.result_file`."""
        return self.folder(job_id) / "result"

    def make(self, job_id: str, needed_bytes: int = 0) -> Path:
        """Make the folder of a job, unless it is there.

        Args:
            job_id: of the job. needed_bytes: that are going to be written to it.

        Raises:
            WorkingFilesError: it cannot be made, or the disk has too little space.
        """
        folder = self.folder(job_id)
        with keeping("the files of a job"):
            free = shutil.disk_usage(self._folder).free
            if free < needed_bytes + _SPARE_BYTES:
                raise WorkingFilesError(
                    f"the disk of the jobs has {free >> 20} MiB free, and a job needs "
                    f"{needed_bytes + _SPARE_BYTES >> 20} MiB",
                    hint="Try again later; the operator must free space in MMPOSE_JOBS_DIR.",
                )
            folder.mkdir(exist_ok=True, mode=0o700)
        return folder

    def put_source(self, job_id: str, file: Path) -> None:
        """Move a whole file of the same disk to the job's source.

        Raises:
            WorkingFilesError: it cannot be moved.
        """
        with keeping("the source of a job"):
            move_durably(file, self.source(job_id))

    @contextmanager
    def workspace(self, job_id: str) -> Iterator[tuple[Path, Path]]:
        """Yield a folder of working files and the folder of results of segments.

        The first is new and removed after the block, the second stays for another attempt. Working
        files of killed attempts are removed before.

        Raises:
            WorkingFilesError: they cannot be made.
        """
        folder = self.make(job_id)
        work, resume = folder / f"{_WORK}{uuid4().hex}", folder / _RESUME
        with keeping("the working files of a job"):
            for left in folder.glob(f"{_WORK}*"):
                shutil.rmtree(left, ignore_errors=True)
            resume.mkdir(exist_ok=True, mode=0o700)
            work.mkdir(mode=0o700)
        try:
            yield work, resume
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def write_result(self, job_id: str, answer: Answer) -> int:
        """Write the result of a job; return its size as JSON.

        Raises:
            ValueError: a number of it is not finite. WorkingFilesError: it cannot be written.
        """
        with keeping("the result of a job"):
            return write_result(self.result(job_id), answer.head(), answer.frames())

    def forget_work(self, job_id: str) -> None:
        """Delete what only another attempt of a job would need."""
        folder = self.folder(job_id)
        for left in (folder / _RESUME, *folder.glob(f"{_WORK}*")):
            shutil.rmtree(left, ignore_errors=True)

    def remove(self, job_id: str) -> None:
        """Delete all files of a job; they are out of reach at once.

        Raises:
            WorkingFilesError: they cannot be deleted.
        """
        gone = self._folder / f"{_GONE}{uuid4().hex}"
        with keeping("the deletion of a job's files"), suppress(FileNotFoundError):
            self.folder(job_id).rename(gone)
            shutil.rmtree(gone)

    def finish_removals(self) -> None:
        """Delete what a killed process was about to delete."""
        for left in self._folder.glob(f"{_GONE}*"):
            shutil.rmtree(left, ignore_errors=True)

    def older_than(self, before: float) -> list[str]:
        """Return the ids of the jobs whose folders were last changed before a time."""
        found = []
        for entry in self._folder.iterdir():
            with suppress(FileNotFoundError):
                if JOB_ID.fullmatch(entry.name) and entry.stat().st_mtime < before:
                    found.append(entry.name)
        return found

    def size_of(self, job_id: str) -> int:
        """Return the bytes of a job's files."""
        total = 0
        for parent, _, names in os.walk(self.folder(job_id)):
            for name in names:
                with suppress(FileNotFoundError):
                    total += Path(parent, name).lstat().st_size
        return total

    def total_bytes(self) -> int:
        """Return the bytes of the files of all jobs, without shared segments."""
        ids = [entry.name for entry in self._folder.iterdir() if JOB_ID.fullmatch(entry.name)]
        return sum(map(self.size_of, ids))
