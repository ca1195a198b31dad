import os
import subprocess
import sys

import pytest

from deployments.cpus import usable_cpus

PROBE = """
import ctypes, sys, tempfile, threading
from deployments.heap import limit_arenas

libc = ctypes.CDLL(None)
if not hasattr(libc, "malloc_info"):
    sys.exit(77)
limit_arenas()
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
held, all_hold = [], threading.Barrier(8)

def hold():
    held.append(libc.malloc(60_000))
    all_hold.wait()

threads = [threading.Thread(target=hold) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.fopen.restype, libc.fclose.argtypes = ctypes.c_void_p, (ctypes.c_void_p,)
libc.malloc_info.argtypes = (ctypes.c_int, ctypes.c_void_p)
with tempfile.NamedTemporaryFile() as told:
    file = libc.fopen(told.name.encode(), b"w")
    libc.malloc_info(0, file)
    libc.fclose(file)
    print(told.read().count(b"<heap nr="))
"""


def arenas(**environment: str) -> int:
    """So many has a process in which eight threads hold memory."""
    rest = {k: v for k, v in os.environ.items() if k != "MALLOC_ARENA_MAX"}
    command = [sys.executable, "-c", PROBE]
    done = subprocess.run(
        command, env=rest | environment, capture_output=True, text=True, check=False
    )
    if done.returncode == 77:
        pytest.skip("this C library has no arenas")
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_threads_share_the_heaps():
    assert arenas() <= max(usable_cpus() // 2, 1)


def test_what_the_user_says_of_arenas_counts():
    assert arenas(MALLOC_ARENA_MAX="3") == 3
