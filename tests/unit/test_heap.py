"""Threads of a worker share their heap: what one is done with, the next one gets."""

import os
import platform
import subprocess
import sys

import pytest

# glibc tells of its heaps on a C stream; every thread holds memory until all have some.
SCRIPT = """
import contextlib, ctypes, sys, threading
from streams.cli import main
sys.argv = ["tocsin", *sys.argv[1:]]
with contextlib.suppress(SystemExit):
    main()
sys.stdout.flush()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
gate = threading.Barrier(9)

def hold():
    libc.malloc(1 << 10)
    gate.wait()

threads = [threading.Thread(target=hold) for _ in range(8)]
for thread in threads:
    thread.start()
gate.wait()
for thread in threads:
    thread.join()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


def _heaps(*arguments: str, **environment: str) -> int:
    kept = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, *arguments],
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return told.stdout.count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no arenas")
def test_a_worker_has_two_heaps_and_the_environment_decides_otherwise() -> None:
    assert _heaps("run", "--help") == 2
    assert _heaps("run", "--help", MALLOC_ARENA_MAX="3") == 3
    assert _heaps("replay", "--help") > 3, "where nothing is said, each thread has one"
