"""View of the map as its address holds it: day, sign-off, filters and the window of the volcano."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends
from pydantic import BeforeValidator, Field

from schemas.alert import SignalGrade, SignalLevel

__all__ = ["AskedMap", "MapView"]

_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class MapView:
    """One view. Its fields are the parameters of the address; None is not stated there.

    Attributes
    ----------
    as_of
        Last day that is known.
    since
        Day up to which all is known to the reader; later revisions are new.
    level, grade
        Only signals of a level or grade.
    q
        Text to find in names of products and events.
    low, high
        Ends of the ratios of the volcano [log2 units].
    first, last
        Ends of its evidence [powers of ten].
    """

    as_of: date | None = None
    since: date | None = None
    level: SignalLevel | None = None
    grade: SignalGrade | None = None
    q: str | None = None
    low: float | None = None
    high: float | None = None
    first: float | None = None
    last: float | None = None

    def new_after(self, day: date) -> date:
        """Return the day after which revisions are new: a week before a day, unless stated."""
        return day - _WEEK if self.since is None else self.since

    def ratios(self) -> tuple[float, float] | None:
        """Return the ends of the ratios; None unless both are stated, in order."""
        if self.low is None or self.high is None or self.low >= self.high:
            return None
        return self.low, self.high

    def powers(self) -> tuple[float, float] | None:
        """Return the ends of the evidence; None unless both are stated, in order."""
        if self.first is None or self.last is None or self.first >= self.last:
            return None
        return self.first, self.last

    def query(self, **changes: object) -> str:
        """Return the query of the address of this view, with changes; those None are left out."""
        values: Mapping[str, object] = {
            each.name: getattr(self, each.name) for each in fields(self)
        } | changes
        return urlencode({name: str(value) for name, value in values.items() if value is not None})

    def whole(self) -> "MapView":
        """Return this view with all of the volcano."""
        return replace(self, low=None, high=None, first=None, last=None)


_Text = Annotated[str, Field(max_length=200)]
_Ratio = Annotated[float, Field(ge=-20, le=20)]
_Power = Annotated[float, Field(ge=0, le=1000)]


def _or_none(value: object) -> object:
    return value or None


_Stated = BeforeValidator(_or_none)  # a form sends fields that were left empty


def _asked(
    as_of: Annotated[date | None, _Stated] = None,
    since: Annotated[date | None, _Stated] = None,
    level: Annotated[SignalLevel | None, _Stated] = None,
    grade: Annotated[SignalGrade | None, _Stated] = None,
    q: Annotated[_Text | None, _Stated] = None,
    low: Annotated[_Ratio | None, _Stated] = None,
    high: Annotated[_Ratio | None, _Stated] = None,
    first: Annotated[_Power | None, _Stated] = None,
    last: Annotated[_Power | None, _Stated] = None,
) -> MapView:
    return MapView(as_of, since, level, grade, q, low, high, first, last)


AskedMap = Annotated[MapView, Depends(_asked)]
