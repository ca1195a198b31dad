"""Keep the poses of segments on disk by content key.

A job's own folder has a link to each segment that the job uses, or a copy where the file system has
no links. So the shared folder can be kept small without a look at the running jobs.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from deployments.messages import SegmentPoses
from serve_app.jobs.durable_files import PARTIAL, durable, link_durably
from serve_app.jobs.segment_codec import DamagedSegmentError, read_segment, write_segment

logger = logging.getLogger("mmpose_service")

_SUFFIX: Final = ".npz"
_WRITTEN_S: Final = 600.0
"""Age in seconds beyond which a partial file was left by a killed process."""


class SegmentStore:
    """Folder of segments, shared by the jobs and by the processes on one file system."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, which is created when a segment is stored."""
        self._folder = folder

    def get(self, key: str, own: Path) -> SegmentPoses | None:
        """Return a segment, or None if there is no whole one; link it into the folder ``own``."""
        mine, shared = own / f"{key}{_SUFFIX}", self._path(key)
        if (found := _read(mine)) is not None:
            return found
        if (found := _read(shared)) is not None:
            with _logged(f"segment {key} cannot be kept for the job"):
                os.utime(shared)  # the segments used last are deleted last
                link_durably(shared, mine)
        return found

    def holds(self, key: str) -> bool:
        """Return whether the shared folder has a segment."""
        return self._path(key).is_file()

    def put(self, key: str, poses: SegmentPoses, own: Path) -> None:
        """Store a segment in the folder ``own``, and in the shared one.

        A failure is logged: it costs the work of a later resume, not this result.
        """
        mine, shared = own / f"{key}{_SUFFIX}", self._path(key)
        with _logged(f"segment {key} cannot be stored"):
            with durable(mine) as file:
                write_segment(file, poses)
            shared.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            link_durably(mine, shared)

    def trim(self, most_bytes: int, older_than: float, now: float) -> int:
        """Delete segments used last before ``older_than``, then the oldest beyond ``most_bytes``.

        Returns:
            The bytes of the segments that are left.
        """
        files: list[tuple[float, int, str]] = []
        for entry in _entries(self._folder):
            with suppress(FileNotFoundError):  # another process trims the same folder
                stat = entry.stat(follow_symlinks=False)
                if not entry.name.startswith(PARTIAL):
                    files.append((stat.st_mtime, stat.st_size, entry.path))
                elif stat.st_mtime < now - _WRITTEN_S:
                    os.unlink(entry.path)
        total = sum(size for _, size, _ in files)
        for used, size, path in sorted(files):
            if used >= older_than and total <= most_bytes:
                break
            Path(path).unlink(missing_ok=True)
            total -= size
        return total

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}{_SUFFIX}"


def _read(path: Path) -> SegmentPoses | None:
    try:
        with path.open("rb") as file:
            return read_segment(file)
    except FileNotFoundError:
        return None
    except (OSError, DamagedSegmentError) as error:
        logger.warning("segment %s is damaged and made again: %s", path.stem, error)
        with suppress(OSError):
            path.unlink(missing_ok=True)
        return None


@contextmanager
def _logged(what: str) -> Iterator[None]:
    """Log errors of the file system instead of raising them."""
    try:
        yield
    except OSError as error:
        logger.warning("%s: %s", what, error)


def _entries(folder: Path) -> Iterator["os.DirEntry[str]"]:
    with suppress(FileNotFoundError), os.scandir(folder) as parts:
        for part in parts:
            with suppress(FileNotFoundError), os.scandir(part.path) as entries:
                yield from entries
