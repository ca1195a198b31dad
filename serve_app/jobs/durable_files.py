"""Write files that are whole or absent, also after a power cut."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

PARTIAL = ".part-"
"""Begins the name of a file that is being written."""


@contextmanager
def durable(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file; flush it to the disk and rename it to ``path`` after the block.

    If the block raises, the file is deleted and ``path`` is unchanged.

    Raises:
        OSError: the file cannot be written.
    """
    partial = partial_of(path)
    try:
        with partial.open("xb") as file:
            partial.chmod(0o600)
            yield file
            file.flush()
            os.fsync(file.fileno())
        rename_durably(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def move_durably(source: Path, path: Path) -> None:
    """Flush a file that another process wrote, and rename it to ``path`` on the same disk.

    Raises:
        OSError: the file cannot be read or renamed.
    """
    with source.open("rb") as file:
        os.fsync(file.fileno())
    rename_durably(source, path)


def rename_durably(source: Path, path: Path) -> None:
    """Rename a file, and flush the entry in the folder of ``path``.

    Raises:
        OSError: the file cannot be renamed.
    """
    source.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def link_durably(source: Path, path: Path) -> None:
    """Give a file that is on the disk a second name; copy it where there are no links to it.

    Raises:
        OSError: the file cannot be read, linked or written.
    """
    partial = partial_of(path)
    try:
        os.link(source, partial)
    except OSError:  # another file system, or one without links
        with source.open("rb") as file, durable(path) as copy:
            shutil.copyfileobj(file, copy, 1 << 20)
        return
    try:
        rename_durably(partial, path)
    finally:
        partial.unlink(missing_ok=True)  # a rename to a link of the same file does nothing


def partial_of(path: Path) -> Path:
    """Return a new name next to ``path`` for a file that is being written."""
    return path.with_name(f"{PARTIAL}{uuid4().hex}")
