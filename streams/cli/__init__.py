"""The command line. Every command exits with 0, or with 2 and one error line."""

import sys

from streams.cli.app import command_line, run

__all__ = ["main"]


def main() -> None:
    """Run the command line; exit with 0, or with 2 and one error line, never with a traceback."""
    run(command_line(*sys.argv[1:2]))
