"""Interval cell: an estimate and its bounds now, those at the last sign-off above as a ghost."""

from dataclasses import dataclass

from streams.figures.drawing.elements import line_at, picture, text_at
from streams.figures.drawing.intervals import (
    IntervalEstimate,
    dot,
    estimate_in_words,
    estimate_line,
)
from streams.figures.drawing.scales import LinearScale
from streams.figures.drawing.texts import FigureTexts, figure_texts

__all__ = ["HIGHEST", "LOWEST", "IntervalCellFacts", "interval_axis", "interval_cell"]

LOWEST, HIGHEST = -3.0, 6.0
"""Ends of the axis [log2 units]: what lies beyond them is drawn as an arrow."""
_TICKS = (-2, 0, 2, 4, 6)


@dataclass(frozen=True, slots=True)
class IntervalCellFacts:
    """What an interval cell shows.

    Attributes
    ----------
    now
        The information component now [log2 units].
    before
        That at the reader's last sign-off [log2 units]; None if there was none.
    is_on
        Whether a rule is on; otherwise the mark is hollow.
    """

    now: IntervalEstimate
    before: IntervalEstimate | None = None
    is_on: bool = True


def _scale(width: float) -> LinearScale:
    return LinearScale(LOWEST, HIGHEST, 6, width - 6)


def interval_axis(*, width: float = 172, language: str = "en") -> str:
    """Return the axis of a column of interval cells, for its head."""
    scale, texts = _scale(width), figure_texts(language)
    marks = [
        line_at(scale(tick), 11, scale(tick), 15, "ax")
        + text_at(scale(tick), 8, texts.decimal(tick, 0), "t s m")
        for tick in _TICKS
    ]
    return picture(None, width, 15, "", [], marks)


def interval_cell(
    facts: IntervalCellFacts,
    *,
    name: str | None = None,
    width: float = 172,
    height: float = 30,
    language: str = "en",
) -> str:
    """Return the cell; without a name it is hidden from screen readers, as the row has its numbers.

    Parameters
    ----------
    facts
        What it shows.
    name
        Prefix of its ids, unique on the page.
    width, height
        Size [px].
    language
        `en` or `ja`.
    """
    scale, texts = _scale(width), figure_texts(language)
    y = height - 9
    body = [_grid_line(scale(tick), height, tick) for tick in _TICKS]
    body += [_ghost(scale, facts.before), _now(scale, facts, y, texts)]
    numbers = [texts.text("interval.now", estimate=estimate_in_words(facts.now, texts))]
    if facts.before is not None:
        before = estimate_in_words(facts.before, texts)
        numbers.append(texts.text("interval.before", estimate=before))
    if not facts.is_on:
        numbers.append(texts.text("interval.off"))
    return picture(name, width, height, texts.text("interval.title"), numbers, body, cls="fig iv")


def _grid_line(x: float, height: float, tick: int) -> str:
    return line_at(x, 0, x, height, "g" if tick else "zero")


def _ghost(scale: LinearScale, before: IntervalEstimate | None) -> str:
    if before is None or before.value is None:
        return ""
    line = estimate_line(scale, before, 7, "ghost")
    return line + dot(scale(before.value), 7, 2.2, "ghostdot")


def _now(scale: LinearScale, facts: IntervalCellFacts, y: float, texts: FigureTexts) -> str:
    now, on = facts.now, "on" if facts.is_on else "off"
    if now.value is None:
        return text_at(scale(0) + 6, y + 4, texts.text("number.undefined"), "t s")
    drawn = estimate_line(scale, now, y, f"ci {on}")
    if now.lower is not None and scale.holds(now.lower):
        drawn += line_at(scale(now.lower), y - 4, scale(now.lower), y + 4, f"cap {on}")
    return drawn + dot(scale(now.value), y, 3.6, f"est {on}")
