"""What this process holds open; and properties are checked however long an example takes."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# An example on a busy machine takes longer than one on an idle one. A property has 50 examples
# where its test names no other number.
settings.register_profile("patient", deadline=None, max_examples=50)
settings.load_profile("patient")


@pytest.fixture
def open_files() -> Callable[[], list[str]]:
    """Gives the regular files opened since the test began, by their paths."""
    before = _open_files()

    def opened() -> list[str]:
        return sorted(set(_open_files().values()) - set(before.values()))

    return opened


def _open_files() -> dict[str, str]:
    found = {}
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(link)
        except OSError:
            continue
        if Path(target).is_file():
            found[link.name] = target
    return found
