"""Reads a source file of any format: a report, a notice or a reject at a time."""

from collections.abc import Iterator
from pathlib import Path

from schemas.rejected import Rejected
from schemas.report import Report
from streams.intake.faers import read_faers
from streams.intake.formats import detect_format
from streams.intake.native import read_lines
from streams.intake.vaers import read_vaers

__all__ = ["SourceItem", "read_source"]

SourceItem = Report | bytes | Rejected


def read_source(path: Path, source_format: str | None = None) -> Iterator[tuple[int, SourceItem]]:
    """Return what a file holds, each with its place: a line of native JSON unread, or a report.

    Archives give their reports in order of receipt; native JSON comes as it stands, since a log's
    order is its order of arrival.
    """
    found = source_format or detect_format(path)
    if found == "native":
        return read_lines(path)
    reader = read_vaers if found == "vaers" else read_faers
    return enumerate(reader(path), start=1)
