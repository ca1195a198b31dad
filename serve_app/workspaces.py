"""Manage folders of working files: one a request, locked while its owner lives, then swept."""

import fcntl
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from deployments.errors import ConfigurationError, WorkingFilesError, keeping

UPLOADS = "uploads"
"""Folder of the spool with uploads in parts, which is swept by other rules."""

_LOCK = "lock"
_UNLOCKED = ".new-"  # begins the name of a folder whose owner does not hold the lock yet
_TRIAL = bytes(64 * 1024)
_WITHOUT_LOCK_S = 60.0
_OURS = re.compile(rf"(?:{re.escape(_UNLOCKED)})?[0-9a-f]{{32}}")


class Workspaces:
    """Folders below the spool folder, which other processes may share."""

    def __init__(self, spool: Path, longest_s: float) -> None:
        """Make the spool folder ours, and sweep it.

        Args:
            spool: made with its parents, whenever it is not there.
            longest_s: age from which a folder goes of which no lock says whether its owner lives.

        Raises:
            ConfigurationError: it cannot be written, or is another user's.
        """
        self._spool = spool
        self._longest_s = longest_s
        try:
            self._make_spool()
            if spool.stat().st_uid != os.geteuid():
                raise ConfigurationError(f"spool_dir: {spool} belongs to another user")
            self.sweep()
        except OSError as error:
            raise ConfigurationError(f"spool_dir: {spool}: {error.strerror}") from error

    @contextmanager
    def one(self) -> Iterator[Path]:
        """Make a folder of a request's own, removed whatever happens.

        Raises:
            WorkingFilesError: it cannot be made.
        """
        with keeping("a folder of working files"):
            self._make_spool()
            self.sweep()
            folder, lock = self._locked()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)

    def sweep(self) -> None:
        """Remove the folders whose owners were killed."""
        before = time.time() - self._longest_s
        for entry in self._spool.iterdir():
            if entry.name == UPLOADS:
                continue
            with suppress(FileNotFoundError):  # its owner, or another sweeper, was quicker
                if entry.is_dir() and not entry.is_symlink() and _is_left(entry, before):
                    shutil.rmtree(entry, ignore_errors=True)

    def problem(self) -> str | None:
        """Say why no working files can be kept now; None if they can."""
        try:
            with keeping("working files"):
                self._make_spool()
                for folder in (self._spool, Path(tempfile.gettempdir())):
                    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
                        file.write(_TRIAL)
        except WorkingFilesError as error:
            return error.detail
        return None

    def _make_spool(self) -> None:
        self._spool.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _locked(self) -> tuple[Path, int]:
        name = uuid.uuid4().hex
        made = self._spool / f"{_UNLOCKED}{name}"
        made.mkdir(mode=0o700)
        try:
            lock = os.open(made / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
            with suppress(OSError):  # a file system without locks; age has to do
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return made.rename(self._spool / name), lock
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise


def _is_left(folder: Path, before: float) -> bool:
    """Return whether the owner of ``folder`` has ended: its lock is free, or it is old.

    One of ours has a lock from the beginning to the end; without, it is removed in part.
    """
    lock = None if folder.name.startswith(_UNLOCKED) else _lock_of(folder)
    if lock is None:
        if _OURS.fullmatch(folder.name):
            before = max(before, time.time() - _WITHOUT_LOCK_S)
    else:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass
        else:
            return True
        finally:
            os.close(lock)
    return folder.stat().st_mtime < before


def _lock_of(folder: Path) -> int | None:
    try:
        return os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        return None
