"""Name the objects of stored videos."""

import re
from typing import Final

from deployments.errors import BadParameterError

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
OWNER: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
JOBS_FOLDER: Final = ".jobs"
"""Folder of the videos of jobs, which end with their jobs rather than by age: no owner's name."""


def check_key(key: str) -> None:
    """Refuse a key that is no plain file name, with or without the folder of its owner.

    Raises:
        BadParameterError: it is none.
    """
    owner, slash, name = key.rpartition("/")
    if not NAME.fullmatch(name) or (slash and owner != JOBS_FOLDER and not OWNER.fullmatch(owner)):
        raise BadParameterError(f"{key[:50]!r} is no usable name of a result", field="key")


def object_name(prefix: str, key: str) -> str:
    """Return the name of the object of ``key`` below ``prefix``.

    Raises:
        BadParameterError: see :func:`check_key`.
    """
    check_key(key)
    return f"{prefix}/{key}" if prefix else key
