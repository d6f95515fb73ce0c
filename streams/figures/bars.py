"""Bars: a few named values on one scale, each written at its end."""

from collections.abc import Sequence
from dataclasses import dataclass

from streams.figures.drawing.elements import fitted_text, line_at, picture, rectangle, text_at
from streams.figures.drawing.scales import LinearScale
from streams.figures.drawing.text_width import text_width
from streams.figures.drawing.texts import figure_texts

__all__ = ["BarRow", "BarsFacts", "bars"]

_ROW, _TOP = 26, 6  # [px]


@dataclass(frozen=True, slots=True)
class BarRow:
    """One value.

    Attributes
    ----------
    label
        Its name.
    value
        The value, 0 or more.
    shown
        The value as it is written, with its unit and its interval if it has one.
    """

    label: str
    value: float
    shown: str


@dataclass(frozen=True, slots=True)
class BarsFacts:
    """What the bars show.

    Attributes
    ----------
    title
        What they are.
    rows
        The values, in order.
    most
        End of the scale; None for the largest value.
    """

    title: str
    rows: Sequence[BarRow]
    most: float | None = None


def bars(facts: BarsFacts, *, name: str = "bars", width: float = 600, language: str = "en") -> str:
    """Return horizontal bars with their values at the end.

    Parameters
    ----------
    facts
        What they show.
    name
        Prefix of its ids, unique on the page.
    width
        Width [px]; the height follows from the rows.
    language
        `en` or `ja`.
    """
    texts = figure_texts(language)
    if not facts.rows:
        words = texts.text("empty.bars")
        return picture(name, width, 40, facts.title, [words], [text_at(0, 24, words)])
    labels = min(max(text_width(row.label) for row in facts.rows) + 10, 0.4 * width)
    right = min(max(text_width(row.shown) for row in facts.rows) + 10, 0.4 * width)
    most = facts.most or max(row.value for row in facts.rows)
    x = LinearScale(0, max(most, 1e-9), 0, width - labels - right)
    body = [line_at(labels, 0, labels, _TOP + _ROW * len(facts.rows), "ax")]
    for position, row in enumerate(facts.rows):
        y = _TOP + position * _ROW
        size = max(x(row.value), 1.0) if row.value > 0 else 0.0
        body += [
            fitted_text(labels - 8, y + 14, row.label, labels - 8, "k e"),
            rectangle(labels, y + 3, size, 14, "barfill"),
            fitted_text(labels + size + 6, y + 15, row.shown, right - 6, "k"),
        ]
    numbers = [texts.text("form.labelled", label=row.label, text=row.shown) for row in facts.rows]
    height = _TOP + _ROW * len(facts.rows) + 4
    return picture(name, width, height, facts.title, numbers, body)
