"""Trend: the information component of a pair day by day, with everything that was published."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from streams.figures.drawing.axes import day_axis, even_top, value_rows
from streams.figures.drawing.elements import fitted_text, line_at, path_of, picture, text_at
from streams.figures.drawing.intervals import (
    IntervalEstimate,
    cases_in_words,
    estimate_in_words,
    rhombus,
    square,
)
from streams.figures.drawing.labels import LabelPlaces
from streams.figures.drawing.patterns import pattern_definitions
from streams.figures.drawing.receipts import ReceivedCases, receipts_in_words, received_cases
from streams.figures.drawing.scales import DayScale, LinearScale
from streams.figures.drawing.text_width import shortened
from streams.figures.drawing.texts import FigureTexts, figure_texts

__all__ = ["DatedMark", "TrendFacts", "TrendPoint", "TrendRevision", "trend"]

_LOWEST = -4  # of the axis [log2 units]; lower values are clipped
_LEFT, _RIGHT = 40, 96  # margins [px]
_MOST_NOTICE_ROWS = 4
_MOST_DAYS = 60  # in the description
_LONGEST_LABEL = 240  # of a notice or decision [px]


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """Counts and estimate of the pair at the close of one day.

    Attributes
    ----------
    day
        The day; the values hold until the next point.
    n_observed
        Cases of the pair so far.
    expected
        Cases expected if drug and event were unrelated; None if undefined.
    estimate
        The information component [log2 units].
    """

    day: date
    n_observed: int
    expected: float | None
    estimate: IntervalEstimate


@dataclass(frozen=True, slots=True)
class TrendRevision:
    """One published revision of the signal.

    Attributes
    ----------
    number
        Its number, from 1.
    day
        Day of its evaluation.
    n_observed
        Cases of the pair.
    estimate
        The information component as published [log2 units].
    """

    number: int
    day: date
    n_observed: int
    estimate: IntervalEstimate


@dataclass(frozen=True, slots=True)
class DatedMark:
    """A notice, an authority's action or a decision.

    Attributes
    ----------
    day
        Its day.
    label
        What it is, in the language of the picture.
    """

    day: date
    label: str


@dataclass(frozen=True, slots=True)
class TrendFacts:
    """What a trend shows; nothing after its last day.

    Attributes
    ----------
    drug, event
        Names of the pair.
    first_day, last_day
        Ends of the axis; the last day is the day as of which the picture is.
    points
        Counts and estimates by day, in order.
    revisions
        Published revisions, in order.
    received
        Cases of the pair by day of receipt.
    notices
        Notices and authority actions, in order.
    decisions
        Decisions on the signal, in order.
    signed_off
        Day of the reader's last sign-off: what is later is drawn as new. None if there was none.
    """

    drug: str
    event: str
    first_day: date
    last_day: date
    points: Sequence[TrendPoint] = ()
    revisions: Sequence[TrendRevision] = ()
    received: Sequence[ReceivedCases] = ()
    notices: Sequence[DatedMark] = ()
    decisions: Sequence[DatedMark] = ()
    signed_off: date | None = None

    def is_new(self, day: date) -> bool:
        """Return whether a day is after the reader's last sign-off."""
        return self.signed_off is not None and day > self.signed_off


@dataclass(frozen=True, slots=True)
class _Plot:
    """Scales and places of one trend."""

    x: DayScale
    y: LinearScale
    places: LabelPlaces
    texts: FigureTexts

    @property
    def top(self) -> float:
        return self.y.end

    @property
    def bottom(self) -> float:
        return self.y.start


