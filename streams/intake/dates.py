"""Parsers of dates in the source formats; a partial or impossible date is unknown."""

import calendar
import re
from datetime import date
from functools import lru_cache

__all__ = [
    "DateRange",
    "as_stated",
    "date_range",
    "last_day_of_quarter",
    "parse_compact_date",
    "parse_us_date",
    "stated_day",
]

_FIRST_YEAR = 1900
"""First valid year: no source has an older report or treatment; earlier years are typing errors."""

_DIGITS_OF_A_DAY = 8
_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_PARTIAL = re.compile(r"([0-9]{4})([0-9]{2})?")
_US = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")


@lru_cache(maxsize=1 << 16)
def parse_compact_date(text: str) -> date | None:
    """Parse `YYYYMMDD`; a month or year alone is unknown.

    >>> parse_compact_date("20040102"), parse_compact_date("200401"), parse_compact_date("20040231")
    (datetime.date(2004, 1, 2), None, None)
    """
    match = _COMPACT.fullmatch(text.strip())
    return _day(match[1], match[2], match[3]) if match else None


@lru_cache(maxsize=1 << 16)
def parse_us_date(text: str) -> date | None:
    """Parse `MM/DD/YYYY`.

    >>> parse_us_date("07/02/1990"), parse_us_date("13/40/1990"), parse_us_date("")
    (datetime.date(1990, 7, 2), None, None)
    """
    match = _US.fullmatch(text.strip())
    return _day(match[3], match[1], match[2]) if match else None


DateRange = tuple[date, date]
"""First and last day that a stated date can mean: a day, a month or a year."""


@lru_cache(maxsize=1 << 16)
def date_range(text: str) -> DateRange | None:
    """Parse `YYYYMMDD`, `YYYYMM` or `YYYY`.

    >>> date_range("20040102")[0], date_range("200402")[1], date_range("2004")[1]
    (datetime.date(2004, 1, 2), datetime.date(2004, 2, 29), datetime.date(2004, 12, 31))
    """
    if day := parse_compact_date(text):
        return day, day
    match = _PARTIAL.fullmatch(text.strip())
    first = _day(match[1], match[2] or "01", "01") if match else None
    if match is None or first is None:
        return None
    month = first.month if match[2] else 12
    return first, date(first.year, month, calendar.monthrange(first.year, month)[1])


def stated_day(stated: DateRange | None) -> date | None:
    """Return the day of a date that states one; a month or a year is none."""
    return stated[0] if stated and stated[0] == stated[1] else None


def as_stated(text: str) -> str:
    """Take the first of the month, or of the year, for a month, or a year, without a day.

    For sources that complete partial dates so. A stated first of a month looks the same there.

    >>> as_stated("20031101"), as_stated("20030101"), as_stated("20031115")
    ('200311', '2003', '20031115')
    """
    text = text.strip()
    if len(text) != _DIGITS_OF_A_DAY or not text.endswith("01"):
        return text
    return text[:4] if text.endswith("0101") else text[:6]


def last_day_of_quarter(year: int, quarter: int) -> date:
    """Return the last day of a calendar quarter.

    >>> last_day_of_quarter(2026, 2)
    datetime.date(2026, 6, 30)
    """
    month = 3 * quarter
    return date(year, month, calendar.monthrange(year, month)[1])


def _day(year: str, month: str, day: str) -> date | None:
    if int(year) < _FIRST_YEAR:
        return None
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
