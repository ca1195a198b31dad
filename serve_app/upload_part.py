"""Receive one part of an upload: written as it comes, verified at its end."""

import hashlib
import os
from asyncio import wrap_future
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from io import FileIO
from typing import Final

from deployments.errors import ChecksumMismatchError, keeping

PART_BYTES: Final = 8 * 1024**2
"""Largest part: Serve's proxy and the Ingress hold a whole body in memory."""

CHECKSUMS: Final = ("sha1", "sha256")


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload in parts.

    Attributes:
        length: bytes of the whole file. offset: bytes received.
        label: metadata as its caller gave them.
        expires_at: seconds since the epoch at which it is deleted, unless more comes or it is used.
    """

    id: str
    length: int
    offset: int
    label: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Checksum:
    """Digest that a part must have; ``algorithm`` is one of :data:`CHECKSUMS`."""

    algorithm: str
    digest: bytes


class Part:
    """A part of an upload while it comes."""

    def __init__(
        self, threads: Executor, file: FileIO, found: Upload, checksum: Checksum | None
    ) -> None:
        self._threads = threads
        self._file = file
        self._start = found.offset
        self._length = found.length
        self._offset = found.offset
        self._checksum = checksum
        self._digest = hashlib.new(checksum.algorithm) if checksum else None
        self._verified = checksum is None
        self._last: Future[None] = Future()
        self._last.set_result(None)

    @property
    def room(self) -> int:
        """Most bytes that the part may have."""
        return min(PART_BYTES, self._length - self._start)

    async def write(self, piece: bytes) -> None:
        """Write a piece to the disk before the next one is received.

        Raises:
            WorkingFilesError: the disk is full or cannot be written.
        """
        if self._digest:
            self._digest.update(piece)
        self._last = self._threads.submit(write_piece, self._file, piece)
        await wrap_future(self._last)
        self._offset += len(piece)

    async def end(self) -> None:
        """Verify the part; bring a whole upload to the disk.

        Raises:
            ChecksumMismatchError: the part has another digest; nothing of it is kept.
            WorkingFilesError: the disk is full or cannot be written.
        """
        if self._checksum and self._digest and self._digest.digest() != self._checksum.digest:
            raise ChecksumMismatchError(
                f"the part has another {self._checksum.algorithm} digest than announced"
            )
        self._verified = True
        if self._offset == self._length:
            self._last = self._threads.submit(_sync, self._file)
            await wrap_future(self._last)

    def close(self) -> None:
        """Unlock the upload once the last piece is written: threads do not end with a request."""
        self._last.add_done_callback(self._close)

    def _close(self, _last: Future[None]) -> None:
        with self._file:
            if not self._verified:
                self._file.truncate(self._start)


def write_piece(file: FileIO, data: bytes) -> None:
    """Write all of ``data``.

    Raises:
        WorkingFilesError: the disk is full or cannot be written.
    """
    rest = memoryview(data)
    with keeping("the upload"):
        while rest:
            rest = rest[file.write(rest) :]


def _sync(file: FileIO) -> None:
    with keeping("the upload"):
        os.fsync(file.fileno())
