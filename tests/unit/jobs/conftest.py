"""Stages that repeat what real ones did, and an empty store of jobs in each kind of database."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from serve_app.jobs.store import JobStore
from serve_app.local import local_service
from serve_app.settings import load_settings
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


class Repeated:
    """Stages that call the real ones once for each argument, and repeat their results.

    Attributes:
        calls: names of the calls with the segment's index, in order.
        fail: errors to raise by such a call, each once.
        stop_at: call that never returns; ``stopped`` is set then.
    """

    def __init__(self, stages, folder):
        self._stages, self._folder = stages, folder
        self._known = {}
        self.reset()

    def reset(self):
        self.calls, self.fail, self.stop_at = [], {}, None
        self.stopped, self.cancelled = asyncio.Event(), []

    async def probe(self, path, options):
        await self._called(("probe", None))
        media = await self._once(("probe", options), lambda: self._stages.probe(path, options))
        return replace(media, path=str(path))

    async def analyze(self, segment, options):
        await self._called(("analyze", segment.index))
        key = ("analyze", segment.index, options)
        return await self._once(key, lambda: self._stages.analyze(segment, options))

    async def biomechanics(self, *arguments):
        await self._called(("biomechanics", None))
        return await self._once("biomechanics", lambda: self._stages.biomechanics(*arguments))

    async def render(self, segment, overlay, folder, options):
        await self._called(("render", segment.index))
        key = ("render", segment.index, options)
        known = await self._once(
            key, lambda: self._stages.render(segment, overlay, self._folder, options)
        )
        return replace(known, path=shutil.copy(known.path, folder))

    async def join(self, encoded, media, folder, key):
        await self._called(("join", None))
        assert all(Path(part.path).is_file() for part in encoded)
        return await self._stages.join(encoded, media, folder, key)

    async def _called(self, call):
        self.calls.append(call)
        if error := self.fail.pop(call, None):
            raise error
        if call == self.stop_at:
            self.stopped.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.append(call)

    async def _once(self, key, call):
        if key not in self._known:
            self._known[key] = await call()
        return self._known[key]


@pytest.fixture(scope="package")
def recorded(local, tmp_path_factory):
    return Repeated(local.stages, tmp_path_factory.mktemp("recorded"))


@pytest.fixture
def stages(recorded):
    recorded.reset()
    return recorded