def trend(
    facts: TrendFacts,
    *,
    name: str = "trend",
    width: float = 940,
    height: float = 320,
    language: str = "en",
) -> str:
    """Return the interval over time as a band, with revisions, notices, decisions and cases.

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
    title = texts.text(
        "trend.title",
        drug=facts.drug,
        event=facts.event,
        first=texts.full_day(facts.first_day),
        last=texts.full_day(facts.last_day),
    )
    bottom = height - 74
    rows, notices = _notices(facts, width, bottom)
    top = 30 + 15 * rows
    estimates = [each.estimate for each in facts.points]
    estimates += [each.estimate for each in facts.revisions]
    high = even_top([each.value for each in estimates] + [each.upper for each in estimates[-1:]])
    plot = _Plot(
        DayScale(facts.first_day, facts.last_day, _LEFT, width - _RIGHT),
        LinearScale(_LOWEST, min(high, 14), bottom, top),
        LabelPlaces(_LEFT, width - _RIGHT + 6, top - 14, bottom),
        texts,
    )
    body = [text_at(0, 14, texts.text("trend.axis"), "t")]
    body += value_rows(
        plot.y, range(_LOWEST, int(plot.y.high) + 1, 2), _LEFT, width - _RIGHT, texts
    )
    body += day_axis(plot.x, bottom, texts)
    body += _band(facts.points, plot)
    body += _sign_off(facts, plot)
    body += notices
    body += _revisions(facts, plot)
    body += _decisions(facts, plot)
    body += _last_values(facts, plot)
    body += received_cases(
        facts.received, plot.x, bottom + 48, texts, name=name, signed_off=facts.signed_off
    )
    body.append(text_at(_LEFT, height - 6, _notices_in_words(facts, texts), "t"))
    states = [each.state for each in facts.received]
    patterns = pattern_definitions(name, states)
    numbers = list(_numbers(facts, texts))
    return picture(name, width, height, title, numbers, body, definitions=patterns)


def _band(points: Sequence[TrendPoint], plot: _Plot) -> Iterator[str]:
    """Yield the interval as a band with an inked lower edge, and the estimate as a stair line."""
    held = [
        (plot.x(point.day), point.estimate.lower, point.estimate.value, point.estimate.upper)
        for point in points
        if None not in (point.estimate.lower, point.estimate.value, point.estimate.upper)
    ]
    if not held:
        words = plot.texts.text("empty.trend")
        yield text_at((plot.x.start + plot.x.end) / 2, plot.y(1), words, "t m")
        return
    lower, value, upper = (
        _stairs([(row[0], plot.y(row[part] or 0.0)) for row in held], plot.x.end)
        for part in (1, 2, 3)
    )
    yield path_of([*upper, *reversed(lower)], "band", closed=True)
    yield path_of(lower, "bound")
    yield path_of(value, "curve")
    yield from _no_case_yet(points, plot)


def _stairs(places: Sequence[tuple[float, float]], end: float) -> list[tuple[float, float]]:
    """Return the corners of a stair line; of steps within one pixel the last one holds."""
    steps: list[tuple[float, float]] = []
    for x, y in places:
        if len(steps) > 1 and x - steps[-1][0] < 1:
            steps[-1] = (steps[-1][0], y)
        elif not steps or abs(y - steps[-1][1]) >= 0.1:
            steps.append((x, y))
    corners = [steps[0]]
    for (_, before), (x, y) in pairwise(steps):
        corners += [(x, before), (x, y)]
    return [*corners, (end, steps[-1][1])]


def _no_case_yet(points: Sequence[TrendPoint], plot: _Plot) -> Iterator[str]:
    """Yield a remark on the stretch before the first case, if it is wide enough."""
    first = next((point.day for point in points if point.n_observed), plot.x.last)
    start, words = plot.x(points[0].day), plot.texts.text("trend.no_case")
    label = plot.places.place(words, "t", [(start + 8, plot.bottom - 12, "")])
    if label and points[0].day < first and plot.places.taken[-1][2] < plot.x(first) - 4:
        yield label
    elif label:
        plot.places.taken.pop()


def _sign_off(facts: TrendFacts, plot: _Plot) -> Iterator[str]:
    if facts.signed_off is None or not plot.x.holds(facts.signed_off):
        return
    x = plot.x(facts.signed_off)
    yield line_at(x, plot.top, x, plot.bottom, "since")
    words = plot.texts.text("trend.sign_off", day=plot.texts.day(facts.signed_off))
    y = plot.bottom - 24
    yield plot.places.place(words, "a halo", [(x - 6, y, "e"), (x + 6, y, "")]) or ""


def _notices(facts: TrendFacts, width: float, bottom: float) -> tuple[int, list[str]]:
    """Return how many rows of labels the notices need above the plot, and their lines and labels.

    A notice whose label finds no place keeps its line; the description has all labels.
    """
    x = DayScale(facts.first_day, facts.last_day, _LEFT, width - _RIGHT)
    places = LabelPlaces(0, width, 0, 40 + 15 * _MOST_NOTICE_ROWS)
    rows, drawn = 0, []
    for mark in (each for each in facts.notices if x.holds(each.day)):
        at, start = x(mark.day), 30.0
        words = shortened(mark.label, _LONGEST_LABEL)
        for row in range(_MOST_NOTICE_ROWS):
            y = 32 + 15 * row
            label = places.place(words, "k", [(at + 5, y, ""), (at - 5, y, "e")])
            if label:
                drawn.append(label)
                rows, start = max(rows, row + 1), y - 9
                break
        drawn.append(line_at(at, start, at, bottom, "notice"))
    return rows, drawn


def _revisions(facts: TrendFacts, plot: _Plot) -> Iterator[str]:
    """Yield a diamond a revision, the number of as many as fit; the last ones first."""
    for each in reversed(facts.revisions):
        value, upper = each.estimate.value, each.estimate.upper
        if value is None or not plot.x.holds(each.day):
            continue
        x, y = plot.x(each.day), plot.y(value)
        is_new = facts.is_new(each.day)
        above = plot.y(value if upper is None else upper) - 6
        words = plot.texts.text("trend.revision", number=each.number)
        cls = "a b halo" if is_new else "k b halo"
        label = plot.places.place(words, cls, [(x - 8, above, "e"), (x - 8, y - 8, "e")])
        if label:
            yield line_at(x, above + 2, x, y - 6, "ax")
            yield label
        yield rhombus(x, y, 6, "est new" if is_new else "est on")


def _decisions(facts: TrendFacts, plot: _Plot) -> Iterator[str]:
    """Yield a square a decision at the foot of the plot, named where there is room."""
    y = plot.bottom - 8
    for mark in facts.decisions:
        if not plot.x.holds(mark.day):
            continue
        x = plot.x(mark.day)
        yield square(x, y, 4, "est new" if facts.is_new(mark.day) else "est on")
        words = shortened(mark.label, _LONGEST_LABEL)
        above = [(x + 8, y + 4 - 15 * row, "") for row in range(3)]
        yield plot.places.place(words, "k halo", [*above, (x - 8, y + 4, "e")]) or ""


def _last_values(facts: TrendFacts, plot: _Plot) -> Iterator[str]:
    """Yield the values of the last point at the right, and its number of cases."""
    if not facts.points:
        return
    last, x = facts.points[-1], plot.x.end + 10
    value, lower, upper = last.estimate.value, last.estimate.lower, last.estimate.upper
    if value is not None:
        y = plot.y(value)
        cls = "a b l" if facts.is_new(last.day) else "k b l"
        yield text_at(x, y + 4, plot.texts.decimal(value), cls)
        for bound, key, place in (
            (upper, "trend.upper", min(plot.y(upper or 0) + 4, y - 12)),
            (lower, "trend.lower", max(plot.y(lower or 0) + 4, y + 19)),
        ):
            if bound is not None:
                words = plot.texts.text(key, value=plot.texts.decimal(bound))
                yield fitted_text(x, place, words, _RIGHT - 10, "t")
    yield fitted_text(
        x, plot.bottom + 48, plot.texts.count("cases", last.n_observed), _RIGHT - 10, "k b"
    )


def _notices_in_words(facts: TrendFacts, texts: FigureTexts) -> str:
    day = texts.full_day(facts.last_day)
    return texts.count("trend.notices", len(facts.notices), day=day)


def _numbers(facts: TrendFacts, texts: FigureTexts) -> Iterator[str]:
    """Yield the numbers: revisions, days on which the number of cases changed, marks."""
    for each in facts.revisions:
        yield texts.text(
            "trend.revision_numbers",
            number=each.number,
            day=each.day.isoformat(),
            cases=texts.count("cases", each.n_observed),
            estimate=estimate_in_words(each.estimate, texts),
        )
    changed = [
        point
        for before, point in zip([None, *facts.points], facts.points, strict=False)
        if before is None or before.n_observed != point.n_observed
    ]
    last = [point for point in facts.points[-1:] if point not in changed]
    for point in [*changed[-_MOST_DAYS:], *last]:
        yield texts.text(
            "trend.point",
            day=point.day.isoformat(),
            cases=cases_in_words(point.n_observed, point.expected, texts),
            estimate=estimate_in_words(point.estimate, texts),
        )
    yield from receipts_in_words(facts.received, texts)
    for key, marks in (("trend.notice", facts.notices), ("trend.decision", facts.decisions)):
        for mark in marks:
            yield texts.text(key, day=mark.day.isoformat(), label=mark.label)
    if facts.signed_off is not None:
        yield texts.text("trend.sign_off_numbers", day=facts.signed_off.isoformat())
    yield _notices_in_words(facts, texts)
