"""Releases of a source that publishes its whole data again, and the marker that closes one.

VAERS, for instance, publishes every file of a year again each month. A load of such a file is a
release of its scope. Of two versions of a case the one of the newer release is current, whatever
order they arrive in. Once a release is complete, a marker takes back the cases of its scope that it
no longer has (docs/adr/0036-releases.md).
"""

from datetime import date
from typing import Literal

from pydantic import Field

from schemas.base import Message

__all__ = ["EARLIEST_RELEASE", "RELEASE_MARK", "Release", "ReleaseMarker"]

RELEASE_MARK = b'"release_marker"'
"""A field of every marker. A report is never read as a marker, nor a marker as a report: each lacks
mandatory fields of the other."""

EARLIEST_RELEASE = date(1970, 1, 2)
"""Day from which releases are counted; the day before stands for none."""

_SCOPE = "What the release holds whole: source and part, such as `vaers/2021`."
_RELEASED_ON = "Day of the release; of two releases of one scope the later is the newer."


class Release(Message):
    """The release that a report is part of."""

    scope: str = Field(min_length=1, max_length=100, description=_SCOPE)
    released_on: date = Field(ge=EARLIEST_RELEASE, description=_RELEASED_ON)


class ReleaseMarker(Message):
    """The end of a complete release: cases of its scope of older releases are withdrawn.

    Send it to every partition of `pv.reports`, after every report of the release is acknowledged. A
    case counts again if a later release has it.
    """

    message_type: Literal["release_marker"] = Field(
        default="release_marker", description="Tells a marker from a report; always stated."
    )
    schema_version: Literal["1.0"] = Field(
        default="1.0", description="Version of this schema; additive within a major number."
    )
    scope: str = Field(min_length=1, max_length=100, description=_SCOPE)
    released_on: date = Field(ge=EARLIEST_RELEASE, description=_RELEASED_ON)
    n_cases: int | None = Field(
        default=None, ge=0, description="Cases that the release has; null if not stated."
    )
