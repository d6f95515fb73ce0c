"""The command line. Every command exits with 0, or with 2 and one error line."""

import ctypes
import gc
import os
import sys
from contextlib import suppress

__all__ = ["main"]

# Parameters of mallopt(3), by the environment variable that sets each.
_ARENAS, _MAPPED, _KEPT = "MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"
_HEAP = {
    _ARENAS: (-8, 2),  # heaps: one for the main thread, one shared by all others
    _MAPPED: (-3, 256 << 10),  # bytes; larger allocations get a mapping of their own
    _KEPT: (-1, 8 << 20),  # bytes; free memory at the top of the heap above this is trimmed
}
_HEAP_OF_CASES = {**_HEAP, _MAPPED: (-3, 4 << 20), _KEPT: (-1, 32 << 20)}


def main() -> None:
    """Run the command line; exit with 0, or with 2 and one error line, never with a traceback."""
    _set_up_heap(sys.argv[1:])
    _set_up_polars(sys.argv[1:])
    gc.disable()  # imports leave no garbage; a collection would add a fifth to their time
    from streams.cli.app import command_line, run  # polars reads its settings when it is imported

    app = command_line(*sys.argv[1:2])
    gc.freeze()  # the collection at exit would scan these objects again for a fifth of a second
    gc.enable()
    run(app)


def _set_up_heap(arguments: list[str]) -> None:
    """Bound the free memory that glibc keeps, unless the environment already sets the parameter.

    By default glibc gives threads up to eight heaps a processor, and memory freed in one heap is
    not reused by another; a worker publishes and writes snapshots in short-lived threads. After a
    large array is freed, glibc also allocates arrays up to its size on the heap, where small
    long-lived objects keep it from shrinking. A mapping of its own costs page faults, since the
    kernel clears each page on first use. A worker of the case stage allocates and frees batches
    and responses all the time, most below 4 MiB: mapping them would cost it a fifth more. In a
    detector the counts stay allocated between such arrays, and its heap would grow.
    """
    if arguments[:1] == ["run"]:
        of_cases = "--stage cases" in " ".join(arguments).replace("=", " ")
        bounds = _HEAP_OF_CASES if of_cases else _HEAP
        with suppress(AttributeError, OSError, TypeError):  # another C library has no mallopt
            mallopt = ctypes.CDLL(None).mallopt
            for name, (parameter, value) in bounds.items():
                if name not in os.environ:
                    mallopt(parameter, value)


def _set_up_polars(arguments: list[str]) -> None:
    """Set the engine and threads of polars, unless the environment already sets them.

    Frames are small and many: the streaming engine takes twice as long to start a query. Workers
    on Kafka scale by processes; in a pool, threads that find no work in so small a frame cost a
    quarter of the worker's time.
    """
    os.environ.setdefault("POLARS_ENGINE_AFFINITY", "in-memory")
    if arguments[:1] == ["run"]:
        os.environ.setdefault("POLARS_MAX_THREADS", "1")
