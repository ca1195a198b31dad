"""Make files that nobody else can read at any time."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def make_private_file(path: Path, text: str) -> None:
    """Write a file of mode 0600, unless there is one, or another process makes it first.

    Raises:
        OSError: it cannot be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent) as file:  # its mode is 0600
        file.write(text)
        file.flush()
        with suppress(FileExistsError):
            os.link(file.name, path)
