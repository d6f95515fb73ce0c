"""The command line. Every command ends with 0, or with 2 and one clear line."""

import ctypes
import os
import sys
from contextlib import suppress

__all__ = ["main"]

_M_ARENA_MAX = -8  # of mallopt(3)
_ARENAS = 2  # one of the main thread, one of all others


def main() -> None:
    """Run the command line; end with 0, or with 2 and one line, never with a traceback."""
    _set_up_heap(sys.argv[1:])
    _set_up_polars(sys.argv[1:])
    from streams.cli.app import main as run  # polars reads its settings when it is imported

    run()


def _set_up_heap(arguments: list[str]) -> None:
    """Let threads share their heap, unless the environment says how many there are to be.

    glibc gives them up to eight heaps a processor in turn, and what one is done with no other gets.
    A worker publishes, and writes snapshots, in threads that begin and end.
    """
    if arguments[:1] == ["run"] and "MALLOC_ARENA_MAX" not in os.environ:
        with suppress(AttributeError, OSError, TypeError):  # another C library has none
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def _set_up_polars(arguments: list[str]) -> None:
    """Settle what polars computes with, unless the environment says so already.

    Frames are small, and many: the streaming engine takes twice as long to set out. A worker on
    Kafka is scaled by starting another; threads that wait in vain for a share of so small a frame
    take a quarter of its time.
    """
    os.environ.setdefault("POLARS_ENGINE_AFFINITY", "in-memory")
    if arguments[:1] == ["run"]:
        os.environ.setdefault("POLARS_MAX_THREADS", "1")
