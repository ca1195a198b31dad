"""Saved results that all formats are tested on."""

import pytest

from serve_app.model_plan import plan_models
from serve_app.service import PoseService
from serve_app.settings import load_settings
from tests.support.saved_results import height_of, saved, squatting
from tests.support.stick_figure import without


@pytest.fixture(scope="session")
def squat():
    """Three seconds of squats from the side by someone 1.8 m tall; a wrist is never seen."""
    return saved(without(squatting(), "left_wrist"), context=height_of(1.8))


@pytest.fixture(scope="session")
def squat_of_unknown_height():
    return saved(squatting())


class NoStages:
    """Exports need none."""


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    """A service that has no models, and takes results of up to 2 MB."""
    settings = load_settings(
        {"spool_dir": tmp_path_factory.mktemp("spool"), "max_result_bytes": 2_000_000}
    )
    return PoseService(settings, plan_models(settings), NoStages(), dict)
