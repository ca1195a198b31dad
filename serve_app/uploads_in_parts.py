"""Keep uploads that come in parts, until a request uses them or they expire.

Each is a folder with its data and a note of its owner and length. The offset is the size of the
data, so that a restart loses nothing. A lock on the data holds for all processes that share the
folder, and ends with its process.
"""

import fcntl
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any

from deployments.concurrency import in_thread
from deployments.errors import (
    MediaError,
    OverloadedError,
    TooLargeError,
    UploadBusyError,
    UploadNotFoundError,
    UploadOffsetError,
    UploadUnfinishedError,
    WorkingFilesError,
    keeping,
)
from serve_app.access.caller import Caller
from serve_app.jobs.durable_files import durable, link_durably
from serve_app.upload_part import PART_BYTES, Checksum, Part, Upload

_DATA, _ABOUT, _LOCK = "data", "about.json", ".lock"
_NEW = ".new-"
_ID = re.compile(r"[0-9a-f]{32}")
_LEFT_S = 60.0
"""Age beyond which a folder without data was left by a killed process."""
_WRITERS = 8
_RETRY_AFTER_S = 60.0


class Uploads:
    """Uploads in parts below one folder, each visible to its owner alone."""

    def __init__(self, folder: Path, *, max_bytes: int, max_total: int, keep_s: float) -> None:
        """Take the limits; the folder is made with the first upload.

        Args:
            max_bytes: largest file.
            max_total: bytes of all files, as announced; each counts as one part at least.
            keep_s: age since the last byte at which an upload is deleted.
        """
        self._folder = folder
        self.max_bytes = max_bytes
        self._max_total = max_total
        self._keep_s = keep_s
        self._threads = ThreadPoolExecutor(_WRITERS, "upload")

    async def create(self, caller: Caller, length: int, label: str = "") -> Upload:
        """Begin an upload of ``length`` bytes.

        Raises:
            TooLargeError: more than the largest file.
            OverloadedError: all uploads together would be too large.
            WorkingFilesError: the disk has too little space left, or cannot be written.
        """
        return await in_thread(lambda _: self._create(caller, length, label), self._threads)

    async def find(self, upload_id: str, caller: Caller) -> Upload:
        """Return the upload as it is now.

        Raises:
            UploadNotFoundError: it is absent, has expired, or is another caller's.
        """
        return await in_thread(lambda _: self._find(upload_id, caller), self._threads)

    async def remove(self, upload_id: str, caller: Caller) -> None:
        """Delete an upload.

        Raises:
            UploadNotFoundError: see :meth:`find`. UploadBusyError: a part comes, or it is used.
        """
        with self._locked(upload_id, caller):
            self._delete(upload_id)

    @asynccontextmanager
    async def taking(self, upload_id: str, caller: Caller, to: Path) -> AsyncIterator[None]:
        """Put a whole upload at the new file ``to``, and delete it after the block.

        It is kept where the block raises. The file is linked, or copied to another file system;
        ``to`` is there once it is whole.

        Raises:
            UploadNotFoundError, UploadBusyError: see :meth:`remove`.
            UploadUnfinishedError: parts are missing. WorkingFilesError: it cannot be put there.
        """
        with self._locked(upload_id, caller) as (_file, found):
            _require_whole(found)
            await in_thread(lambda _: self._put(upload_id, to), self._threads)
            yield
            self._delete(upload_id)

    @contextmanager
    def using(self, upload_id: str, caller: Caller) -> Iterator[Path]:
        """Lend the file of a whole upload, and delete it once it was used.

        It is kept where the use fails, unless the file itself is unusable.

        Raises:
            UploadNotFoundError, UploadBusyError, UploadUnfinishedError: see :meth:`taking`.
        """
        with self._locked(upload_id, caller) as (_file, found):
            _require_whole(found)
            try:
                yield self._folder / upload_id / _DATA
            except MediaError:
                self._delete(upload_id)
                raise
            self._delete(upload_id)

    @contextmanager
    def part(
        self, upload_id: str, caller: Caller, offset: int, checksum: Checksum | None = None
    ) -> Iterator[Part]:
        """Receive a part; within the ``with`` block no other part of the upload is received.

        What was written stays if the part breaks off, unless it has a checksum.

        Raises:
            UploadNotFoundError: see :meth:`find`. UploadBusyError: another part comes.
            UploadOffsetError: the part does not begin where the last one ended.
        """
        file, found = self._open(upload_id, caller)
        part = Part(self._threads, file, found, checksum)
        try:
            if offset != found.offset:
                raise UploadOffsetError(
                    f"the part begins at byte {offset}, expected {found.offset}",
                    offset=found.offset,
                )
            yield part
        finally:
            part.close()

    def sweep(self) -> None:
        """Delete the uploads that have expired, and what killed processes left."""
        with suppress(FileNotFoundError):  # no upload yet, or another sweeper was quicker
            for entry in self._folder.iterdir():
                if entry.is_dir() and self._is_over(entry):
                    shutil.rmtree(entry, ignore_errors=True)

    def _create(self, caller: Caller, length: int, label: str) -> Upload:
        if length > self.max_bytes:
            raise TooLargeError(
                f"the upload is larger than {self.max_bytes} bytes",
                quantity="bytes",
                value=length,
                limit=self.max_bytes,
            )
        name = uuid.uuid4().hex
        made = self._folder / f"{_NEW}{name}"
        with keeping("the upload"):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.sweep()
            with (self._folder / _LOCK).open("w") as lock:
                with suppress(OSError):  # a file system without locks
                    fcntl.flock(lock, fcntl.LOCK_EX)
                self._refuse_over_total(length)
                try:
                    made.mkdir(mode=0o700)
                    (made / _DATA).touch(mode=0o600)
                    about = {"owner": caller.id, "length": length, "label": label}
                    with durable(made / _ABOUT) as file:
                        file.write(json.dumps(about).encode())
                    made.rename(self._folder / name)
                except BaseException:
                    shutil.rmtree(made, ignore_errors=True)
                    raise
        return self._find(name, caller)

    def _refuse_over_total(self, length: int) -> None:
        total = max(length, PART_BYTES)
        for path in self._folder.glob(f"[!.]*/{_ABOUT}"):
            if about := _about_in(path.parent):
                total += max(about["length"], PART_BYTES)
        if total > self._max_total:
            raise OverloadedError(
                f"uploads in parts would have more than {self._max_total} bytes together",
                hint="Try again once others are used or have expired.",
                retry_after_s=_RETRY_AFTER_S,
                limit=self._max_total,
            )
        free = shutil.disk_usage(self._folder).free
        if length > free:
            raise WorkingFilesError(f"the disk has {free} bytes left for an upload of {length}")

    def _find(self, upload_id: str, caller: Caller) -> Upload:
        folder = self._folder / upload_id
        if _ID.fullmatch(upload_id) and (about := _about_in(folder)):
            with suppress(FileNotFoundError):
                state = (folder / _DATA).stat()
                expires_at = state.st_mtime + self._keep_s
                if about["owner"] == caller.id and expires_at > time.time():
                    return Upload(
                        upload_id, about["length"], state.st_size, about["label"], expires_at
                    )
        raise _absent()

    def _open(self, upload_id: str, caller: Caller) -> tuple[FileIO, Upload]:
        """Open the data, locked until it is closed."""
        self._find(upload_id, caller)
        try:
            file = _opened(self._folder / upload_id / _DATA)
        except FileNotFoundError:
            raise _absent() from None
        try:
            return file, self._locked_now(file, upload_id, caller)
        except BaseException:
            file.close()
            raise

    def _locked_now(self, file: FileIO, upload_id: str, caller: Caller) -> Upload:
        if not _lock(file):
            raise UploadBusyError(
                "a part of this upload is being received, or a request uses it", retry_after_s=1.0
            )
        found = self._find(upload_id, caller)  # as it is now that nobody else changes it
        try:
            state = (self._folder / upload_id / _DATA).stat()
        except FileNotFoundError:
            raise _absent() from None
        if not os.path.samestat(os.fstat(file.fileno()), state):
            raise _absent()
        return found

    @contextmanager
    def _locked(self, upload_id: str, caller: Caller) -> Iterator[tuple[FileIO, Upload]]:
        file, found = self._open(upload_id, caller)
        with file:
            yield file, found

    def _put(self, upload_id: str, to: Path) -> None:
        with keeping("the upload"):
            link_durably(self._folder / upload_id / _DATA, to)

    def _delete(self, upload_id: str) -> None:
        """Delete at once: renamed first, so that nobody finds a part of it."""
        gone = self._folder / f"{_NEW}{upload_id}"
        with suppress(FileNotFoundError):
            gone = (self._folder / upload_id).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def _is_over(self, folder: Path) -> bool:
        try:
            with _opened(folder / _DATA) as file:
                age_s = time.time() - os.fstat(file.fileno()).st_mtime
                longest_s = self._keep_s if _ID.fullmatch(folder.name) else _LEFT_S
                return age_s >= longest_s and _lock(file)
        except FileNotFoundError:
            with suppress(FileNotFoundError):
                return time.time() - folder.stat().st_mtime >= _LEFT_S
            return False


def _about_in(folder: Path) -> dict[str, Any] | None:
    """Return the note on an upload; None where it is absent, or a power cut has damaged it."""
    try:
        about: dict[str, Any] = json.loads((folder / _ABOUT).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return about


def _require_whole(found: Upload) -> None:
    if found.offset != found.length:
        raise UploadUnfinishedError(
            f"the upload has {found.offset} of {found.length} bytes",
            offset=found.offset,
            length=found.length,
        )


def _absent() -> UploadNotFoundError:
    return UploadNotFoundError("there is no such upload")


def _opened(data: Path) -> FileIO:
    return FileIO(os.open(data, os.O_WRONLY | os.O_APPEND), "a")


def _lock(file: FileIO) -> bool:
    """Return whether nobody else has the lock; also where the file system knows no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
