"""Volcano: every signal by its ratio within strata and its evidence; the changed ones in accent."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

from streams.figures.drawing.elements import fitted_text, line_at, picture, tag, text_at
from streams.figures.drawing.hexagons import density_hexagons
from streams.figures.drawing.intervals import dot
from streams.figures.drawing.labels import LabelPlaces
from streams.figures.drawing.scales import EVIDENCE_THRESHOLD, LinearScale
from streams.figures.drawing.text_width import shortened
from streams.figures.drawing.texts import FigureTexts, figure_texts

__all__ = ["MOST_MARKS", "SignalMark", "VolcanoFacts", "volcano"]

_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 34, 60  # margins [px]
_STRIP = 26  # height of the strip of e-values of 1 and less [px]
_MOST_NAMES = 16
_LONGEST_NAME = 230  # [px]
MOST_MARKS = 3_000
"""Most signals drawn one by one; of more the density is drawn."""
_MOST_HIGHEST = 500  # signals drawn as marks above the density
_MOST_NUMBERS = 200  # signals in the description
_LN10 = math.log(10)
_POWERS = (3, 10, 30, 100, 300)


@dataclass(frozen=True, slots=True)
class SignalMark:
    """One signal.

    Attributes
    ----------
    key
        Its signal key.
    label
        Product and event, as they are to be named.
    log2_ratio
        Observed to expected cases within strata, shrunk [log2 units]; None if undefined.
    log_e_value
        Natural logarithm of the e-value; None if the test was not asked.
    n_observed, n_serious, n_fatal
        Cases of the pair, and those that are serious and fatal.
    is_new
        Whether it changed since the reader's last sign-off.
    address
        Address of its page; None for no link.
    """

    key: str
    label: str
    log2_ratio: float | None
    log_e_value: float | None
    n_observed: int
    n_serious: int = 0
    n_fatal: int = 0
    is_new: bool = False
    address: str | None = None


@dataclass(frozen=True, slots=True)
class VolcanoFacts:
    """What a volcano shows.

    Attributes
    ----------
    marks
        The signals, in any order.
    ratios
        Ends of the axis of ratios [log2 units]; None for those that hold all.
    powers
        Ends of the axis of evidence [powers of ten]; None for 1 to the highest.
    """

    marks: Sequence[SignalMark]
    ratios: tuple[float, float] | None = None
    powers: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class _Placed:
    mark: SignalMark
    x: float
    y: float
    radius: float
    power: float  # of ten, of the e-value


def volcano(
    facts: VolcanoFacts,
    *,
    name: str = "volcano",
    width: float = 940,
    height: float = 600,
    language: str = "en",
) -> str:
    """Return a mark a signal, its area by cases; names stand where they do not overlap.

    Beyond 3,000 signals the density is drawn in hexagons, and as marks only those that changed and
    the 500 with the most evidence.

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
    title = texts.count("volcano.title", len(facts.marks))
    known = [mark for mark in facts.marks if mark.log2_ratio is not None]
    low, high = facts.ratios or _ratios(known)
    first, last = facts.powers or (0.0, max([500.0, *(_power(mark) for mark in known)]))
    x = LinearScale(low, high, _LEFT, width - _RIGHT)
    y = LinearScale(_log(first), _log(last), height - _BOTTOM - _STRIP, _TOP)
    inside = [
        mark
        for mark in known
        if low <= (mark.log2_ratio or 0) <= high and first <= max(_power(mark), first) <= last
    ]
    placed = sorted((_place(mark, x, y) for mark in inside), key=lambda each: each.mark.key)
    body = [*_axes(x, y, width, height, texts), *_marks(placed), *_names(placed, x, width)]
    below = sum(each.power <= 0 for each in placed)
    remarks = [texts.count("volcano.below", below)]
    if len(known) < len(facts.marks):
        remarks.append(texts.count("volcano.unknown", len(facts.marks) - len(known)))
    body.append(text_at(width - _RIGHT, height - _BOTTOM - 6, remarks[0], "t e halo"))
    numbers = [*_numbers(placed, texts), *remarks]
    return picture(name, width, height, title, numbers, body)


def _power(mark: SignalMark) -> float:
    """Return the power of ten of an e-value; one that was not asked, or is below 1, is 0."""
    return max((mark.log_e_value or 0.0) / _LN10, 0.0)


def _log(power: float) -> float:
    return math.log10(1 + power)


def _ratios(marks: Iterable[SignalMark]) -> tuple[float, float]:
    values = [mark.log2_ratio for mark in marks if mark.log2_ratio is not None]
    low, high = min(values, default=0), max(values, default=0)
    return max(min(-1.2, low - 0.2), -6.2), min(max(4.6, high + 0.4), 14.0)


