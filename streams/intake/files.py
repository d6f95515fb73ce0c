"""Reader of source files of any format, item by item."""

from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from schemas.rejected import Rejected
from schemas.release import ReleaseMarker
from schemas.report import Report
from streams.intake.e2b.reader import read_e2b
from streams.intake.faers.reader import read_faers
from streams.intake.formats import detect_format
from streams.intake.native import read_messages
from streams.intake.vaers import read_vaers

__all__ = ["SourceItem", "read_source"]

SourceItem = Report | ReleaseMarker | bytes | Rejected


def read_source(
    path: Path,
    source_format: str | None = None,
    repairs: Counter[str] | None = None,
    *,
    unmapped: Counter[str] | None = None,
    released_on: date | None = None,
) -> Iterator[tuple[int, SourceItem]]:
    """Return the numbered items of a file: undecoded lines of native JSON, or reports and rejects.

    Reports of archives are in order of receipt. Native JSON Lines are in file order, since the
    order of a log is its order of arrival; so are ICH E2B messages.

    Parameters
    ----------
    repairs
        Counts damaged rows that were repaired, by the kind of repair.
    unmapped
        Counts values that a report cannot carry, by element and value.
    released_on
        Day of the release that a VAERS archive holds; by default the date of each DATA file.
    """
    found = source_format or detect_format(path)
    if found == "native":
        return read_messages(path)
    if found == "vaers":
        return enumerate(read_vaers(path, released_on=released_on), start=1)
    if found == "e2b":
        return enumerate(read_e2b(path, unmapped), start=1)
    return enumerate(read_faers(path, repairs), start=1)
