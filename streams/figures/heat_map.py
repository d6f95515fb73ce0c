"""Heat map: the lower limit of the IC by event and product, for files and print."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streams.figures.drawing.elements import fitted_text, line_at, picture, rectangle, text_at
from streams.figures.drawing.text_width import text_width
from streams.figures.drawing.texts import FigureTexts, figure_texts

__all__ = ["HeatCell", "HeatMapFacts", "heat_map", "heat_step"]

_ROW, _TOP, _KEY = 24, 30, 34  # heights of a row, the head and the key [px]
_LIMITS = (0.0, 0.5, 1.0, 2.0)  # lowest value of each darker grey [log2 units]


@dataclass(frozen=True, slots=True)
class HeatCell:
    """One signal.

    Attributes
    ----------
    event, drug
        Names of the pair, as they are to be shown.
    ic_lower
        Lower bound of the information component [log2 units]; None if undefined.
    n_observed
        Cases of the pair.
    is_new
        Whether it changed since the reader's last sign-off.
    """

    event: str
    drug: str
    ic_lower: float | None
    n_observed: int
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class HeatMapFacts:
    """What a heat map shows.

    Attributes
    ----------
    events, drugs
        Names of the rows and of the columns, in order.
    cells
        The signals; a place without one is blank.
    """

    events: Sequence[str]
    drugs: Sequence[str]
    cells: Sequence[HeatCell]


def heat_step(ic_lower: float) -> int:
    """Return the grey of a lower limit, from 0 below zero to 4 from 2 on.

    >>> [heat_step(value) for value in (-0.1, 0.0, 0.7, 1.0, 3.5)]
    [0, 1, 2, 3, 4]
    """
    return sum(ic_lower >= limit for limit in _LIMITS)


def heat_map(
    facts: HeatMapFacts, *, name: str = "heatmap", width: float = 940, language: str = "en"
) -> str:
    """Return the lower limit in every cell, in five greys; a page shows it as a table.

    Parameters
    ----------
    facts
        What it shows.
    name
        Prefix of its ids, unique on the page.
    width
        Width [px]; the height follows from the events.
    language
        `en` or `ja`.
    """
    texts = figure_texts(language)
    title = texts.text("heat.title")
    if not facts.cells:
        words = texts.text("empty.heat")
        return picture(name, width, 40, title, [words], [text_at(0, 24, words)])
    labels = min(max(map(text_width, facts.events)) + 10, 0.28 * width)
    side = (width - labels) / max(len(facts.drugs), 1)
    bottom = _TOP + _ROW * len(facts.events)
    body = [fitted_text(0, 16, texts.text("heat.event"), labels - 6, "t")]
    body.append(line_at(0, 24, width, 24, "ax"))
    for column, drug in enumerate(facts.drugs):
        body.append(fitted_text(labels + (column + 0.5) * side, 16, drug, side - 4, "k s m"))
    for row, event in enumerate(facts.events):
        body.append(fitted_text(0, _TOP + row * _ROW + 16, event, labels - 6, "k"))
    places = {drug: labels + column * side for column, drug in enumerate(facts.drugs)}
    rows = {event: _TOP + row * _ROW for row, event in enumerate(facts.events)}
    for cell in facts.cells:
        if cell.event in rows and cell.drug in places:
            body += _cell(cell, places[cell.drug], rows[cell.event], side, texts)
    body += _key(bottom + 12, texts)
    numbers = [
        texts.text(
            "heat.cell",
            event=cell.event,
            drug=cell.drug,
            cases=texts.count("cases", cell.n_observed),
            lower=texts.decimal(cell.ic_lower),
        )
        for cell in facts.cells
    ]
    return picture(name, width, bottom + _KEY, title, numbers, body)


def _cell(cell: HeatCell, x: float, y: float, side: float, texts: FigureTexts) -> Iterator[str]:
    grey = heat_step(cell.ic_lower) if cell.ic_lower is not None else 0
    cls = f"cell c{grey}{' since' if cell.is_new else ''}"
    yield rectangle(x + 1, y + 1, side - 2, _ROW - 2, cls)
    words = texts.decimal(cell.ic_lower, 1)
    yield fitted_text(x + side / 2, y + 16, words, side - 4, f"cn c{grey} s m")


def _key(y: float, texts: FigureTexts) -> Iterator[str]:
    x = 0.0
    for grey in range(len(_LIMITS) + 1):
        words = texts.text(f"heat.step.c{grey}")
        yield rectangle(x, y, 18, 12, f"cell c{grey} edged")
        yield text_at(x + 24, y + 10, words, "t")
        x += 24 + text_width(words) + 18
