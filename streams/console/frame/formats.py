"""Numbers, intervals and days as the tables of the pages show them."""

import math
from datetime import UTC, date, datetime

from babel.dates import format_date

from streams.core.wording.catalogue import Language

__all__ = [
    "count",
    "day",
    "interval",
    "logarithm",
    "moment",
    "month",
    "percent",
    "short_day",
    "three_digits",
]

MINUS = "\N{MINUS SIGN}"
_LARGEST = 1e15


def count(n: int) -> str:
    """Return a whole number with separators.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{n:,}".replace("-", MINUS)


def three_digits(value: float) -> str:
    """Return a ratio or an expected count with three significant digits, without an exponent.

    >>> [three_digits(value) for value in (0.030912, 1416.2, 2_543_000.0, 0.0, 12.0)]
    ['0.0309', '1,420', '2,540,000', '0', '12']
    """
    if value == 0:
        return "0"
    if not math.isfinite(value) or abs(value) >= _LARGEST:
        return "\N{INFINITY}" if value > 0 else f"{MINUS}\N{INFINITY}"
    digits = 2 - math.floor(math.log10(abs(value)))
    rounded = round(value, digits)
    decimals = max(0, 2 - math.floor(math.log10(abs(rounded)))) if rounded else 0
    text = f"{rounded:,.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", MINUS)


def logarithm(value: float) -> str:
    """Return an information component: two decimals, a true minus, no minus zero.

    >>> logarithm(4.4391), logarithm(-0.361), logarithm(-0.001)
    ('4.44', '−0.36', '0.00')
    """
    text = f"{value:.2f}"
    return "0.00" if text == "-0.00" else text.replace("-", MINUS)


def interval(low: str, high: str) -> str:
    """Return the brackets of an interval of 95%.

    >>> interval("3.46", "5.16")
    '[3.46, 5.16]'
    """
    return f"[{low}, {high}]"


def day(value: date | datetime, language: Language) -> str:
    """Return a day with its year.

    >>> day(date(1999, 6, 15), Language.ENGLISH), day(date(1999, 6, 15), Language.JAPANESE)
    ('15 Jun 1999', '1999年6月15日')
    """
    pattern = "y年M月d日" if language is Language.JAPANESE else "d MMM y"
    return format_date(value, pattern, locale=language.value)


def month(value: date, language: Language) -> str:
    """Return a month with its year.

    >>> month(date(1999, 6, 15), Language.ENGLISH), month(date(1999, 6, 15), Language.JAPANESE)
    ('Jun 1999', '1999年6月')
    """
    pattern = "y年M月" if language is Language.JAPANESE else "MMM y"
    return format_date(value, pattern, locale=language.value)


def short_day(value: date | datetime, language: Language) -> str:
    """Return a day without its year.

    >>> short_day(date(1999, 6, 15), Language.ENGLISH), short_day(date(1999, 6, 15), Language("ja"))
    ('15 Jun', '6月15日')
    """
    pattern = "M月d日" if language is Language.JAPANESE else "d MMM"
    return format_date(value, pattern, locale=language.value)


def moment(value: datetime, language: Language) -> str:
    """Return a day and time of UTC, which the head of the pages names.

    >>> moment(datetime(1999, 6, 15, 9, 5, tzinfo=UTC), Language.ENGLISH)
    '15 Jun 1999, 09:05'
    """
    at = value.astimezone(UTC)
    return f"{day(at, language)}, {at:%H:%M}"


def percent(share: float) -> str:
    """Return a share of 0 to 1 as a percentage with three significant digits.

    >>> percent(0.0281), percent(1.0), percent(0.0)
    ('2.81%', '100%', '0%')
    """
    return f"{three_digits(100 * share)}%"
