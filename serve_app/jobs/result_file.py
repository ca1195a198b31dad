"""Store a result so that any page of its frames is read without the others.

A folder: ``head.json.zst`` has the number of the other files and, in a second line, the response
without frames; ``frames-000000.zst`` and so on are its frames as lines of JSON,
:data:`FRAMES_PER_FILE` in each. What is missing or damaged is found out when it is read.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import zstandard

from deployments.errors import ResultFilesError
from serve_app.jobs.durable_files import rename_durably

FRAMES_PER_FILE: Final = 256
BEFORE_FRAMES: Final = b'{"data":{"poses_per_frame":['
"""Beginning of every response with data; the frames follow."""

_HEAD = "head.json.zst"
_LEVEL = 3
_MOST_BYTES = 1 << 30  # of one file, decompressed; a frame with 64 people is under 1 MB


def write_result(folder: Path, head: bytes, frames: Iterable[bytes]) -> int:
    """Write a result into ``folder``, and return the size of its JSON.

    Args:
        folder: appears whole or not at all; one that is there is replaced.
        head: the response as JSON, with no frames.
        frames: JSON of each frame, without newlines.

    Raises:
        OSError: it cannot be written.
    """
    made = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(made, ignore_errors=True)  # of an attempt that was killed
    made.mkdir(mode=0o700)
    size, files = len(head), 0
    rest = iter(frames)
    try:
        while lines := list(islice(rest, FRAMES_PER_FILE)):
            text = b"\n".join(lines)
            size += len(text) + (files > 0)
            _write(made / _frames_name(files), text)
            files += 1
        _write(made / _HEAD, b"%d\n%b" % (files, head))
    except BaseException:  # a full disk needs the space
        shutil.rmtree(made, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)  # of an attempt whose worker lost the job
    rename_durably(made, folder)
    return size


def read_head(folder: Path) -> bytes:
    """Return the response without its frames, as JSON.

    Raises:
        ResultFilesError: it is missing or damaged; as in all functions below.
    """
    return _head(folder)[1]


def read_frames(folder: Path, first: int = 0) -> Iterator[bytes]:
    """Yield the JSON of each frame from position ``first`` on, by one file in memory at a time."""
    begin, skip = divmod(first, FRAMES_PER_FILE)
    for nth in range(begin, _head(folder)[0]):
        yield from _read(folder / _frames_name(nth)).split(b"\n")[skip:]
        skip = 0


def read_whole(folder: Path) -> Iterator[bytes]:
    """Yield the whole response as JSON, in pieces."""
    files, head = _head(folder)
    if not head.startswith(BEFORE_FRAMES):  # a result without data
        yield head
        return
    yield BEFORE_FRAMES
    for nth in range(files):
        yield (b"," if nth else b"") + _read(folder / _frames_name(nth)).replace(b"\n", b",")
    yield head[len(BEFORE_FRAMES) :]


def read_bytes(folder: Path) -> bytes:
    """Return the whole response as JSON, in one piece."""
    return b"".join(read_whole(folder))


def read_document(folder: Path) -> dict[str, Any]:
    """Return the whole response as plain JSON values."""
    document: dict[str, Any] = json.loads(read_bytes(folder))
    return document


def _frames_name(nth: int) -> str:
    return f"frames-{nth:06d}.zst"


def _write(path: Path, text: bytes) -> None:
    with path.open("xb") as file:
        path.chmod(0o600)
        file.write(zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(text))
        file.flush()
        os.fsync(file.fileno())


def _head(folder: Path) -> tuple[int, bytes]:
    """Return the number of files of frames, and the response without frames."""
    path = folder / _HEAD
    files, newline, head = _read(path).partition(b"\n")
    if not newline or not files.isdigit():
        raise _unreadable(path, "it has no number of files")
    return int(files), head


def _read(path: Path) -> bytes:
    try:
        text: bytes = zstandard.decompress(path.read_bytes(), max_output_size=_MOST_BYTES)
    except (OSError, zstandard.ZstdError) as error:
        raise _unreadable(path, str(error)) from error
    return text


def _unreadable(path: Path, reason: str) -> ResultFilesError:
    return ResultFilesError(
        f"the file {path.name} of the result is missing or damaged", private=f"{path}: {reason}"
    )
