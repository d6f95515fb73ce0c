"""Scales from values to places [px]: linear, of days, of logarithms."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

__all__ = ["EVIDENCE_THRESHOLD", "DayScale", "LinearScale", "month_starts", "nice_ticks"]

EVIDENCE_THRESHOLD = 20
"""E-value that a pair without association ever reaches in 5% of histories at most."""


@dataclass(frozen=True, slots=True)
class LinearScale:
    """Linear scale that keeps what is beyond it at its ends.

    Attributes
    ----------
    low, high
        Values at the ends; equal ones are both in the middle.
    start, end
        Their places [px].
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of a value, infinite ones included.

        >>> scale = LinearScale(-2, 6, 0, 80)
        >>> scale(0), scale(7), scale(float("-inf"))
        (20.0, 80.0, 0.0)
        """
        if self.high <= self.low:
            return (self.start + self.end) / 2
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Return whether a value is on the scale."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class DayScale:
    """Scale of days.

    Attributes
    ----------
    first, last
        Days at the ends.
    start, end
        Their places [px].
    """

    first: date
    last: date
    start: float
    end: float

    def __call__(self, day: date) -> float:
        """Return the place of a day."""
        low, high = self.first.toordinal(), self.last.toordinal()
        return LinearScale(low, max(high, low + 1), self.start, self.end)(day.toordinal())

    def holds(self, day: date) -> bool:
        """Return whether a day is on the scale."""
        return self.first <= day <= self.last


def month_starts(first: date, last: date) -> Iterator[date]:
    """Yield the first days of the months between two days.

    >>> [day.isoformat() for day in month_starts(date(1998, 12, 2), date(1999, 2, 1))]
    ['1999-01-01', '1999-02-01']
    """
    day = first.replace(day=1)
    while day <= last:
        if day >= first:
            yield day
        if (day.year, day.month) == (date.max.year, date.max.month):
            return
        day = (day + timedelta(days=31)).replace(day=1)


def nice_ticks(high: float, most: int = 5) -> Sequence[int]:
    """Return whole ticks from 0 to at least a count, in steps of 1, 2 or 5 times a power of ten.

    >>> list(nice_ticks(11)), list(nice_ticks(0)), list(nice_ticks(2_300_000))
    ([0, 5, 10, 15], [0, 1], [0, 500000, 1000000, 1500000, 2000000, 2500000])
    """
    if high <= 1:
        return range(0, 2)
    power = 10 ** max(math.floor(math.log10(high / most)), 0)
    step = next(power * each for each in (1, 2, 5, 10) if power * each * most >= high)
    return range(0, math.ceil(high / step) * step + 1, step)
