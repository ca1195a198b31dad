"""Fixtures for all tiers."""

import os
import tempfile
from pathlib import Path

import pytest

from serve_app.commands.serve import ray_environment
from serve_app.ray_token import ensure_token
from tests import markers

ROOT = Path(__file__).resolve().parent.parent
SQUAT_FRAMES = 96


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment of every Ray that a test starts, before any test imports Ray.

    Its token is in a folder that goes with the tests, not in the home of who runs them.
    """
    folder = tempfile.TemporaryDirectory(prefix="mmpose-token-")
    config.add_cleanup(folder.cleanup)
    os.environ |= ray_environment() | {"RAY_AUTH_TOKEN_PATH": f"{folder.name}/ray_auth_token"}
    ensure_token()


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


@pytest.fixture(scope="session")
def marker_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry whose networks find coloured discs: real inference without trained weights."""
    return markers.write_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def squat_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two squats of a figure of discs, whose points are ``markers.squat(SQUAT_FRAMES)``."""
    path = tmp_path_factory.mktemp("videos") / "squat.mp4"
    return markers.write_video(path, markers.squat(SQUAT_FRAMES))
