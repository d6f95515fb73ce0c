"""Result files that get their name when they are complete, open to their owner only."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from streams.runtime.owner_only import owner_only_file

__all__ = ["result_file"]

_SYSTEM = ("/dev", "/proc")  # folders in which names stand for open files and devices


@contextmanager
def result_file(path: Path, *, kept_after: type[Exception] | None = None) -> Iterator[Path]:
    """Give a path to write a result to; the file gets its own name at the end of the block.

    If the block ends with an exception, the file is removed, and an earlier file of that name
    stays. Pipes and devices, such as `/dev/stdout`, are written directly.

    Parameters
    ----------
    kept_after
        An exception after which the file is complete nevertheless.

    Raises
    ------
    OSError
        If the file cannot be created; it names the path that was given.
    """
    if _is_written_directly(path):
        yield path
        return
    final = path.resolve()  # of a link, the file that it points to
    part = final.with_name(f".tocsin-{secrets.token_hex(8)}{path.suffix}")
    _create(part, final, path)
    try:
        try:
            yield part
        except Exception as error:
            if kept_after is not None and isinstance(error, kept_after):
                part.replace(final)
            raise
        part.replace(final)
    finally:
        part.unlink(missing_ok=True)


def _is_written_directly(path: Path) -> bool:
    of_the_system = any(path.absolute().is_relative_to(folder) for folder in _SYSTEM)
    return of_the_system or (path.exists() and not path.is_file())


def _create(part: Path, final: Path, given: Path) -> None:
    """Create a file for its owner only; narrow the one that it will replace."""
    try:
        if final.exists():
            owner_only_file(final)
        owner_only_file(part)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(given)) from error
