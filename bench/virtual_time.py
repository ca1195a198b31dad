"""An event loop whose clock jumps: what waits an hour is done at once, in the same order."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes only by waiting for it; computing takes none."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Seconds since the loop was made, by its own clock."""
        return self.now


class _Jumping(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("everything waits for something that nobody will do")
        self._loop.now += max(timeout, 0.0)
        return super().select(0)


def simulate(work: Coroutine[Any, Any, Result]) -> tuple[Result, float]:
    """Run ``work``; return its result and its seconds by the virtual clock."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        result = runner.run(work)
        return result, loop.time()
