"""The command line. Every command ends with 0, or with 2 and one clear line."""

import sys

from streams.cli.app import command_line, run

__all__ = ["main"]


def main() -> None:
    """Run the command line; end with 0, or with 2 and one line, never with a traceback."""
    run(command_line(*sys.argv[1:2]))
