"""Fixtures for all tiers."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def find_shared() -> Path | None:
    """The folder of test data beside or inside the checkout, if there is one."""
    for folder in (ROOT / "shared", ROOT.parent / "shared"):
        if (folder / "weights").is_dir():
            return folder
    return None


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real weights, photographs and videos; not part of a clone."""
    folder = find_shared()
    if folder is None:
        pytest.skip("needs the real weights, photographs and videos of ../shared, which is absent")
    return folder
