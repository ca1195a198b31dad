"""Name the files of results, and write each file completely or not at all."""

import hashlib
import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from deployments.errors import BadParameterError
from deployments.pose.sources import bare_address

_LONGEST = 200
"""Most bytes of a result's name: a file name may have 255, including `.annotated.mp4`."""

_LONGEST_RUN_ID = 64

_ID_WITHIN = 200
"""Bytes at the end of a result that include its request id."""


def shown(source: str) -> str:
    """Return a source for messages: an address without its query, which may hold a signature."""
    if "://" in source:
        source = bare_address(source.strip())
    return readable(source)


def readable(name: str) -> str:
    """Return a file name as UTF-8 text; invalid bytes become U+FFFD."""
    return os.fsencode(name).decode("utf-8", "replace")


def require_file(name: str) -> None:
    """Refuse a name of no file, or of one that cannot be read.

    Raises:
        BadParameterError: there is none.
    """
    if not os.path.isfile(name):  # also of a name that is too long
        raise BadParameterError(
            f"there is no file {readable(name)}",
            hint="Check the path, or give an http(s)://, gs:// or s3:// address.",
        )
    if not os.access(name, os.R_OK):
        raise BadParameterError(
            f"{readable(name)} cannot be read", hint="Check its owner and permissions: ls -l."
        )


def names_of(sources: Sequence[str], folder: Path | None = None) -> list[str]:
    """Name the results of each source: its own name, with a number if another source has it.

    Args:
        sources: files and addresses. folder: folder of the results; names that results of other
            sources have there are not used.
    """
    names: list[str] = []
    for source in sources:
        stem = _shortened(Path(shown(source)).stem) or "video"
        name, number = stem, 1
        while name in names or (folder is not None and _is_of_another(folder / name, source)):
            number += 1
            name = f"{stem}-{number}"
        names.append(name)
    return names


def source_id(source: str) -> str:
    """Return the request id of a result, from which a later run recognizes its source."""
    place = source.strip() if "://" in source else os.path.realpath(source)
    return f"cli-{_digest(os.fsencode(place), 16)}"


def _is_of_another(stem: Path, source: str) -> bool:
    """Return True if there is a result at ``stem`` that is not known to be of ``source``."""
    try:
        with open(f"{stem}.json", "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(file.tell() - _ID_WITHIN, 0))
            return f'"request_id":"{source_id(source)}"'.encode() not in file.read()
    except OSError:
        return os.path.lexists(f"{stem}.json")


def _shortened(name: str) -> str:
    data = name.encode()
    if len(data) <= _LONGEST:
        return name
    return f"{data[: _LONGEST - 8].decode('utf-8', 'ignore')}-{_digest(data)}"


def run_id_of(path: Path) -> str:
    """Make a run id from a file's name: ASCII letters, digits, dots, hyphens and underscores.

    Accents are removed. A name with other letters, or a long one, gets a digest to stay unique.
    """
    name = readable(path.stem)
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    made = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in plain)
    if name.isascii() and len(made) <= _LONGEST_RUN_ID:
        return made
    return f"{made[: _LONGEST_RUN_ID - 7]}-{_digest(os.fsencode(path.stem))}"


def _digest(data: bytes, length: int = 6) -> str:
    return hashlib.sha256(data).hexdigest()[:length]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path; rename it to ``path`` if the block succeeds, else delete it."""
    partial = path.parent / f".{uuid4().hex}.part"
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise a BadParameterError that names ``path`` where it cannot be written in the block."""
    try:
        yield
    except OSError as error:
        raise BadParameterError(f"{path}: {error.strerror}", hint="Check the path.") from error


def write(path: Path, pieces: Iterable[bytes]) -> int:
    """Write a file atomically, and return its size.

    Raises:
        BadParameterError: it cannot be written.
    """
    with writing(path):
        if path.exists() and not path.is_file():  # a pipe or a device
            return _write(path, pieces)
        with replacing(path) as partial:
            return _write(partial, pieces)


def _write(path: Path, pieces: Iterable[bytes]) -> int:
    with path.open("wb") as file:
        return sum(map(file.write, pieces))
