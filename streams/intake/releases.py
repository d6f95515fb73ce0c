"""Releases that an archive of VAERS holds: one of each DATA file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import PurePosixPath
from zipfile import ZipInfo

from schemas.release import Release, ReleaseMarker
from streams.intake.archive import Archive

__all__ = ["DataFile", "data_file"]

_NON_DOMESTIC = "NONDOMESTIC"  # in the name of a file of reports from abroad
_YEAR = re.compile(r"[0-9]{4}(?=VAERSDATA)", re.IGNORECASE)


@dataclass(slots=True)
class DataFile:
    """What is known of the reports of a DATA file, and whether every row could be read."""

    non_domestic: bool
    horizon: date  # the last day of receipt
    release: Release | None  # none if its day is not known
    is_complete: bool = True
    n_cases: int = 0

    def markers(self) -> Iterator[ReleaseMarker]:
        """Yield the marker that closes the release, if it is complete and not empty."""
        release = self.release
        if release is not None and self.is_complete and self.n_cases:
            yield ReleaseMarker(
                scope=release.scope, released_on=release.released_on, n_cases=self.n_cases
            )


def data_file(archive: Archive, member: ZipInfo, released_on: date | None) -> DataFile:
    """Return what the name and the day of a DATA file say of its reports.

    The day bounds their receipt only if it is not before the year in the name; it is extended by
    one day, since days begin in the east.

    Parameters
    ----------
    released_on
        Day of the release; by default the date of the file in the archive.
    """
    name = PurePosixPath(member.filename).name
    year = _YEAR.match(name)
    horizon = date(int(year[0]), 12, 31) if year else date.max
    written = archive.written(member)
    if written and (not year or written.year >= horizon.year):
        horizon = written + timedelta(days=1)
    part, day = name.lower().removesuffix("vaersdata.csv") or "all", released_on or written
    release = Release(scope=f"vaers/{part}", released_on=day) if day else None
    return DataFile(_NON_DOMESTIC in name.upper(), horizon, release)
