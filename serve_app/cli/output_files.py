"""Names of results, and files that appear whole or not at all."""

import hashlib
import os
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from deployments.pose.sources import bare_address

_LONGEST = 200
"""Bytes of a result's name: a file's may have 255, with `.annotated.mp4` and the like."""

_LONGEST_RUN_ID = 64

_ID_WITHIN = 200
"""Bytes at the end of a result that have its request id."""


def shown(source: str) -> str:
    """Return a source for messages: an address without its query, which may be a signature."""
    if "://" in source:
        source = bare_address(source.strip())
    return readable(source)


def readable(name: str) -> str:
    """Return a name as UTF-8 text; bytes of a file's name that are none become U+FFFD."""
    return os.fsencode(name).decode("utf-8", "replace")


def names_of(sources: Sequence[str], folder: Path | None = None) -> list[str]:
    """Name the results of each source: its own name, with a number if another source has it.

    Args:
        sources: files and addresses. folder: of the results; names there that are of other sources
            are taken, too.
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
    """Return the request id of a result, by which a later run knows whose it is."""
    place = source.strip() if "://" in source else os.path.realpath(source)
    return f"cli-{_digest(os.fsencode(place), 16)}"


def _is_of_another(stem: Path, source: str) -> bool:
    """Return whether there is a result at ``stem`` that is not known to be of ``source``."""
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
    """Return a run id of a file's name: ASCII letters, digits, dots, hyphens and underscores.

    Accents are left out. A name with other letters, or a long one, gets a digest, so that two such
    names differ.
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
    """Give a path to write to, which becomes ``path`` if the block ends well and else goes."""
    partial = path.parent / f".{uuid4().hex}.part"
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
