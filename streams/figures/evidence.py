"""Evidence: the e-value of the sequential test by day, with the published revisions."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from streams.figures.drawing.axes import day_axis
from streams.figures.drawing.elements import fitted_text, line_at, path_of, picture, text_at
from streams.figures.drawing.intervals import rhombus
from streams.figures.drawing.labels import LabelPlaces
from streams.figures.drawing.scales import EVIDENCE_THRESHOLD, DayScale, LinearScale
from streams.figures.drawing.texts import FigureTexts, figure_texts

__all__ = ["EvidenceFacts", "EvidencePoint", "evidence"]

_LEFT, _RIGHT = 50, 84  # margins [px]
_LN10 = math.log(10)
_MOST_DAYS = 60  # in the description


@dataclass(frozen=True, slots=True)
class EvidencePoint:
    """The sequential test at one day.

    Attributes
    ----------
    day
        The day.
    log_e_value
        Natural logarithm of the e-value; None if it is undefined.
    revision
        Number of the revision published on that day; None if there was none.
    """

    day: date
    log_e_value: float | None
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class EvidenceFacts:
    """What the picture shows.

    Attributes
    ----------
    drug, event
        Names of the pair.
    first_day, last_day
        Ends of the axis.
    points
        The test by day, in order; its value holds until the next point.
    signed_off
        Day of the reader's last sign-off; a later revision is new. None if there was none.
    """

    drug: str
    event: str
    first_day: date
    last_day: date
    points: Sequence[EvidencePoint]
    signed_off: date | None = None


def evidence(
    facts: EvidenceFacts,
    *,
    name: str = "evidence",
    width: float = 344,
    height: float = 186,
    language: str = "en",
) -> str:
    """Return the path of the e-value on a log axis, with the line at its threshold.

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
    texts = figure_texts(language)
    title = texts.text("evidence.title", drug=facts.drug, event=facts.event)
    held = [
        (point, point.log_e_value / _LN10)
        for point in facts.points
        if point.log_e_value is not None
    ]
    bottom = height - 36
    x = DayScale(facts.first_day, facts.last_day, _LEFT, width - _RIGHT)
    step = _step(max((at for _, at in held if math.isfinite(at)), default=0))
    y = LinearScale(0, 3.5 * step, bottom, 30)
    body = [
        fitted_text(0, 14, texts.text("evidence.axis"), width, "t"),
        *_grid(y, step, x, texts),
        *day_axis(x, bottom, texts),
    ]
    if held:
        body += _path(held, facts, x, y, texts)
    else:
        words = texts.text("empty.evidence")
        body.append(text_at((x.start + x.end) / 2, (30 + bottom) / 2, words, "t m"))
    return picture(name, width, height, title, list(_numbers(facts, texts)), body)


def _step(highest: float) -> int:
    """Return the distance of the labels [powers of ten] so that three of them hold the highest."""
    return max(1, math.ceil(highest / 3.5))


def _grid(y: LinearScale, step: int, x: DayScale, texts: FigureTexts) -> Iterator[str]:
    for power in range(0, 3 * step + 1, step):
        label = texts.text("evidence.lowest") if power == 0 else texts.power(power)
        yield line_at(x.start, y(power), x.end, y(power), "g")
        yield text_at(x.start - 8, y(power) + 4, label, "t e")
    at = y(math.log10(EVIDENCE_THRESHOLD))
    yield line_at(x.start, at, x.end, at, "limit")
    yield fitted_text(x.end + 6, at + 4, texts.text("evidence.threshold"), _RIGHT - 6, "t")


def _path(
    held: Sequence[tuple[EvidencePoint, float]],
    facts: EvidenceFacts,
    x: DayScale,
    y: LinearScale,
    texts: FigureTexts,
) -> Iterator[str]:
    corners: list[tuple[float, float]] = []
    for point, at in held:
        place = (x(point.day), y(at))
        if corners and abs(place[1] - corners[-1][1]) < 0.1:
            continue
        if corners:
            corners.append((place[0], corners[-1][1]))
        corners.append(place)
    yield path_of([*corners, (x.end, corners[-1][1])], "curve dash")
    places = LabelPlaces(x.start, x.end + 4, 18, y.start)
    for point, at in reversed([each for each in held if each[0].revision is not None]):
        is_new = facts.signed_off is not None and point.day > facts.signed_off
        px, py = x(point.day), y(at)
        yield rhombus(px, py, 5, "est new" if is_new else "est on")
        words = texts.text("trend.revision", number=point.revision)
        candidates = [(px - 8, py - 6, "e"), (px + 7, py - 6, ""), (px - 8, py + 14, "e")]
        yield places.place(words, "a b halo" if is_new else "k halo", candidates) or ""
    last, at = held[-1]
    is_new = facts.signed_off is not None and last.day > facts.signed_off
    limit = y(math.log10(EVIDENCE_THRESHOLD))
    end = y(at) if abs(y(at) - limit) > 15 else limit - 15
    words = _e_value(at, texts)
    yield fitted_text(x.end + 8, end + 4, words, _RIGHT - 8, "a b" if is_new else "k b")


def _e_value(power: float, texts: FigureTexts) -> str:
    """Return an e-value from its logarithm to base ten."""
    if not math.isfinite(power):
        return texts.text("number.unbounded") if power > 0 else "0"
    if power >= 7:
        exponent = math.floor(power + 0.00218)  # 9.95 and more is 1.0 of the next power
        return f"{10 ** (power - exponent):.1f} × {texts.power(exponent)}"
    return texts.significant(10**power)


def _numbers(facts: EvidenceFacts, texts: FigureTexts) -> Iterator[str]:
    """Yield the revisions and the last days."""
    late = len(facts.points) - _MOST_DAYS
    for position, point in enumerate(facts.points):
        if point.revision is None and position < late:
            continue
        value = (
            texts.text("number.undefined")
            if point.log_e_value is None
            else _e_value(point.log_e_value / _LN10, texts)
        )
        key = "evidence.day" if point.revision is None else "evidence.revision"
        yield texts.text(key, number=point.revision, day=point.day.isoformat(), value=value)
    yield texts.text("evidence.rule")
