"""Estimate when a place will be free, from how long recent work took and what is under way."""

import heapq
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Final

FIRST_GUESS_S: Final = 5.0
"""Seconds to wait where nothing was measured yet."""

LONGEST_WAIT_S: Final = 120.0
"""Callers are asked to come again after this at the latest: an estimate so long is a rough one."""

_RECENT: Final = 64


class Load:
    """Work under way, and the durations of what ended last.

    Args:
        clock: seconds, for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begun: dict[object, float] = {}
        self._durations: deque[float] = deque(maxlen=_RECENT)

    def __len__(self) -> int:
        """Return how much is under way."""
        return len(self._begun)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count work as under way; its duration counts if it ends without an error."""
        key = object()
        begun = self._begun[key] = self._clock()
        try:
            yield
            self._durations.append(self._clock() - begun)
        finally:
            del self._begun[key]

    def expected_wait_s(self, places: int, ahead: int = 0) -> float | None:
        """Estimate the seconds until a place is free; None before anything was measured.

        Args:
            places: how much may be under way.
            ahead: number of others that wait already, and go first.
        """
        durations = list(self._durations)
        now = self._clock()
        elapsed = [now - begun for begun in list(self._begun.values())]
        if len(elapsed) + ahead < places:
            return 0.0
        if not durations:
            return None
        ends = sorted(_remaining(seconds, durations) for seconds in elapsed)
        ends = [0.0] * (places - len(ends)) + ends[max(0, len(ends) - places) :]
        typical = median(durations)
        for _ in range(ahead):
            heapq.heapreplace(ends, ends[0] + typical)
        return ends[0]

    def retry_after_s(self, places: int) -> float:
        """Return whole seconds for ``Retry-After``: 1 to :data:`LONGEST_WAIT_S`."""
        wait = self.expected_wait_s(places)
        if wait is None:
            return FIRST_GUESS_S
        return min(max(1.0, math.ceil(wait)), LONGEST_WAIT_S)


def _remaining(elapsed: float, durations: list[float]) -> float:
    """Estimate how long work goes on by the median of what took longer; else as long again."""
    longer = [duration for duration in durations if duration > elapsed]
    return median(longer) - elapsed if longer else elapsed
