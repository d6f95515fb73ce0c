"""Revisions: the estimate and interval of one signal at each revision, small enough for a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from streams.figures.drawing.elements import line_at, picture, text_at
from streams.figures.drawing.intervals import IntervalEstimate, dot, estimate_in_words
from streams.figures.drawing.scales import DayScale, LinearScale
from streams.figures.drawing.text_width import text_width
from streams.figures.drawing.texts import figure_texts

__all__ = ["RevisionPoint", "revisions_spark"]

_TICKS = (-2, 0, 2, 4, 6)
_LOWEST, _HIGHEST = -3.0, 6.0  # [log2 units]


@dataclass(frozen=True, slots=True)
class RevisionPoint:
    """One revision of a signal.

    Attributes
    ----------
    day
        Day of the evaluation.
    estimate
        The information component [log2 units].
    """

    day: date
    estimate: IntervalEstimate


def revisions_spark(
    points: Sequence[RevisionPoint],
    *,
    name: str,
    width: float = 300,
    height: float = 92,
    language: str = "en",
) -> str:
    """Return the revisions of one signal, the last one in accent.

    Parameters
    ----------
    points
        Its revisions, in order.
    name
        Prefix of its ids, unique on the page.
    width, height
        Size [px].
    language
        `en` or `ja`.
    """
    texts = figure_texts(language)
    title = texts.count("revisions.title", len(points))
    if not points:
        empty = text_at(0, height / 2, texts.text("empty.revisions"), "t")
        return picture(name, width, height, title, [texts.text("empty.revisions")], [empty])
    x = DayScale(points[0].day, points[-1].day, 40, width - 50)
    y = LinearScale(_LOWEST, _HIGHEST, height - 18, 6)
    body = [
        line_at(30, y(tick), width - 42, y(tick), "g" if tick else "zero")
        + text_at(24, y(tick) + 4, texts.decimal(tick, 0), "t s e")
        for tick in _TICKS
    ]
    for position, point in enumerate(points):
        body.append(_mark(x(point.day), y, point, is_last=position == len(points) - 1))
    first, last = texts.full_day(points[0].day), texts.full_day(points[-1].day)
    body.append(text_at(30, height - 3, first, "t s"))
    if len(points) > 1 and text_width(first + last, 10.5) + 10 < width - 72:
        body.append(text_at(width - 42, height - 3, last, "t s e"))
    value = points[-1].estimate.value
    if value is not None:
        body.append(text_at(width, y(value) + 4, texts.decimal(value), "a b e"))
    numbers = [
        texts.text(
            "revisions.point",
            day=point.day.isoformat(),
            estimate=estimate_in_words(point.estimate, texts),
        )
        for point in points
    ]
    return picture(name, width, height, title, numbers, body)


def _mark(x: float, y: LinearScale, point: RevisionPoint, *, is_last: bool) -> str:
    cls, estimate = "on new" if is_last else "on", point.estimate
    if estimate.value is None:
        return ""
    drawn = ""
    if estimate.lower is not None and estimate.upper is not None:
        drawn = line_at(x, y(estimate.lower), x, y(estimate.upper), f"ci {cls}")
    return drawn + dot(x, y(estimate.value), 3.2, f"est {cls}")
