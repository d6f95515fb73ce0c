"""The command line. Every command ends with 0, or with 2 and one clear line."""

import ctypes
import gc
import os
import sys
from contextlib import suppress

__all__ = ["main"]

# Parameters of mallopt(3), by what sets them in the environment.
_ARENAS, _MAPPED, _KEPT = "MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"
_HEAP = {
    _ARENAS: (-8, 2),  # heaps: one of the main thread, one of all others
    _MAPPED: (-3, 256 << 10),  # bytes; what is larger is mapped by itself
    _KEPT: (-1, 8 << 20),  # bytes; what is free at the end beyond it goes back
}
_HEAP_OF_CASES = {**_HEAP, _MAPPED: (-3, 4 << 20), _KEPT: (-1, 32 << 20)}


def main() -> None:
    """Run the command line; end with 0, or with 2 and one line, never with a traceback."""
    _set_up_heap(sys.argv[1:])
    _set_up_polars(sys.argv[1:])
    gc.disable()  # nothing that modules define is garbage: to look for some takes a fifth as long
    from streams.cli.app import command_line, run  # polars reads its settings when it is imported

    app = command_line(*sys.argv[1:2])
    gc.freeze()  # nor is it at the end: to look again takes a fifth of a second
    gc.enable()
    run(app)


def _set_up_heap(arguments: list[str]) -> None:
    """Bound what glibc keeps of memory that is free, unless the environment says so already.

    It gives threads up to eight heaps a processor in turn, and what one is done with no other gets;
    a worker publishes, and writes snapshots, in threads that begin and end. And once a large array
    was freed, those up to its size come from the heap, where small things that stay hold it open.
    What is mapped is given by the page, each cleared as it is first touched. A worker of the case
    stage takes and gives back batches and answers all the time, most below 4 MiB: they would cost
    it a fifth more. In a detector what is counted stays between them, and its heap would grow.
    """
    if arguments[:1] == ["run"]:
        of_cases = "--stage cases" in " ".join(arguments).replace("=", " ")
        bounds = _HEAP_OF_CASES if of_cases else _HEAP
        with suppress(AttributeError, OSError, TypeError):  # another C library has none
            mallopt = ctypes.CDLL(None).mallopt
            for name, (parameter, value) in bounds.items():
                if name not in os.environ:
                    mallopt(parameter, value)


def _set_up_polars(arguments: list[str]) -> None:
    """Settle what polars computes with, unless the environment says so already.

    Frames are small, and many: the streaming engine takes twice as long to set out. A worker on
    Kafka is scaled by starting another; threads that wait in vain for a share of so small a frame
    take a quarter of its time.
    """
    os.environ.setdefault("POLARS_ENGINE_AFFINITY", "in-memory")
    if arguments[:1] == ["run"]:
        os.environ.setdefault("POLARS_MAX_THREADS", "1")
