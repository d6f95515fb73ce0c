"""Calendar: a count a day as weeks in blocks of a year or half year, a number in every cell."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from streams.figures.drawing.elements import picture, rectangle, text_at
from streams.figures.drawing.scales import month_starts
from streams.figures.drawing.text_width import text_width
from streams.figures.drawing.texts import FigureTexts, figure_texts

__all__ = ["CalendarFacts", "DayCount", "calendar_days"]

_LEFT, _TOP = 38, 26  # margins of a block [px]
_LARGEST, _SMALLEST = 25, 9  # side of a cell [px]
_READABLE = 20  # side of a cell that holds a number of three digits [px]
_GREYS = 4


@dataclass(frozen=True, slots=True)
class DayCount:
    """What happened on one day.

    Attributes
    ----------
    day
        The day.
    n
        Number of alert revisions, or of what the title names.
    """

    day: date
    n: int


@dataclass(frozen=True, slots=True)
class CalendarFacts:
    """What a calendar shows.

    Attributes
    ----------
    first_day, last_day
        Days that it covers; days of `counts` outside are left out.
    counts
        Counts by day; a day without one had none.
    signed_off
        Day of the reader's last sign-off: later days with a count are outlined. None for none.
    """

    first_day: date
    last_day: date
    counts: Sequence[DayCount]
    signed_off: date | None = None


def calendar_days(
    facts: CalendarFacts, *, name: str = "calendar", width: float = 634, language: str = "en"
) -> str:
    """Return alert revisions a day, in four greys by the root of the count.

    Parameters
    ----------
    facts
        What it shows.
    name
        Prefix of its ids, unique on the page.
    width
        Most width [px]; the height follows from the years.
    language
        `en` or `ja`.
    """
    texts = figure_texts(language)
    days = {
        each.day: each.n
        for each in facts.counts
        if facts.first_day <= each.day <= facts.last_day and each.n > 0
    }
    blocks = _blocks(facts.first_day, facts.last_day, 12)
    if (side := _side(blocks, width)) < _READABLE:
        blocks = _blocks(facts.first_day, facts.last_day, 6)
        side = _side(blocks, width)
    most = max(days.values(), default=0)
    y = 0.0
    body: list[str] = []
    for first, last in blocks:
        body += _block(first, last, days, most, y, side, facts.signed_off, texts)
        y += _TOP + 7 * side + 12
    title = texts.count(
        "calendar.title",
        sum(days.values()),
        first=texts.full_day(facts.first_day),
        last=texts.full_day(facts.last_day),
    )
    numbers = [
        texts.text("calendar.day", day=day.isoformat(), n=texts.integer(n))
        for day, n in sorted(days.items())
    ]
    return picture(name, width, y, title, numbers or [texts.text("empty.calendar")], body)


def _blocks(first_day: date, last_day: date, months: int) -> list[tuple[date, date]]:
    """Return the first and last days of the years, or half years, that hold a range of days."""
    starts = [
        date(year, month, 1)
        for year in range(first_day.year, last_day.year + 1)
        for month in range(1, 13, months)
    ]
    ends = [*(start - timedelta(days=1) for start in starts[1:]), date(last_day.year, 12, 31)]
    cut = [
        (max(first_day, start), min(last_day, end)) for start, end in zip(starts, ends, strict=True)
    ]
    return [(start, end) for start, end in cut if start <= end]


def _side(blocks: Sequence[tuple[date, date]], width: float) -> float:
    """Return the side of a cell with which the longest block is no wider than the picture [px]."""
    weeks = max((_week(last, first) + 1 for first, last in blocks), default=1)
    return max(min(_LARGEST, (width - _LEFT - 4) / weeks), _SMALLEST)


def _week(day: date, first: date) -> int:
    """Return the week of a day, from 0 for that of the first day; weeks begin on Monday."""
    monday = first - timedelta(days=first.weekday())
    return (day - monday).days // 7


def _block(
    first: date,
    last: date,
    days: dict[date, int],
    most: int,
    top: float,
    side: float,
    signed_off: date | None,
    texts: FigureTexts,
) -> Iterator[str]:
    monday = first - timedelta(days=first.weekday())
    for place in (0, 2, 4):
        y = top + _TOP + side * (place + 0.5) + 4
        yield text_at(_LEFT - 6, y, texts.weekday(monday + timedelta(days=place)), "t s e")
    yield from _months(first, last, top, side, texts)
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        n = days.get(day, 0)
        grey = math.ceil(_GREYS * math.sqrt(n / most)) if n else 0
        is_new = signed_off is not None and day > signed_off and n > 0
        left = _LEFT + _week(day, first) * side
        y = top + _TOP + day.weekday() * side
        cls = f"cell c{grey}{' since' if is_new else ''}"
        yield rectangle(left + 1, y + 1, side - 2, side - 2, cls, rx=2)
        words = texts.integer(n)
        if n and text_width(words, 10.5) < side:
            yield text_at(left + side / 2, y + side / 2 + 4, words, f"cn c{grey} m")


def _months(first: date, last: date, top: float, side: float, texts: FigureTexts) -> Iterator[str]:
    end = 0.0
    starts = [day for day in month_starts(first, last) if day != first]
    for month in [first, *starts]:
        left = _LEFT + _week(month, first) * side
        label = texts.month(month, year=month == first)
        if left >= end:
            yield text_at(left, top + 16, label, "t")
            end = left + text_width(label) + 6
