"""Axes: days with as many labels as fit, values with their grid."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta

from streams.figures.drawing.elements import line_at, text_at
from streams.figures.drawing.scales import DayScale, LinearScale, month_starts
from streams.figures.drawing.text_width import text_width
from streams.figures.drawing.texts import FigureTexts

__all__ = ["day_axis", "day_labels", "even_top", "value_grid", "value_rows"]

_GAP = 9  # between two labels of days [px]
_MONTHS = (1, 2, 3, 6)
_YEARS = (1, 2, 5, 10, 20, 50, 100)


def even_top(values: Iterable[float | None], lowest: float = 6) -> float:
    """Return the least even end of an axis of log2 units that holds all finite values.

    >>> even_top([1.2, None, float("inf")]), even_top([6.4, 7.9])
    (6, 8)
    """
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return max(lowest, 2 * math.ceil(max(finite, default=lowest) / 2))


def value_rows(
    scale: LinearScale, ticks: Iterable[float], left: float, right: float, texts: FigureTexts
) -> Iterator[str]:
    """Yield horizontal grid lines with their values at the left; that at 0 is heavier."""
    for tick in ticks:
        yield line_at(left, scale(tick), right, scale(tick), "g" if tick else "zero")
        yield text_at(left - 8, scale(tick) + 4, texts.decimal(tick, 0), "t e")


def value_grid(
    scale: LinearScale,
    ticks: Iterable[float],
    top: float,
    bottom: float,
    write: Callable[[float], str],
) -> Iterator[str]:
    """Yield vertical grid lines with their values below; that at 0 is heavier."""
    for tick in ticks:
        yield line_at(scale(tick), top, scale(tick), bottom, "g" if tick else "zero")
        yield text_at(scale(tick), bottom + 16, write(tick), "t m")


def day_axis(scale: DayScale, y: float, texts: FigureTexts, *, reach: float = 60) -> Iterator[str]:
    """Yield ticks and labels of days, months or years: as many as fit without overlap.

    Parameters
    ----------
    scale
        The days.
    y
        Height of the axis [px].
    texts
        Texts of the language.
    reach
        How far a label may reach beyond the end of the scale [px].
    """
    for day, label in day_labels(scale, texts, reach=reach):
        yield line_at(scale(day), y, scale(day), y + 5, "ax")
        yield text_at(scale(day) + 3, y + 17, label, "t")


def day_labels(scale: DayScale, texts: FigureTexts, *, reach: float) -> Sequence[tuple[date, str]]:
    """Return the days to label, with their labels: as many as fit without overlap.

    Parameters
    ----------
    scale, texts, reach
        As for `day_axis`.
    """
    for days in _candidates(scale):
        labelled = [
            (day, label)
            for day, label in ((day, _label(day, days, texts)) for day in days)
            if scale(day) + 3 + text_width(label) <= scale.end + reach
        ]
        if labelled and _fits(labelled, scale):
            return labelled
    only = texts.full_day(scale.first)
    return [(scale.first, only)] if text_width(only) <= scale.end + reach - scale.start else []


def _candidates(scale: DayScale) -> Iterator[Sequence[date]]:
    """Yield the days to label, the most first."""
    first, last = scale.first, scale.last
    span = (last - first).days
    if span <= 70:
        for step in (1, 2, 7, 14):
            yield [first + timedelta(days=at) for at in range(0, span + 1, step)]
    months = list(month_starts(first, last))
    for step in _MONTHS:
        yield [day for day in months if (day.month - 1) % step == 0]
    for step in _YEARS:
        yield [day for day in months if day.month == 1 and day.year % step == 0]


def _label(day: date, days: Sequence[date], texts: FigureTexts) -> str:
    position = days.index(day)
    is_first_of_year = position == 0 or days[position - 1].year != day.year
    if all(each.day == 1 for each in days):
        if all(each.month == 1 for each in days):
            return texts.year(day)
        return texts.month(day, year=is_first_of_year)
    return texts.full_day(day) if is_first_of_year else texts.day(day)


def _fits(labelled: Sequence[tuple[date, str]], scale: DayScale) -> bool:
    ends = [scale(day) + 3 + text_width(label) + _GAP for day, label in labelled[:-1]]
    starts = [scale(day) + 3 for day, _ in labelled[1:]]
    return all(end <= start for end, start in zip(ends, starts, strict=True))
