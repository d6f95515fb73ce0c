"""Estimates with their bounds: as facts, as a mark on a scale, and in words."""

import math
from dataclasses import dataclass

from streams.figures.drawing.elements import coordinate, line_at, path_of, rectangle, tag
from streams.figures.drawing.scales import LinearScale
from streams.figures.drawing.texts import FigureTexts

__all__ = [
    "IntervalEstimate",
    "cases_in_words",
    "dot",
    "estimate_in_words",
    "estimate_line",
    "interval_line",
    "log2_estimate",
    "rhombus",
    "square",
]

_ARROW = 5  # length and half height of the arrow of a bound beyond the scale [px]


@dataclass(frozen=True, slots=True)
class IntervalEstimate:
    """An estimate and its interval; what is undefined is None, what is unbounded infinite.

    Attributes
    ----------
    value
        The estimate: an information component [log2 units], or a ratio where a picture says so.
    lower, upper
        Bounds of its 95% interval, in the same unit.
    """

    value: float | None
    lower: float | None
    upper: float | None


def estimate_line(scale: LinearScale, estimate: IntervalEstimate, y: float, cls: str) -> str:
    """Return the line of an estimate's interval; nothing if a bound is undefined."""
    if estimate.lower is None or estimate.upper is None:
        return ""
    return interval_line(scale, estimate.lower, estimate.upper, y, cls)


def estimate_in_words(
    estimate: IntervalEstimate, texts: FigureTexts, *, ratio: bool = False
) -> str:
    """Return an estimate with its interval in square brackets.

    >>> from streams.figures.drawing.texts import figure_texts
    >>> estimate_in_words(IntervalEstimate(4.437, 3.4605, 5.164), figure_texts("en"))
    '4.44 [3.46, 5.16]'
    """
    write = texts.significant if ratio else texts.decimal
    if estimate.value is None:
        return texts.text("number.undefined")
    return texts.text(
        "form.interval",
        value=write(estimate.value),
        lower=write(estimate.lower),
        upper=write(estimate.upper),
    )


def cases_in_words(n: int, expected: float | None, texts: FigureTexts) -> str:
    """Return a count of cases, with the expected one if it is known."""
    if expected is None:
        return texts.count("cases", n)
    return texts.count("cases_expected", n, expected=texts.significant(expected))


def log2_estimate(estimate: IntervalEstimate) -> IntervalEstimate:
    """Return a ratio with its bounds on the log2 scale, on which it is drawn.

    >>> log2_estimate(IntervalEstimate(8, 0, None))
    IntervalEstimate(value=3.0, lower=-inf, upper=None)
    """
    return IntervalEstimate(*map(_log2, (estimate.value, estimate.lower, estimate.upper)))


def _log2(ratio: float | None) -> float | None:
    if ratio is None or ratio < 0:
        return None
    return math.log2(ratio) if ratio else -math.inf


def interval_line(scale: LinearScale, lower: float, upper: float, y: float, cls: str) -> str:
    """Return the line of an interval; a bound beyond the scale ends in an arrow."""
    drawn = line_at(scale(lower), y, scale(upper), y, cls)
    if lower < scale.low:
        drawn += _arrow(scale.start, y, _ARROW, cls)
    if upper > scale.high:
        drawn += _arrow(scale.end, y, -_ARROW, cls)
    return drawn


def _arrow(x: float, y: float, back: float, cls: str) -> str:
    return path_of(((x + back, y - 4), (x, y), (x + back, y + 4)), f"{cls} solid")


def dot(x: float, y: float, radius: float, cls: str) -> str:
    """Return a round mark."""
    return tag("circle", cx=float(x), cy=float(y), r=float(radius), cls=cls)


def square(x: float, y: float, half: float, cls: str) -> str:
    """Return a square mark around a place."""
    return rectangle(x - half, y - half, 2 * half, 2 * half, cls)


def rhombus(x: float, y: float, half: float, cls: str) -> str:
    """Return a diamond around a place."""
    step = coordinate(half)
    path = f"M{coordinate(x)} {coordinate(y - half)}l{step} {step} -{step} {step} -{step} -{step}z"
    return tag("path", d=path, cls=cls)
