"""Restricted comparator: a ratio among all reports and within the indication, by revision."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streams.figures.drawing.axes import value_grid
from streams.figures.drawing.elements import fitted_text, line_at, picture, text_at
from streams.figures.drawing.intervals import (
    IntervalEstimate,
    dot,
    estimate_in_words,
    estimate_line,
    log2_estimate,
)
from streams.figures.drawing.scales import LinearScale
from streams.figures.drawing.text_width import text_width
from streams.figures.drawing.texts import FigureTexts, figure_texts

__all__ = ["RestrictedFacts", "RestrictedRow", "restricted"]

_ROW = 42  # height of a revision [px]
_TOP = 40
_LABELS, _CASES = 84, 40  # widths of the columns [px]


@dataclass(frozen=True, slots=True)
class RestrictedRow:
    """The ratio of one revision or day.

    Attributes
    ----------
    label
        Its name, such as its day.
    n_observed
        Cases of the pair.
    everything
        The reporting odds ratio among all reports.
    within
        That among the reports of the same indication; None if it was not computed.
    """

    label: str
    n_observed: int
    everything: IntervalEstimate
    within: IntervalEstimate | None


@dataclass(frozen=True, slots=True)
class RestrictedFacts:
    """What the picture shows.

    Attributes
    ----------
    drug, event
        Names of the pair.
    rows
        Its rows, in order.
    """

    drug: str
    event: str
    rows: Sequence[RestrictedRow]


def restricted(
    facts: RestrictedFacts, *, name: str = "restricted", width: float = 440, language: str = "en"
) -> str:
    """Return the ratio among all reports, solid, and within the indication, dashed and hollow.

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
    title = texts.text("restricted.title", drug=facts.drug, event=facts.event)
    if not facts.rows:
        words = texts.text("empty.restricted")
        return picture(name, width, 40, title, [words], [text_at(0, 24, words)])
    shown = [_shown(row, texts) for row in facts.rows]
    right = max(text_width(words) for pair in shown for words in pair) + 12
    start = _LABELS + _CASES + 12
    x = LinearScale(*_ends(facts.rows), start, max(width - right, start + 60))
    bottom = _TOP + _ROW * len(facts.rows)
    body = [
        fitted_text(0, 14, texts.text("restricted.revision"), _LABELS, "t"),
        text_at(_LABELS + _CASES, 14, texts.text("head.cases"), "t e"),
        fitted_text((start + x.end) / 2, 14, texts.text("restricted.axis"), x.end - start, "t m"),
        fitted_text(width, 14, texts.text("head.interval", measure="ROR"), right - 8, "t e"),
        line_at(0, 22, width, 22, "ax"),
        *value_grid(x, _ticks(x), _TOP - 10, bottom, texts.power_of_two),
    ]
    for position, (row, said) in enumerate(zip(facts.rows, shown, strict=True)):
        y = _TOP + _ROW * position
        body += _row(row, x, y, said, width, texts)
        body.append(line_at(0, y + _ROW - 7, width, y + _ROW - 7, "g"))
    numbers = [
        texts.text(
            "form.labelled",
            label=row.label,
            text=texts.listed([texts.count("cases", row.n_observed), *said]),
        )
        for row, said in zip(facts.rows, shown, strict=True)
    ]
    return picture(name, width, bottom + 22, title, numbers, body)


def _shown(row: RestrictedRow, texts: FigureTexts) -> tuple[str, str]:
    everything = estimate_in_words(row.everything, texts, ratio=True)
    within = (
        texts.text("restricted.not_computed")
        if row.within is None
        else estimate_in_words(row.within, texts, ratio=True)
    )
    return (
        texts.text("restricted.all", estimate=everything),
        texts.text("restricted.within", estimate=within),
    )


def _ends(rows: Sequence[RestrictedRow]) -> tuple[float, float]:
    """Return the ends of the axis [log2 of the ratio]: half to 32, wider where needed."""
    logs = [
        value
        for row in rows
        for each in (row.everything, row.within)
        if each is not None
        and (value := log2_estimate(each).value) is not None
        and math.isfinite(value)
    ]
    low, high = min(logs, default=0), max(logs, default=0)
    return min(-1.0, math.floor(low)), max(5.0, math.ceil(high))


def _ticks(x: LinearScale) -> range:
    step = max(1, math.ceil((x.high - x.low) / max((x.end - x.start) / 30, 1)))
    return range(-step * (int(-x.low) // step), int(x.high) + 1, step)


def _row(
    row: RestrictedRow,
    x: LinearScale,
    y: float,
    words: Sequence[str],
    width: float,
    texts: FigureTexts,
) -> Iterator[str]:
    yield fitted_text(0, y + 10, row.label, _LABELS, "k")
    yield text_at(_LABELS + _CASES, y + 10, texts.integer(row.n_observed), "k e")
    estimates = (row.everything, row.within)
    classes = (("ci on", "est on", "k e"), ("ci without", "est hollow", "t e"))
    for position, estimate in enumerate(estimates):
        line, mark, ink = classes[position]
        at = y + 6 + 17 * position
        yield text_at(width, at + 4, words[position], ink)
        drawn = None if estimate is None else log2_estimate(estimate)
        if drawn is not None and drawn.value is not None:
            yield estimate_line(x, drawn, at, line)
            yield dot(x(drawn.value), at, 4, mark)
