"""Lane of cases by day of receipt: a box a case while they fit, else bars by month."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from schemas.vocabulary import VerificationState
from streams.figures.drawing.elements import line_at, rectangle, text_at
from streams.figures.drawing.patterns import state_box, state_label
from streams.figures.drawing.scales import DayScale, LinearScale
from streams.figures.drawing.texts import FigureTexts

__all__ = ["ReceivedCases", "receipts_in_words", "received_cases"]

_BOX, _STEP = 6, 10  # width of a box, and its height with the gap to the next [px]
_MOST_STACKED = 2  # boxes of one day in the height of the lane
_BAR_HEIGHT = 20  # of the highest bar [px]
_MOST_ENTRIES = 200  # days in the description


@dataclass(frozen=True, slots=True)
class ReceivedCases:
    """Cases of one day of receipt and one verification state.

    Attributes
    ----------
    day
        Day of first receipt.
    n
        Number of cases.
    state
        Their verification; None if the reports do not state who reported.
    """

    day: date
    n: int
    state: VerificationState | None = None


def received_cases(
    received: Sequence[ReceivedCases],
    x: DayScale,
    base: float,
    texts: FigureTexts,
    *,
    name: str,
    signed_off: date | None,
) -> Iterator[str]:
    """Yield the lane: its title, its line and a box a case, or bars if they do not fit.

    Parameters
    ----------
    received
        Cases by day.
    x
        Scale of days.
    base
        Height of the line [px].
    texts
        Texts of the language.
    name
        Prefix of the patterns' ids.
    signed_off
        Day after which a case is new.
    """
    shown = [each for each in received if x.holds(each.day) and each.n > 0]
    by_day = Counter[date]()
    for each in shown:
        by_day[each.day] += each.n
    fits = _fit(by_day, x)
    months = _by_month(by_day)
    most = texts.integer(max(months.values(), default=0))
    title = texts.text("receipts.by_day" if fits else "receipts.by_month", most=most)
    yield line_at(x.start, base, x.end, base, "ax")
    yield text_at(0, base - 17 if fits else base - 26, title, "t")
    if fits:
        yield from _boxes(shown, x, base, name, signed_off)
    else:
        yield from _bars(months, x, base)


def _fit(by_day: Counter[date], x: DayScale) -> bool:
    """Return whether a box a case fits: few a day, and few days that overlap."""
    if max(by_day.values(), default=0) > _MOST_STACKED:
        return False
    places = sorted(x(day) for day in by_day)
    close = sum(after - before < _BOX for before, after in pairwise(places))
    return close <= max(len(places) // 4, 1)


def _boxes(
    shown: Sequence[ReceivedCases], x: DayScale, base: float, name: str, signed_off: date | None
) -> Iterator[str]:
    stacked = Counter[date]()
    for each in shown:
        new = " new" if signed_off is not None and each.day > signed_off else ""
        for _ in range(each.n):
            y = base - 9 - _STEP * stacked[each.day]
            yield state_box(name, each.state, x(each.day) - _BOX / 2, y, _BOX, 8, more=new)
            stacked[each.day] += 1


def _by_month(by_day: Counter[date]) -> Counter[date]:
    months = Counter[date]()
    for day, n in by_day.items():
        months[day.replace(day=1)] += n
    return months


def _bars(months: Counter[date], x: DayScale, base: float) -> Iterator[str]:
    height = LinearScale(0, max(months.values()), 0, _BAR_HEIGHT)
    for month, n in sorted(months.items()):
        start, end = max(month, x.first), min(_next_month(month), x.last)
        size = max(x(end) - x(start) - 1, 1)
        yield rectangle(x(start), base - height(n), size, height(n), "barfill")


def _next_month(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def receipts_in_words(received: Sequence[ReceivedCases], texts: FigureTexts) -> Iterator[str]:
    """Yield the cases by day of receipt and state; of very many days only the last ones."""
    for each in received[-_MOST_ENTRIES:]:
        yield texts.text(
            "receipts.received",
            day=each.day.isoformat(),
            cases=texts.count("cases", each.n),
            state=state_label(each.state, texts),
        )
