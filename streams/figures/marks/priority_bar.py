"""Priority bar: the weighted parts of a priority side by side on a track that ends at 1."""

from collections.abc import Sequence
from dataclasses import dataclass

from streams.figures.drawing.elements import picture, rectangle
from streams.figures.drawing.texts import figure_texts

__all__ = ["PriorityPart", "priority_bar"]

_GAP = 1  # between two parts [px]


@dataclass(frozen=True, slots=True)
class PriorityPart:
    """One part of a priority.

    Attributes
    ----------
    label
        Its name in the language of the picture.
    share
        What it adds to the priority, from 0 to 1; None if it is not known.
    """

    label: str
    share: float | None


def priority_bar(
    parts: Sequence[PriorityPart],
    *,
    name: str | None = None,
    width: float = 60,
    language: str = "en",
) -> str:
    """Return the parts of a priority as one bar in two alternating inks.

    Parameters
    ----------
    parts
        The parts, in the order of drawing. Their shares are scaled down if they exceed 1 together.
    name
        Prefix of its ids, unique on the page; None hides it from screen readers.
    width
        Width of priority 1 [px].
    language
        `en` or `ja`.
    """
    texts = figure_texts(language)
    shares = [max(part.share or 0.0, 0.0) for part in parts]
    unit = width / max(sum(shares), 1.0)
    x, body = 0.0, [rectangle(0, 3, width, 6, "track")]
    for position, share in enumerate(shares):
        if share > 0:
            cls = f"part p{position % 2}"
            body.append(rectangle(x, 3, max(share * unit - _GAP, 0.6), 6, cls))
            x += share * unit
    numbers = [
        texts.text("priority.part", label=part.label, share=texts.decimal(part.share))
        for part in parts
    ]
    return picture(name, width, 12, texts.text("priority.title"), numbers, body)
