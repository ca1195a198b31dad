import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deployments import process_setup as heap_module
from deployments.process_setup import SharedHeap, usable_cpus

ARENAS = """
import ctypes, sys, tempfile, threading
from deployments.process_setup import SharedHeap

libc = ctypes.CDLL(None)
if not hasattr(libc, "malloc_info"):
    sys.exit(77)
SharedHeap()
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


def told_by(program: str, **environment: str) -> int:
    """The number that it prints, in a process whose user says no more than this."""
    rest = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, env=rest | environment, capture_output=True, text=True, check=False
    )
    if done.returncode == 77:
        pytest.skip("this C library is not glibc")
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_threads_share_the_heaps():
    assert told_by(ARENAS) <= max(usable_cpus() // 2, 1)


def test_what_the_user_says_of_arenas_counts():
    assert told_by(ARENAS, MALLOC_ARENA_MAX="3") == 3


PICTURES = """
import ctypes, resource, sys
from deployments.process_setup import SharedHeap

if not hasattr(ctypes.CDLL(None), "mallopt"):
    sys.exit(77)
SharedHeap()

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def eight_pictures():
    pictures = [bytearray(3 << 20) for _ in range(8)]

eight_pictures()
before = faults()
for _ in range(10):
    eight_pictures()
print(faults() - before)
"""


def test_memory_of_pictures_is_used_again():
    """A page is 4 KiB at the least: of 240 MiB none, or nearly none, is asked for anew."""
    assert told_by(PICTURES) < 1000


def test_what_the_user_says_of_giving_back_counts():
    given_back = told_by(PICTURES, MALLOC_TRIM_THRESHOLD_="131072")
    assert given_back > 10 * told_by(PICTURES) + 50  # a huge page is asked for at once


def resident_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
def test_the_system_gets_back_what_is_left_after_many_uses():
    heap = SharedHeap()
    with heap.used():
        blocks = [bytes(100_000) for _ in range(2_000)]
        last = bytes(100_000)  # so that the end of the heap stays where it is
        del blocks
        for _ in range(100):
            with heap.used():
                between = resident_mib()

    assert last
    assert resident_mib() < between - 100


def test_the_heap_is_kept_between_a_few_uses(monkeypatch):
    asked = []
    monkeypatch.setattr(heap_module, "_call", lambda *call: asked.append(call))
    heap = SharedHeap()
    asked.clear()
    for _ in range(63):
        with heap.used():
            pass
    assert asked == []
    with heap.used():
        pass
    assert asked == [("malloc_trim", 0)]
