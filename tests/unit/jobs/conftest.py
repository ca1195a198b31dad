"""A store of jobs in an empty database of each kind."""

from collections.abc import AsyncIterator

import pytest

from serve_app.jobs.store import JobStore
from tests.support.job_tables import Clock


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
