"""Write a download to a file, and enforce its limits while it grows."""

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import IO

from deployments.errors import (
    TooLargeError,
    UnreachableError,
    WorkingFilesError,
    keeping,
)
from deployments.fetch.guarded_connection import Budget

Progress = Callable[[int, int | None], None]
"""Called with the bytes received and the total, None if the remote server does not state it."""


class Pace:
    """Require a least number of bytes of a transfer in every window of time.

    What came quickly is no credit for a stall later.

    Attributes:
        end: moment by ``time.monotonic`` at which the transfer is too slow, unless more comes.
    """

    def __init__(self, bytes_per_s: float, window_s: float) -> None:
        self._least, self._window_s = bytes_per_s * window_s, window_s
        self._renew()

    def came(self, size: int) -> None:
        """Count bytes; enough of them begin a new window."""
        self._missing -= size
        if self._missing <= 0:
            self._renew()

    @property
    def is_late(self) -> bool:
        """Return whether the window has ended."""
        return monotonic() > self.end

    def _renew(self) -> None:
        self.end = monotonic() + self._window_s
        self._missing = self._least


@contextmanager
def new_file(folder: Path) -> Iterator[tuple[IO[bytes], Path]]:
    """Open a file for writing, mode 0600; yield it and its path after the block succeeds.

    Until then its name ends in ``.part``; if the block raises, the file is deleted.
    """
    with keeping("the download"):
        handle, name = tempfile.mkstemp(prefix="source-", suffix=".part", dir=folder)
    partial = Path(name)
    final = partial.with_suffix(".video")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file, final
        partial.rename(final)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


class Sink:
    """A file of limited size that receives a download and reports progress."""

    def __init__(
        self,
        file: IO[bytes],
        max_bytes: int,
        budget: Budget,
        progress: Progress | None,
        pace: Callable[[], Pace] = lambda: Pace(0, math.inf),
    ) -> None:
        """Take the limits; the ``pace`` is held from the first bytes on."""
        self._file = file
        self._max_bytes = max_bytes
        self._budget = budget
        self._progress = progress
        self._received = 0
        self._total: int | None = None
        self._begin = pace
        self._pace: Pace | None = None

    def expect(self, total: int) -> None:
        """Check the number of bytes that the remote server announces.

        Raises:
            TooLargeError: more than the limit.
            WorkingFilesError: more than the disk has left.
        """
        self._refuse_over_limit(total)
        free = shutil.disk_usage(self._file.fileno()).free
        if total > free:
            raise WorkingFilesError(f"the disk has {free} bytes left for a file of {total}")
        self._total = total

    def write(self, data: bytes) -> int:
        """Write ``data``.

        Raises:
            TooLargeError: the file would exceed the limit.
            WorkingFilesError: the disk is full.
            WorkCancelledError, UnreachableError: as :meth:`Budget.left_s`.
            UnreachableError: the data arrives too slowly.
        """
        self._budget.left_s()
        self._refuse_slow(len(data))
        self._refuse_over_limit(self._received + len(data))
        with keeping("the download"):
            self._file.write(data)
        self._received += len(data)
        if self._progress is not None:
            self._progress(self._received, self._total)
        return len(data)

    def flush(self) -> None:
        """Flush buffered data, so that a full disk raises here and not when the file is closed.

        Raises:
            WorkingFilesError: the disk is full.
        """
        with keeping("the download"):
            self._file.flush()

    def check_pace(self) -> None:
        """Check the rate while nothing arrives.

        Raises:
            UnreachableError: the data arrives too slowly.
        """
        if self._pace is not None and self._pace.is_late:
            raise UnreachableError(f"{self._budget.name} comes too slowly")

    def _refuse_slow(self, size: int) -> None:
        self._pace = self._pace or self._begin()
        self.check_pace()
        self._pace.came(size)

    def _refuse_over_limit(self, size: int) -> None:
        if size > self._max_bytes:
            raise TooLargeError(
                f"{self._budget.name} is larger than {self._max_bytes} bytes",
                limit=self._max_bytes,
                value=size,
            )
