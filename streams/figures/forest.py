"""Forest: the pair among all reports, adjusted, and within strata, one row each."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from streams.figures.drawing.axes import value_grid
from streams.figures.drawing.elements import fitted_text, line_at, picture, text_at
from streams.figures.drawing.intervals import (
    IntervalEstimate,
    cases_in_words,
    estimate_in_words,
    estimate_line,
    log2_estimate,
    rhombus,
    square,
)
from streams.figures.drawing.scales import LinearScale
from streams.figures.drawing.text_width import text_width
from streams.figures.drawing.texts import FigureTexts, figure_texts

__all__ = ["ForestFacts", "ForestRow", "RowKind", "forest"]

_ROW = 25  # height of a row [px]
_TOP = 44
_LABEL_SHARE = 0.36  # of the width, for labels at most
_SMALLEST, _GROWTH = 2.4, 5.0  # half side of a square of no case, and what the most cases add [px]


class RowKind(StrEnum):
    """Kind of a row of a forest."""

    ALL = "all"
    ADJUSTED = "adjusted"
    STRATUM = "stratum"


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One row of a forest.

    Attributes
    ----------
    label
        Its name in the language of the picture.
    n_observed
        Cases of the pair.
    expected
        Cases expected; None if undefined.
    estimate
        The information component [log2 units], or a ratio if the facts say so.
    kind
        Whether it is of all reports, adjusted, or of one stratum.
    group
        Factor of the stratum; a rule is drawn between groups.
    """

    label: str
    n_observed: int
    expected: float | None
    estimate: IntervalEstimate
    kind: RowKind = RowKind.STRATUM
    group: str = ""


@dataclass(frozen=True, slots=True)
class ForestFacts:
    """What a forest shows.

    Attributes
    ----------
    drug, event
        Names of the pair.
    rows
        Its rows, in order.
    measure
        Name of a ratio, such as `ROR`, drawn on a log2 axis; None for the information component.
    """

    drug: str
    event: str
    rows: Sequence[ForestRow]
    measure: str | None = None


def forest(
    facts: ForestFacts, *, name: str = "forest", width: float = 452, language: str = "en"
) -> str:
    """Return a row a stratum: its cases, its estimate on one axis, its numbers at the right.

    Squares are sized by the root of the cases and hollow where the interval reaches no excess.

    Parameters
    ----------
    facts
        What it shows.
    name
        Prefix of its ids, unique on the page.
    width
        Width [px]; the height follows from the rows.
    language
        `en` or `ja`.
    """
    texts = figure_texts(language)
    title = texts.text("forest.title", drug=facts.drug, event=facts.event)
    if not facts.rows:
        words = texts.text("empty.forest")
        return picture(name, width, 40, title, [words], [text_at(0, 24, words)])
    places, bottom = _places(facts.rows)
    labels = min(max(text_width(row.label) for row in facts.rows) + 8, width * _LABEL_SHARE)
    counts = [texts.text("head.cases"), *(texts.integer(row.n_observed) for row in facts.rows)]
    cases = labels + max(map(text_width, counts)) + 2
    shown = [_numbers(row, facts, texts) for row in facts.rows]
    right = max(text_width(each) for each in shown) + 10
    low, high = _ends(facts)
    x = LinearScale(low, high, cases + 14, max(width - right, cases + 60))
    body = [
        *_head(facts, x, cases, width, texts),
        *value_grid(x, _ticks(x), _TOP - 6, bottom, lambda tick: _tick(tick, facts, texts)),
    ]
    most = max(row.n_observed for row in facts.rows)
    for row, y, is_first in zip(facts.rows, places, _first_of_group(facts.rows), strict=True):
        if is_first:
            body.append(line_at(0, y - 3, width, y - 3, "g"))
        body += _row(row, y, x, most, facts)
        cls = "k" if row.kind is RowKind.STRATUM else "k b"
        body.append(fitted_text(0, y + 16, row.label, labels - 4, cls))
        body.append(text_at(cases, y + 16, texts.integer(row.n_observed), f"{cls} e"))
        body.append(text_at(width, y + 16, _numbers(row, facts, texts), f"{cls} e"))
    numbers = [_in_words(row, facts, texts) for row in facts.rows]
    return picture(name, width, bottom + 24, title, numbers, body)


