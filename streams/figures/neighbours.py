"""Neighbours: the event with products of the same reports, with and without those reports."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streams.figures.drawing.axes import even_top, value_grid
from streams.figures.drawing.elements import fitted_text, line_at, picture, text_at
from streams.figures.drawing.intervals import (
    IntervalEstimate,
    dot,
    estimate_in_words,
    estimate_line,
)
from streams.figures.drawing.scales import LinearScale
from streams.figures.drawing.text_width import text_width
from streams.figures.drawing.texts import FigureTexts, figure_texts

__all__ = ["CountedEstimate", "NeighbourRow", "NeighboursFacts", "neighbours"]

_ROW = 40  # height of a product [px]
_TOP = 44
_LOWEST = -3.0  # [log2 units]


@dataclass(frozen=True, slots=True)
class CountedEstimate:
    """Cases of a product with the event, and their estimate.

    Attributes
    ----------
    n_observed
        Cases.
    estimate
        The information component [log2 units].
    """

    n_observed: int
    estimate: IntervalEstimate


@dataclass(frozen=True, slots=True)
class NeighbourRow:
    """One product that the pair's cases name too.

    Attributes
    ----------
    label
        Its name.
    n_shared
        Cases of the pair that name it.
    everything
        The product with the event, in all reports.
    without
        The same, without the reports that name the pair's drug.
    """

    label: str
    n_shared: int
    everything: CountedEstimate
    without: CountedEstimate


@dataclass(frozen=True, slots=True)
class NeighboursFacts:
    """What a picture of neighbours shows.

    Attributes
    ----------
    drug, event
        Names of the pair.
    pair
        The pair itself, in all reports.
    rows
        The other products, the most often shared first.
    """

    drug: str
    event: str
    pair: CountedEstimate
    rows: Sequence[NeighbourRow]


def neighbours(
    facts: NeighboursFacts, *, name: str = "neighbours", width: float = 930, language: str = "en"
) -> str:
    """Return the pair, then each other product: solid in all reports, dashed without the shared.

    Parameters
    ----------
    facts
        What it shows.
    name
        Prefix of its ids, unique on the page.
    width
        Width [px]; the height follows from the products.
    language
        `en` or `ja`.
    """
    texts = figure_texts(language)
    title = texts.text("neighbours.title", drug=facts.drug, event=facts.event)
    shown = [_counted(facts.pair, texts)]
    shown += [_counted(row.everything, texts) for row in facts.rows]
    below = [
        texts.text("neighbours.without", text=_counted(row.without, texts)) for row in facts.rows
    ]
    right = max(map(text_width, [*shown, *below])) + 16
    widest = max(text_width(each) for each in (facts.drug, *(row.label for row in facts.rows)))
    labels = max(min(widest + 10, 0.3 * width, width - right - 150), 0.18 * width)
    estimates = [facts.pair.estimate, *(row.everything.estimate for row in facts.rows)]
    high = even_top([each.value for each in estimates])
    x = LinearScale(_LOWEST, high, labels + 10, width - right)
    bottom = _TOP + _ROW * (len(facts.rows) + 1)
    ticks = range(-2, int(high) + 1, 2)
    body = [
        *_head(facts, x, width, texts),
        *value_grid(x, ticks, _TOP - 12, bottom, lambda at: texts.decimal(at, 0)),
        *_mark(facts.pair, x, _TOP + 12, "on"),
        fitted_text(0, _TOP + 16, facts.drug, labels, "k b"),
        text_at(width, _TOP + 16, shown[0], "k b e"),
    ]
    for position, row in enumerate(facts.rows):
        top = _TOP + _ROW * (position + 1)
        body.append(line_at(0, top - 5, width, top - 5, "g"))
        body.append(fitted_text(0, top + 14, row.label, labels, "k"))
        note = texts.count("neighbours.shared", row.n_shared, of=facts.pair.n_observed)
        body.append(fitted_text(0, top + 29, note, labels, "t s"))
        body += _mark(row.everything, x, top + 10, "on")
        body += _mark(row.without, x, top + 26, "without")
        body.append(text_at(width, top + 14, shown[position + 1], "k e"))
        body.append(text_at(width, top + 30, below[position], "t e"))
    height = bottom + 22
    if not facts.rows:
        height += 18
        body.append(text_at(0, height - 4, texts.text("empty.neighbours")))
    return picture(name, width, height, title, list(_in_words(facts, shown, below, texts)), body)


def _head(
    facts: NeighboursFacts, x: LinearScale, width: float, texts: FigureTexts
) -> Iterator[str]:
    yield fitted_text(0, 16, texts.text("neighbours.product"), x.start - 10, "t")
    axis = texts.text("axis.ic", measure=texts.text("measure.ic"))
    yield fitted_text((x.start + x.end) / 2, 16, axis, x.end - x.start, "t m")
    words = texts.text("neighbours.numbers")
    yield fitted_text(width, 16, words, width - x.end - 6, "t e")
    yield line_at(0, 24, width, 24, "ax")


def _mark(counted: CountedEstimate, x: LinearScale, y: float, cls: str) -> Iterator[str]:
    estimate = counted.estimate
    if estimate.value is None:
        return
    yield estimate_line(x, estimate, y, f"ci {cls}")
    is_excess = estimate.lower is not None and estimate.lower > 0
    solid = cls == "on" and is_excess
    yield dot(x(estimate.value), y, 4.5 if cls == "on" else 4, f"est {'on' if solid else 'hollow'}")


def _counted(counted: CountedEstimate, texts: FigureTexts) -> str:
    cases = texts.count("cases", counted.n_observed)
    return texts.listed([cases, estimate_in_words(counted.estimate, texts)])


def _in_words(
    facts: NeighboursFacts, shown: Sequence[str], below: Sequence[str], texts: FigureTexts
) -> Iterator[str]:
    yield texts.text("form.labelled", label=facts.drug, text=shown[0])
    for row, everything, without in zip(facts.rows, shown[1:], below, strict=True):
        shared = texts.count("neighbours.shared", row.n_shared, of=facts.pair.n_observed)
        text = texts.listed([everything, without, shared])
        yield texts.text("form.labelled", label=row.label, text=text)
