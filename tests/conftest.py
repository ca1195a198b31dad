"""Fixtures for all tiers."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.errors import WeightsMissingError
from deployments.pose.registry import ModelConfig, load_model_config
from deployments.pose.weights import default_search, find_weights
from serve_app.cli.downloads import find_demo_video
from serve_app.cli.serve import ray_environment
from serve_app.ray_token import ensure_token
from tests.support import markers, postgres

ROOT = Path(__file__).resolve().parent.parent
REGISTRY = ROOT / "config" / "model_config.json"
SQUAT_FRAMES = 96
FETCH_DEFAULTS = "mmpose-service models download movenet_multipose --demo"
SERVICES = {"graph", "running", "survivor"}
"""Fixtures that start a Ray: their tests have the machine for themselves."""


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment of every Ray that a test starts, before any test imports Ray.

    Its token, its jobs and its secret are in a folder that goes with the tests.
    """
    folder = tempfile.TemporaryDirectory(prefix="mmpose-token-")
    config.add_cleanup(folder.cleanup)
    os.environ |= ray_environment() | {
        "RAY_AUTH_TOKEN_PATH": f"{folder.name}/ray_auth_token",
        "MMPOSE_JOBS_DIR": f"{folder.name}/jobs",
        "MMPOSE_LINK_SECRET_FILE": f"{folder.name}/link_secret",
    }
    ensure_token()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of a running service, which ``make test`` runs one at a time."""
    for item in items:
        if not SERVICES.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.serial)


def find_shared(path: str) -> Path | None:
    """Return a file or folder of the test data in or next to the checkout, None if absent."""
    places = [folder / "shared" / path for folder in (ROOT, ROOT.parent)]
    return next((place for place in places if place.exists()), None)


@pytest.fixture(scope="session")
def labelled() -> Path:
    """Folder of labelled photographs; not part of a clone."""
    folder = find_shared("images")
    if folder is None:
        pytest.skip("needs labelled photographs, in ../shared/images, which is absent")
    return folder


@pytest.fixture(scope="session")
def published() -> Path:
    """Folder of trained RTMDet and RTMPose files; not part of a clone."""
    folder = find_shared("weights")
    if folder is None:
        pytest.skip("needs published weights, in ../shared/weights, which is absent")
    return folder


@pytest.fixture(scope="session")
def demo_video() -> Path:
    """The demonstration video: a woman walks past, a man is on a roof and jumps down."""
    video = find_demo_video()
    if video is None:
        pytest.skip(f"needs the demonstration video: {FETCH_DEFAULTS}")
    return video


@pytest.fixture(scope="session")
def registry() -> ModelConfig:
    """The registry that is shipped."""
    return load_model_config(REGISTRY)


@pytest.fixture(scope="session")
def movenet() -> Path:
    """File of the default network."""
    entry = load_model_config(REGISTRY).entry("movenet_multipose")
    try:
        return find_weights(entry, default_search(ROOT, None))
    except WeightsMissingError:
        pytest.skip(f"needs the default network: {FETCH_DEFAULTS}")


@pytest.fixture(scope="session")
def marker_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry whose networks find colored discs: real inference without trained weights."""
    return markers.write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def squat_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two squats of a figure of discs, whose points are ``markers.squat(SQUAT_FRAMES)``."""
    path = tmp_path_factory.mktemp("videos") / "squat.mp4"
    return markers.write_video(path, markers.squat(SQUAT_FRAMES))


@pytest.fixture(scope="session")
def postgres_database() -> Iterator[str]:
    """URL of a database of PostgreSQL, which is only for tests."""
    programs = postgres.find_programs()
    if programs is None:
        pytest.skip("needs PostgreSQL (apt-get install postgresql), which is absent")
    with postgres.running(programs) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def jobs_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database of jobs, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/jobs.db"
    url: str = request.getfixturevalue("postgres_database")
    postgres.empty(url)
    return url
