"""The free memory that glibc keeps in a worker is bounded."""

import ctypes
import os
import subprocess
import sys

import pytest

# Detected in the loaded library: guessing from a file name may skip the test on glibc.
pytestmark = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"),
    reason="needs glibc: other C libraries have no arenas",
)

# glibc prints its heaps to a C stream; every thread keeps memory until all have allocated some.
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

# By default glibc raises its mapping threshold to the size of a freed array.
libc.free.argtypes = [ctypes.c_void_p]
libc.free(libc.malloc(16 << 20))
libc.mallinfo2.restype = type("Mallinfo2", (ctypes.Structure,), {
    "_fields_": [(f"field{at}", ctypes.c_size_t) for at in range(10)]
})
for size in 1, 6:
    before = libc.mallinfo2().field4  # bytes in mappings of their own
    libc.malloc(size << 20)
    print("mapped" if libc.mallinfo2().field4 > before else "in the heap")
"""

IN_HEAP, MAPPED = "in the heap", "mapped"


def _told(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Return the number of heaps, and where arrays of 1 and 6 MiB are allocated."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, *arguments],
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    *_, small, large = told.stdout.splitlines()
    return told.stdout.count("<heap nr="), small, large


@pytest.mark.parametrize(
    ("arguments", "arrays"),
    [
        (["--help"], (MAPPED, MAPPED)),
        (["--stage", "detect", "--help"], (MAPPED, MAPPED)),
        (["--stage", "cases", "--help"], (IN_HEAP, MAPPED)),
        (["--drain", "--stage=cases", "--help"], (IN_HEAP, MAPPED)),
    ],
)
def test_a_worker_has_two_heaps_and_keeps_large_arrays_out_of_them(
    arguments: list[str], arrays: tuple[str, str]
) -> None:
    assert _told("run", *arguments) == (2, *arrays)


def test_the_environment_takes_precedence() -> None:
    others = {"MALLOC_ARENA_MAX": "3", "MALLOC_MMAP_THRESHOLD_": str(256 << 10)}
    assert _told("run", "--stage", "cases", "--help", **others) == (3, MAPPED, MAPPED)


def test_other_commands_keep_the_defaults_of_glibc() -> None:
    heaps, *arrays = _told("replay", "--help")
    assert (heaps > 3, arrays) == (True, [IN_HEAP, IN_HEAP])
