"""The service started as `make serve` starts it, on a free port; and one that was killed."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import pytest

from tests.e2e.job_service import Survivor, survived
from tests.support import postgres
from tools.serving import serving


@dataclass(frozen=True)
class RunningService:
    """A service in processes of its own.

    Attributes:
        url: of its HTTP interface. pid: of the process that started it.
        environment: for processes that use it; names its Ray cluster, as others may run here.
        video: a short one in which its networks find somebody.
    """

    url: str
    pid: int
    environment: dict[str, str]
    video: Path


@pytest.fixture(scope="package")
def running(
    tmp_path_factory: pytest.TempPathFactory, movenet: Path, demo_video: Path
) -> Iterator[RunningService]:
    """Start the service with the networks that this machine has."""
    folder = tmp_path_factory.mktemp("service")
    video = first_frames(demo_video, folder / "demo.mp4", 10)
    with serving(folder, MMPOSE_ALLOWED_HOSTS="127.0.0.1") as service:
        yield RunningService(service.url, service.pid, service.environment, video)


def first_frames(source: Path, path: Path, count: int) -> Path:
    """Copy the first frames of a video, without its sound."""
    with av.open(str(source)) as container, av.open(str(path), "w") as target:
        original = container.streams.video[0]
        stream = target.add_stream_from_template(original)
        for packet in islice(container.demux(original), count):
            packet.stream = stream
            target.mux(packet)
    return path


@pytest.fixture(scope="package", params=["sqlite", "postgresql"])
def survivor(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, marker_config: Path
) -> Iterator[Survivor]:
    """A service that was killed during a job, as often as its kind of database says."""
    database, kills = None, 2
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_database")
        postgres.empty(url)
        database, kills = url.replace("postgresql://", "postgresql+asyncpg://"), 1
    with survived(tmp_path_factory.mktemp("jobs"), marker_config, database, kills) as service:
        yield service
