"""Tail of reports from files of any format, for line listings."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from schemas.report import Report
from streams.delivery.alert_sources import Entry, FileTail
from streams.intake.files import read_source
from streams.intake.formats import detect_format

__all__ = ["ReportTail"]


class ReportTail:
    """Tail of report files, one after the other: JSON Lines may grow, an archive is read once.

    Parameters
    ----------
    paths
        Sources as `tocsin replay` reads them; the format of each is detected.
    place
        Returns the next position of a source.

    Raises
    ------
    InputError
        If a file does not exist or has an unknown format.
    """

    def __init__(self, paths: Iterable[Path], place: Callable[[str], int]) -> None:
        self._tails = [
            FileTail(path, place, "reports")
            if detect_format(path) == "native"
            else _ArchiveTail(path, place)
            for path in paths
        ]

    def read(self) -> Iterator[Entry]:
        """Yield the reports that are not yet stored, each with its number in its file."""
        return chain.from_iterable(tail.read() for tail in self._tails)

    def where(self, source: str, position: int) -> str:
        """Describe a report."""
        return f"{source}, item {position}"

    def close(self) -> None:
        """Do nothing; files are only open while they are read."""


class _ArchiveTail:
    """Reports of an archive; one that was replaced by another of its name is another source."""

    def __init__(self, path: Path, place: Callable[[str], int]) -> None:
        self._path, self._place = path, place
        stat = path.stat()
        self._source = f"{path.resolve()} of {stat.st_size} bytes, written at {stat.st_mtime_ns}"
        self._was_read = False

    def read(self) -> Iterator[Entry]:
        """Yield the reports that are not yet stored, without rejects and markers."""
        if self._was_read:
            return
        start = self._place(self._source)
        for number, item in read_source(self._path):
            if number >= start and isinstance(item, Report):
                yield self._source, number, item.model_dump_json(exclude_defaults=True).encode()
        self._was_read = True
