"""Write files that only this user can read, complete or not at all."""

import os
import tempfile
from pathlib import Path


def create_private(path: Path, text: str) -> None:
    """Write a new file that nobody else can read at any time; leave an existing one as it is.

    Raises:
        OSError: it cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as file:  # its mode is 0600
            file.write(text)
            file.flush()
            os.link(file.name, path)
    except FileExistsError:
        return


def replace_private(path: Path, text: str) -> None:
    """Replace a file, or the file that a link names, at once by one that nobody else can read.

    Raises:
        OSError: it cannot be written; the old file stays.
    """
    path = path.resolve()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(handle)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
