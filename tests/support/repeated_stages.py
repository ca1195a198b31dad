"""Stages that repeat what real ones did, so that a job takes milliseconds."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path


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
