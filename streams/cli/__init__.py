"""The command line. Every command ends with 0, or with 2 and one clear line."""

from streams.cli.app import main

__all__ = ["main"]
