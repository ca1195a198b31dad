"""Saved results that all formats are tested on."""

import pytest

from tests.saved_results import height_of, saved, squatting
from tests.stick_figure import without


@pytest.fixture(scope="session")
def squat():
    """Three seconds of squats from the side by someone 1.8 m tall; a wrist is never seen."""
    return saved(without(squatting(), "left_wrist"), context=height_of(1.8))


@pytest.fixture(scope="session")
def squat_of_unknown_height():
    return saved(squatting())
