"""Numbers as texts print them: rounded, without exponents, on their own side of every threshold.

A printed number lies on the same side of each threshold of its statistic as the number itself: more
digits are printed where rounding would cross one.
"""

import math
from collections.abc import Iterable
from datetime import date

from babel.dates import format_date

from schemas.alert import Window, WindowKind
from streams.core.wording.catalogue import Catalogue

__all__ = [
    "SMALLEST",
    "days",
    "expected_cases",
    "in_window",
    "logarithm",
    "month_and_year",
    "percent",
    "rate",
    "ratio",
]

SMALLEST = 0.001
"""Ratios and rates below it are printed as below it."""
_FEWEST_EXPECTED = 0.01
_LARGEST = 1e6  # ratios and e-values above it are printed as above it
_MOST_DECIMALS = 17  # more than a float has


def ratio(value: float, words: Catalogue, thresholds: Iterable[float] = (1.0,)) -> str:
    """Return a ratio, a bound of one, or a chi-squared: 3 significant digits, zeros kept.

    >>> from streams.core.wording.catalogue import Language, catalogue
    >>> words = catalogue(Language.ENGLISH)
    >>> [ratio(value, words) for value in (6.2, 53.46, 2120.4, 96000.0, 1.0001, 0)]
    ['6.20', '53.5', '2,120', '96,000', '1.0001', '0']
    >>> ratio(1.677, words, (1, 1.68)), ratio(2e9, words), ratio(0.00012, words)
    ('1.677', 'above 1,000,000', 'below 0.001')
    """
    limits = tuple(thresholds)
    if value == 0:
        return "0"
    if 0 < value < SMALLEST and not any(0 < limit < SMALLEST for limit in limits):
        return words.text("number.below", limit=f"{SMALLEST:g}")
    if value > _LARGEST and not any(limit > _LARGEST for limit in limits):
        return words.text("number.above", limit=f"{_LARGEST:,.0f}")
    return _on_its_side(value, _decimals(value, 3), limits)


def logarithm(value: float, thresholds: Iterable[float] = (0.0,)) -> str:
    """Return an information component, or a difference of two: two decimals, and no minus zero.

    >>> logarithm(3.116), logarithm(0.0028), logarithm(-0.004, ()), logarithm(0.0)
    ('3.12', '0.003', '0.00', '0.00')
    """
    return _on_its_side(value, 2, tuple(thresholds))


def rate(value: float, words: Catalogue, thresholds: Iterable[float] = (1.0,)) -> str:
    """Return a false discovery rate: 2 significant digits, or that it is below 0.001 or above 1.

    >>> from streams.core.wording.catalogue import Language, catalogue
    >>> words = catalogue(Language.ENGLISH)
    >>> [rate(value, words) for value in (0.0011, 0.4512, 2e-7, 3.0, 1.0)]
    ['0.0011', '0.45', 'below 0.001', 'above 1', '1.0']
    """
    limits = tuple(thresholds)
    if value < SMALLEST and not any(0 < limit < SMALLEST for limit in limits):
        return words.text("number.below", limit=f"{SMALLEST:g}")
    if value > 1:
        return words.text("number.above", limit="1")
    return _on_its_side(value, _decimals(value, 2), limits)


def expected_cases(value: float, n_observed: int, words: Catalogue) -> str:
    """Return an expected number of cases, which never prints as the observed one.

    >>> from streams.core.wording.catalogue import Language, catalogue
    >>> words = catalogue(Language.ENGLISH)
    >>> [expected_cases(value, 26, words) for value in (0.591, 4.97, 217.6, 25.951, 0.0042, 0)]
    ['0.59', '5.0', '218', '25.95', 'fewer than 0.01', 'fewer than 0.01']
    """
    if value < _FEWEST_EXPECTED:
        return words.text("number.fewer", limit=f"{_FEWEST_EXPECTED:g}")
    decimals = max(0, _decimals(value, 2))
    return words.text("number.cases", n=_on_its_side(value, decimals, (float(n_observed),)))


def percent(part: int, whole: int) -> str:
    """Return a share as a percentage: no decimals of less than 100 cases, one of more.

    >>> percent(3, 8), percent(25, 201)
    ('38%', '12.4%')
    """
    return f"{100 * part / whole:.{0 if whole < 100 else 1}f}%"


def in_window(window: Window, words: Catalogue) -> str:
    """Return the phrase that names the days of a window; empty for the cumulative one.

    >>> from streams.core.wording.catalogue import Language, catalogue
    >>> quarter = Window(kind=WindowKind.QUARTER, label="2024-Q2",
    ...                  first_day=date(2024, 4, 1), last_day=date(2024, 6, 30))
    >>> in_window(quarter, catalogue(Language.ENGLISH))
    'In April to June 2024, '
    """
    first, last = window.first_day, window.last_day
    if window.kind is WindowKind.MONTH:
        return words.text("window.month", month=month_and_year(last, words))
    if window.kind is WindowKind.QUARTER:
        quarter = window.label.partition("-Q")[2]
        begins, ends = (date(last.year, 3 * int(quarter) - back, 1) for back in (2, 0))
        return words.text(
            "window.quarter",
            first=format_date(begins, "MMMM", locale=words.language.value),
            last=format_date(ends, "MMMM", locale=words.language.value),
            year=last.year,
        )
    if window.kind is WindowKind.SLIDING and first is not None:
        return words.text("window.sliding", n=(last - first).days + 1, last=last.isoformat())
    return ""


def month_and_year(day: date, words: Catalogue) -> str:
    """Return the month of a day in words, with its year."""
    pattern = words.text("form.month")
    return format_date(day, pattern, locale=words.language.value)


def days(first: date | None, last: date | None, words: Catalogue) -> str:
    """Return one day, or the days from one to another, in ISO form; empty without any."""
    if first is None or last is None or first == last:
        one = first or last
        return "" if one is None else one.isoformat()
    return words.text("form.range", first=first.isoformat(), last=last.isoformat())


def _decimals(value: float, digits: int) -> int:
    """Return the decimals of a number that is not 0 with so many significant digits."""
    decimals = digits - 1 - _magnitude(value)
    rounded = round(value, decimals)  # 9.996 has one decimal less, as 10.0
    return digits - 1 - _magnitude(rounded) if rounded else decimals


def _magnitude(value: float) -> int:
    return math.floor(math.log10(abs(value)))


def _on_its_side(value: float, decimals: int, thresholds: tuple[float, ...]) -> str:
    """Return a number with as many decimals, or as many more as its side of thresholds takes."""
    for more in range(decimals, _MOST_DECIMALS):
        rounded = round(value, more)
        if all(_side(rounded, limit) == _side(value, limit) for limit in thresholds):
            break
    return f"{rounded + 0.0:,.{max(more, 0)}f}"  # minus zero plus zero is zero


def _side(value: float, threshold: float) -> int:
    return (value > threshold) - (value < threshold)
