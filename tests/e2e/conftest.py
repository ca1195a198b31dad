"""The service started as `make serve` starts it, on a free port."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import find_shared
from tools.serving import serving


@dataclass(frozen=True)
class RunningService:
    """A service in processes of its own.

    Attributes:
        url: of its HTTP interface. pid: of the process that started it.
        environment: for processes that use it; names its Ray cluster, as others may run here.
        video: a short one in which its models find people.
    """

    url: str
    pid: int
    environment: dict[str, str]
    video: Path


@pytest.fixture(scope="package")
def running(
    tmp_path_factory: pytest.TempPathFactory, marker_config: Path, squat_video: Path
) -> Iterator[RunningService]:
    """With the real networks where they are, else with those that find coloured discs."""
    shared = find_shared()
    variables = {"MMPOSE_ALLOWED_HOSTS": "127.0.0.1"}
    if shared is None:
        variables["MMPOSE_CONFIG"] = str(marker_config)
    with serving(tmp_path_factory.mktemp("service"), **variables) as service:
        video = shared / "videos" / "mmpose_demo.mp4" if shared else squat_video
        yield RunningService(service.url, service.pid, service.environment, video)
