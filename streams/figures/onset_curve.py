"""Onset curve: cases by day of onset, or of receipt where no onset is stated, a box a case."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from schemas.vocabulary import VerificationState
from streams.figures.drawing.axes import day_axis
from streams.figures.drawing.elements import fitted_text, line_at, picture, rectangle, text_at
from streams.figures.drawing.patterns import (
    pattern_definitions,
    state_box,
    state_class,
    state_label,
)
from streams.figures.drawing.scales import DayScale, LinearScale, nice_ticks
from streams.figures.drawing.texts import FigureTexts, figure_texts

__all__ = ["OnsetCase", "OnsetCurveFacts", "onset_curve"]

_LEFT, _TOP = 34, 34  # margins [px]
_LARGEST, _SMALLEST = 17, 5  # side of a box [px]
_MOST_STACKED = 12  # boxes; higher columns are bars
_BAR_HEIGHT = 110  # of the highest bar [px]
_SPANS = ((1, "day"), (7, "week"), (28, "four_weeks"), (91, "quarter"), (364, "year"))


@dataclass(frozen=True, slots=True)
class OnsetCase:
    """One case.

    Attributes
    ----------
    day
        Day of onset, else of first receipt.
    is_onset
        Whether the day is that of onset.
    letter
        Letter of the facility; empty if not stated.
    state
        Its verification; None if the report does not state who reported.
    is_new
        Whether it came after the reader's last sign-off.
    """

    day: date
    is_onset: bool = True
    letter: str = ""
    state: VerificationState | None = None
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class OnsetCurveFacts:
    """What an onset curve shows.

    Attributes
    ----------
    subject
        The pair, lot or facility in words.
    cases
        Its cases, in any order.
    """

    subject: str
    cases: Sequence[OnsetCase]


def onset_curve(
    facts: OnsetCurveFacts, *, name: str = "onset", width: float = 440, language: str = "en"
) -> str:
    """Return cases by day; gaps are kept, and days become weeks or longer where they do not fit.

    A case without a stated onset has a dashed base line below its box.

    Parameters
    ----------
    facts
        What it shows.
    name
        Prefix of its ids, unique on the page.
    width
        Width [px].
    language
        `en` or `ja`.
    """
    texts = figure_texts(language)
    title = texts.text("onset.title", subject=facts.subject)
    if not facts.cases:
        words = texts.text("empty.cases")
        return picture(name, width, 40, title, [words], [text_at(0, 24, words)])
    ordered = sorted(facts.cases, key=lambda case: (case.day, not case.is_onset, case.letter))
    first, last = ordered[0].day, ordered[-1].day
    span, unit = _span((last - first).days + 1, width - _LEFT - 8)
    columns = defaultdict[int, list[OnsetCase]](list)
    for case in ordered:
        columns[(case.day - first).days // span].append(case)
    number = (last - first).days // span + 1
    side = min(_LARGEST, (width - _LEFT - 8) / number)
    most = max(map(len, columns.values()))
    stacked = most <= _MOST_STACKED
    base = _TOP + (most * side if stacked else _BAR_HEIGHT) + 6
    end = first + timedelta(days=number * span)
    x = DayScale(first, end, _LEFT, _LEFT + number * side)
    body = [fitted_text(0, 14, texts.text(f"onset.axis.{unit}"), width, "t")]
    body.append(line_at(_LEFT, base, x.end, base, "ax"))
    draw = _boxes if stacked else _bars
    body += draw(columns, base, side, name, texts)
    axis = DayScale(first, last, _LEFT, x(last))
    body += day_axis(axis, base, texts, reach=width - x(last))
    states = pattern_definitions(name, [case.state for case in ordered])
    numbers = [_in_words(case, texts) for case in ordered]
    return picture(name, width, base + 24, title, numbers, body, definitions=states)


def _span(days: int, room: float) -> tuple[int, str]:
    """Return the days of a column and their name: the shortest with columns wide enough."""
    for span, unit in _SPANS:
        if -(-days // span) * _SMALLEST <= room:
            return span, unit
    return _SPANS[-1]


def _boxes(
    columns: dict[int, list[OnsetCase]], base: float, side: float, name: str, texts: FigureTexts
) -> Iterator[str]:
    for column, cases in columns.items():
        left = _LEFT + column * side
        for row, case in enumerate(cases):
            y = base - (row + 1) * side
            more = "new" if case.is_new else ""
            yield state_box(name, case.state, left + 0.5, y, side - 1, side - 1, more=more)
            if not case.is_onset:
                yield line_at(left + 0.5, y + side - 2, left + side - 0.5, y + side - 2, "limit")
            if case.letter and side >= 14:
                cls = "inv m" if state_class(case.state) == "confirmed" else "k b s halo m"
                place = left + side / 2
                yield fitted_text(place, y + side / 2 + 3.5, case.letter, side - 2, cls)


def _bars(
    columns: dict[int, list[OnsetCase]], base: float, side: float, name: str, texts: FigureTexts
) -> Iterator[str]:
    ticks = nice_ticks(max(map(len, columns.values())), 4)
    height = LinearScale(0, ticks[-1], 0, _BAR_HEIGHT)
    for tick in ticks:
        yield text_at(_LEFT - 6, base - height(tick) + 4, texts.integer(tick), "t s e")
    for column, cases in columns.items():
        size = height(len(cases))
        left = _LEFT + column * side
        yield rectangle(left, base - size, max(side - 1, 1), size, "barfill")


def _in_words(case: OnsetCase, texts: FigureTexts) -> str:
    key = "onset.onset" if case.is_onset else "onset.receipt"
    parts = [texts.text(key, day=case.day.isoformat()), state_label(case.state, texts)]
    if case.letter:
        parts.insert(1, texts.text("onset.facility", letter=case.letter))
    return texts.listed(parts)
