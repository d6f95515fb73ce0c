"""The command line. Every command ends with 0, or with 2 and one clear line."""

import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; end with 0, or with 2 and one line, never with a traceback."""
    _set_up_polars(sys.argv[1:])
    from streams.cli.app import main as run  # polars reads its settings when it is imported

    run()


def _set_up_polars(arguments: list[str]) -> None:
    """Settle what polars computes with, unless the environment says so already.

    Frames are small, and many: the streaming engine takes twice as long to set out. A worker on
    Kafka is scaled by starting another; threads that wait in vain for a share of so small a frame
    take a quarter of its time.
    """
    os.environ.setdefault("POLARS_ENGINE_AFFINITY", "in-memory")
    if arguments[:1] == ["run"]:
        os.environ.setdefault("POLARS_MAX_THREADS", "1")
