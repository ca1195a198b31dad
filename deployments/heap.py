"""What this process keeps of the memory that it has let go of."""

import ctypes
import os

from deployments.cpus import usable_cpus

_M_ARENA_MAX = -8  # glibc's malloc.h
_CPUS_AN_ARENA = 2


def limit_arenas() -> None:
    """Let threads share heaps: one for two CPUs, where glibc makes up to eight a CPU.

    Pictures are allocated in one thread of several and freed in another, and what one heap keeps of
    them is of no use to the others. Call it before there are threads; a C library without arenas
    and the user's own ``MALLOC_ARENA_MAX`` are left alone.
    """
    if os.name != "posix" or "MALLOC_ARENA_MAX" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, max(usable_cpus() // _CPUS_AN_ARENA, 1))
