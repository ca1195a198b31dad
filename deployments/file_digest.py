"""Take the digest of a file."""

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Return the hexadecimal sha256 of a file, read in pieces.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