def _place(mark: SignalMark, x: LinearScale, y: LinearScale) -> _Placed:
    power = _power(mark)
    place = y(_log(power))
    if power <= 0:  # spread over the strip, the same in every run
        place = y.start + 6 + crc32(mark.key.encode()) % (_STRIP - 9)
    radius = 1.6 + 1.75 * math.log10(max(mark.n_observed, 1))
    return _Placed(mark, x(mark.log2_ratio or 0.0), place, radius, power)


def _axes(
    x: LinearScale, y: LinearScale, width: float, height: float, texts: FigureTexts
) -> Iterator[str]:
    bottom = height - _BOTTOM
    yield fitted_text(0, 16, texts.text("volcano.evidence"), width, "t")
    ticks = [
        (0.0, texts.text("evidence.lowest"), "g"),
        (math.log10(EVIDENCE_THRESHOLD), "20", "limit"),
    ]
    ticks += [(float(power), texts.power(power), "g") for power in _POWERS]
    for power, label, cls in ticks:
        if y.holds(_log(power)):
            yield line_at(x.start, y(_log(power)), x.end, y(_log(power)), cls)
            yield text_at(x.start - 8, y(_log(power)) + 4, label, "t e")
    step = max(1, math.ceil((x.high - x.low) / 10))
    for tick in range(math.ceil(x.low / step) * step, math.floor(x.high) + 1, step):
        yield line_at(x(tick), _TOP, x(tick), bottom, "g" if tick else "zero")
        yield text_at(x(tick), bottom + 17, texts.power_of_two(tick), "t m")
    words = texts.text("volcano.ratio")
    yield fitted_text((x.start + x.end) / 2, height - 14, words, x.end - x.start, "t m")


def _marks(placed: Sequence[_Placed]) -> Iterator[str]:
    """Yield the marks, the changed ones on top; beyond 3,000 most of them as density."""
    drawn = placed
    if len(placed) > MOST_MARKS:
        highest = sorted(placed, key=lambda each: (-each.power, each.mark.key))[:_MOST_HIGHEST]
        kept = {each.mark.key for each in highest}
        drawn = [each for each in placed if each.mark.is_new or each.mark.key in kept]
        named = {each.mark.key for each in drawn}
        rest = [each for each in placed if each.mark.key not in named]
        yield from density_hexagons((each.x, each.y) for each in rest)
    for each in sorted(drawn, key=lambda each: (each.mark.is_new, -each.mark.n_observed)):
        yield dot(each.x, each.y, each.radius, f"pt {_look(each.mark)}".rstrip())
        if each.mark.n_fatal:
            yield dot(each.x, each.y, 0.9, "pin")


def _look(mark: SignalMark) -> str:
    if mark.is_new:
        return "new"
    return "serious" if 2 * mark.n_serious >= mark.n_observed > 0 else ""


def _by_interest(placed: Iterable[_Placed]) -> list[_Placed]:
    """Return the changed signals, then those with much evidence and a large ratio."""
    return sorted(
        placed,
        key=lambda each: (
            not each.mark.is_new,
            -_log(each.power) * max(each.mark.log2_ratio or 0.0, 0.2),
            each.mark.key,
        ),
    )


def _names(placed: Sequence[_Placed], x: LinearScale, width: float) -> Iterator[str]:
    places = LabelPlaces(x.start, width, 18, 10_000)
    number = 0
    ranked = _by_interest(placed)
    new = [each for each in ranked if each.mark.is_new][: _MOST_NAMES // 2]
    for each in [*new, *(each for each in ranked if not each.mark.is_new)][: 4 * _MOST_NAMES]:
        if number == _MOST_NAMES:
            return
        gap = each.radius + 5
        candidates = [
            (each.x + side * gap, each.y + down, "" if side > 0 else "e")
            for down in (4, -8, 15)
            for side in (1, -1)
        ]
        cls = "a b halo" if each.mark.is_new else "k halo"
        label = places.place(shortened(each.mark.label, _LONGEST_NAME), cls, candidates)
        if label:
            number += 1
            address = each.mark.address
            yield label if address is None else tag("a", label, href=address)


def _numbers(placed: Sequence[_Placed], texts: FigureTexts) -> Iterator[str]:
    for each in _by_interest(placed)[:_MOST_NUMBERS]:
        mark = each.mark
        yield texts.text(
            "volcano.mark",
            label=mark.label,
            cases=texts.count("cases", mark.n_observed),
            serious=texts.integer(mark.n_serious),
            fatal=texts.integer(mark.n_fatal),
            ratio=texts.decimal(mark.log2_ratio),
            power=texts.text("number.undefined")
            if mark.log_e_value is None
            else texts.decimal(mark.log_e_value / _LN10),
        )
