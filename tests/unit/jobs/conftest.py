"""A store of jobs in an empty database of each kind, and stages of jobs."""

import time
from collections.abc import AsyncIterator

import httpx
import pytest

from serve_app.http.routes import create_app
from serve_app.jobs.jobs import Jobs
from serve_app.jobs.store import JobStore
from serve_app.local import local_service
from serve_app.settings import load_settings
from tests.support.job_tables import Clock
from tests.support.live_app import live_app
from tests.support.repeated_stages import Repeated


@pytest.fixture
def anyio_backend() -> str:
    """What runs the tests that are coroutines."""
    return "asyncio"


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
async def store(jobs_url: str, clock: Clock) -> AsyncIterator[JobStore]:
    """An empty store."""
    made = await JobStore.open(jobs_url, clock=clock)
    yield made
    await made.close()


@pytest.fixture(scope="package")
def local(marker_config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")
    settings = load_settings(
        {
            "config": marker_config,
            "output": str(folder / "videos"),
            "spool_dir": folder / "spool",
            "segment_s": 0.4,
            "segments_in_flight": 2,
        }
    )
    with local_service(settings) as service:
        yield service


@pytest.fixture(scope="package")
def recorded(local, tmp_path_factory):
    return Repeated(local.stages, tmp_path_factory.mktemp("recorded"))


@pytest.fixture
def stages(recorded):
    recorded.reset()
    return recorded


@pytest.fixture(scope="module")
def jobs_transport(marker_config, tmp_path_factory):
    """A service of one process with its jobs, for ordinary clients."""
    folder = tmp_path_factory.mktemp("jobs")
    settings = load_settings(
        {
            "config": marker_config,
            "output": str(folder / "videos"),
            "spool_dir": folder / "spool",
            "jobs_dir": folder / "jobs",
            "segment_s": 0.5,
            "max_queued_jobs": 3,
        }
    )
    with local_service(settings) as service:
        jobs = Jobs(service)
        with live_app(create_app(service, jobs), jobs.keep_running()) as transport:
            with httpx.Client(transport=transport, base_url="http://test") as client:
                end = time.monotonic() + 60
                while client.get("/jobs").status_code != 200:
                    assert time.monotonic() < end
                    time.sleep(0.05)
            transport.jobs_dir, transport.videos = settings.jobs_dir, folder / "videos"
            yield transport
