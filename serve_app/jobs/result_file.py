"""Store a result so that any page of its frames is read without the others.

A folder: ``head.json.zst`` is the response without frames, ``frames-000000.zst`` and so on are its
frames as lines of JSON, :data:`FRAMES_PER_FILE` in each.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

import zstandard

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
    size = len(head)
    rest = iter(frames)
    for nth in count():
        lines = list(islice(rest, FRAMES_PER_FILE))
        if not lines:
            break
        text = b"\n".join(lines)
        size += len(text) + (nth > 0)
        _write(made / _frames_name(nth), text)
    _write(made / _HEAD, head)
    shutil.rmtree(folder, ignore_errors=True)  # of an attempt whose worker lost the job
    rename_durably(made, folder)
    return size


def read_head(folder: Path) -> bytes:
    """Return the response without its frames, as JSON."""
    return _read(folder / _HEAD)


def read_frames(folder: Path, first: int = 0) -> Iterator[bytes]:
    """Yield the JSON of each frame from position ``first`` on, by one file in memory at a time."""
    nth, skip = divmod(first, FRAMES_PER_FILE)
    while (path := folder / _frames_name(nth)).is_file():
        yield from _read(path).split(b"\n")[skip:]
        nth, skip = nth + 1, 0


def read_whole(folder: Path) -> Iterator[bytes]:
    """Yield the whole response as JSON, in pieces."""
    head = read_head(folder)
    if not head.startswith(BEFORE_FRAMES):  # a result without data
        yield head
        return
    yield BEFORE_FRAMES
    nth = 0
    while (path := folder / _frames_name(nth)).is_file():
        yield (b"," if nth else b"") + _read(path).replace(b"\n", b",")
        nth += 1
    yield head[len(BEFORE_FRAMES) :]


def read_document(folder: Path) -> dict[str, Any]:
    """Return the whole response as plain JSON values."""
    document: dict[str, Any] = json.loads(b"".join(read_whole(folder)))
    return document


def _frames_name(nth: int) -> str:
    return f"frames-{nth:06d}.zst"


def _write(path: Path, text: bytes) -> None:
    with path.open("xb") as file:
        path.chmod(0o600)
        file.write(zstandard.compress(text, _LEVEL))
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> bytes:
    text: bytes = zstandard.decompress(path.read_bytes(), max_output_size=_MOST_BYTES)
    return text