def _first_of_group(rows: Sequence[ForestRow]) -> list[bool]:
    groups = [row.group for row in rows]
    return [i > 0 and group != groups[i - 1] for i, group in enumerate(groups)]


def _places(rows: Sequence[ForestRow]) -> tuple[list[float], float]:
    """Return the top of each row and the bottom of the last one [px]."""
    y, places = float(_TOP), []
    for is_first in _first_of_group(rows):
        y += 5 if is_first else 0
        places.append(y)
        y += _ROW
    return places, y


def _drawn(row: ForestRow, facts: ForestFacts) -> IntervalEstimate:
    return row.estimate if facts.measure is None else log2_estimate(row.estimate)


def _ends(facts: ForestFacts) -> tuple[float, float]:
    """Return the ends of the axis [log2 units]: -2 to 6, wider where an estimate needs it."""
    values = [_drawn(row, facts).value for row in facts.rows]
    finite = [value for value in values if value is not None and math.isfinite(value)]
    low = min(-2.0, 2 * math.floor(min(finite, default=0) / 2))
    high = max(6.0, 2 * math.ceil(max(finite, default=0) / 2))
    return max(low, -12.0), min(high, 16.0)


def _ticks(x: LinearScale) -> range:
    step = 2 if x.high - x.low <= 10 else 4
    return range(int(x.low), int(x.high) + 1, step)


def _tick(tick: float, facts: ForestFacts, texts: FigureTexts) -> str:
    return texts.decimal(tick, 0) if facts.measure is None else texts.power_of_two(tick)


def _head(
    facts: ForestFacts, x: LinearScale, cases: float, width: float, texts: FigureTexts
) -> Iterator[str]:
    measure = facts.measure or texts.text("measure.ic")
    axis = "axis.ic" if facts.measure is None else "axis.ratio"
    yield text_at(0, 16, texts.text("forest.stratum"))
    yield text_at(cases, 16, texts.text("head.cases"), "t e")
    room = x.end - x.start
    words = texts.text(axis, measure=measure)
    yield fitted_text((x.start + x.end) / 2, 16, words, room, "t m")
    yield text_at(width, 16, texts.text("head.interval", measure=measure), "t e")
    yield line_at(0, 24, width, 24, "ax")


def _row(row: ForestRow, y: float, x: LinearScale, most: int, facts: ForestFacts) -> Iterator[str]:
    drawn = _drawn(row, facts)
    if drawn.value is None:
        return
    yield estimate_line(x, drawn, y + 12, "ci on")
    place = x(drawn.value)
    reaches_none = drawn.lower is None or drawn.lower <= 0
    if row.kind is RowKind.ADJUSTED:
        yield rhombus(place, y + 12, 7, "est hollow" if reaches_none else "est on")
        return
    half = _SMALLEST + _GROWTH * math.sqrt(row.n_observed / most if most else 0)
    yield square(place, y + 12, half, "est hollow" if reaches_none else "est on")


def _numbers(row: ForestRow, facts: ForestFacts, texts: FigureTexts) -> str:
    return estimate_in_words(row.estimate, texts, ratio=facts.measure is not None)


def _in_words(row: ForestRow, facts: ForestFacts, texts: FigureTexts) -> str:
    return texts.text(
        "row.numbers",
        label=row.label,
        cases=cases_in_words(row.n_observed, row.expected, texts),
        measure=facts.measure or texts.text("measure.ic"),
        estimate=_numbers(row, facts, texts),
    )
