"""Jobs to submit, a clock that stands still, and databases to keep them in."""

import uuid
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from serve_app.jobs.job import NewJob
from serve_app.jobs.store import JobStore


def new_job(owner: str = "ann", **values: Any) -> NewJob:
    """A job of an address, with a random id."""
    defaults = {"request": {"video": False}, "source": "https://video.test/a.mp4"}
    return NewJob(**{"id": uuid.uuid4().hex, "owner": owner, **defaults, **values})


class Clock:
    """Seconds since the epoch, which only a test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def opened(url: str, count: int, clock: Clock):
    """As many stores of one database, each with connections of its own, as processes have."""
    async with AsyncExitStack() as stack:
        stores = []
        for _ in range(count):
            stores.append(await JobStore.open(url, clock=clock))
            stack.push_async_callback(stores[-1].close)
        yield stores


class WatchedStore:
    """A store of jobs whose calls are noted, and fail while the database is down."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.is_down = False

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any, **named: Any) -> Any:
            self.calls.append((name, arguments))
            if self.is_down:
                raise ConnectionError("the database is down")
            return await getattr(self._store, name)(*arguments, **named)

        return call

    def names(self) -> list[str]:
        """The names of the calls, in order."""
        return [name for name, _ in self.calls]
