"""Set up a process: the CPUs it may use, glibc malloc, lazy parts of scipy."""

import ctypes
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Final

ASSIGNING: Final = ("optimize", "sparse.csgraph")
"""For people from frame to frame."""
BIOMECHANICS: Final = ("interpolate", "signal", "special", "stats")

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # glibc's malloc.h
_CPUS_AN_ARENA = 2
_KEPT_BYTES = 128 << 20
"""Bytes kept at the end of a heap; the system would have to provide them again."""
_MAPPED_BYTES = 32 << 20
"""Blocks as large come from the system and go back to it; pictures are smaller."""
_USES = 64
"""Memory is given back so seldom at the most: the next to use it waits for tens of milliseconds."""


def usable_cpus(quota: Path = _QUOTA) -> int:
    """Count the CPUs that scheduler and container quota give this process; at least 1.

    Args:
        quota: the control group's file: microseconds allowed a period, and the period, or ``max``.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        most, _, every = quota.read_text().partition(" ")
        share = math.ceil(int(most) / int(every))
    except (OSError, ValueError):  # no control groups here, or no quota
        return count or 1
    return max(min(count or 1, share), 1)


def load_scipy(*parts: str) -> None:
    """Import ``parts``, so that no request has to wait for them."""
    for part in parts:
        import_module(f"scipy.{part}")


class SharedHeap:
    """The heap of a process that handles pictures: little of it is kept for nothing.

    Pictures are allocated in one thread of several and freed in another. What one heap keeps of
    them is of no use to the others, so threads share one for two CPUs, where glibc makes up to
    eight a CPU. What a few pictures leave is kept for the next ones: glibc would give it back to
    the system, and ask for it again, with every one of them. A user's own ``MALLOC_ARENA_MAX``,
    ``MALLOC_TRIM_THRESHOLD_`` and ``MALLOC_MMAP_THRESHOLD_`` are left alone. Make one before there
    are threads. Without glibc it does nothing.
    """

    def __init__(self) -> None:
        for variable, option, value in (
            ("MALLOC_ARENA_MAX", _M_ARENA_MAX, max(usable_cpus() // _CPUS_AN_ARENA, 1)),
            ("MALLOC_TRIM_THRESHOLD_", _M_TRIM_THRESHOLD, _KEPT_BYTES),
            ("MALLOC_MMAP_THRESHOLD_", _M_MMAP_THRESHOLD, _MAPPED_BYTES),
        ):
            if variable not in os.environ:
                _call("mallopt", option, value)
        self._users = self._uses = 0

    @contextmanager
    def used(self) -> Iterator[None]:
        """Wrap a piece of work; after many, the last to end returns the kept memory."""
        self._users += 1
        self._uses += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users and self._uses >= _USES:
                self._uses = 0
                _call("malloc_trim", 0)


def _call(name: str, *args: int) -> None:
    if os.name == "posix":
        function: Callable[..., object] | None = getattr(ctypes.CDLL(None), name, None)
        if function is not None:
            function(*args)
