"""Parsers of dates in the source formats; a partial or impossible date is unknown."""

import calendar
import re
from datetime import date
from functools import lru_cache

__all__ = ["last_day_of_quarter", "parse_compact_date", "parse_us_date"]

_FIRST_YEAR = 1900
"""First valid year: no source has an older report or treatment; earlier years are typing errors."""

_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
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
