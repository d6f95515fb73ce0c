"""Threads: what was alleged and what was counted on each subject of one class, over time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from schemas.vocabulary import VerificationState
from streams.figures.drawing.broken_days import BrokenDayScale, broken_day_scale
from streams.figures.drawing.elements import fitted_text, line_at, picture, tag, text_at
from streams.figures.drawing.labels import LabelPlaces
from streams.figures.drawing.patterns import pattern_definitions, state_box, state_label
from streams.figures.drawing.text_width import shortened
from streams.figures.drawing.texts import FigureTexts, figure_texts

__all__ = ["CountedStep", "Statement", "ThreadLane", "ThreadsFacts", "threads"]

_LEFT, _TOP, _LANE = 150, 46, 80  # [px]
_LONGEST = 260  # of a label [px]
_BAR = 4  # height of one counted case [px]
_MOST_HIGH = 5  # counted cases in the height of a bar


@dataclass(frozen=True, slots=True)
class Statement:
    """A state of a subject that holds until the next statement.

    Attributes
    ----------
    day
        Day from which it holds.
    state
        The state.
    label
        What was said, in the language of the picture; empty for the word of the state.
    """

    day: date
    state: VerificationState
    label: str = ""


@dataclass(frozen=True, slots=True)
class CountedStep:
    """A number of counted cases that holds until the next step.

    Attributes
    ----------
    day
        Day from which it holds.
    n
        Cases in the counts.
    state
        Their verification; None if the reports do not state who reported.
    """

    day: date
    n: int
    state: VerificationState | None = None


@dataclass(frozen=True, slots=True)
class ThreadLane:
    """One subject.

    Attributes
    ----------
    label
        What happened, such as an event.
    note
        Lot, series or number of the subject.
    statements
        What was said about it, in order; drawn on the first line.
    counted
        What was counted of it, in order; drawn on the second line.
    notices
        Days and words of authorities' notices.
    """

    label: str
    note: str
    statements: Sequence[Statement] = ()
    counted: Sequence[CountedStep] = ()
    notices: Sequence[tuple[date, str]] = ()


@dataclass(frozen=True, slots=True)
class ThreadsFacts:
    """What the picture shows.

    Attributes
    ----------
    subject
        The class of the subjects, in words.
    last_day
        Day as of which the picture is.
    lanes
        The subjects.
    """

    subject: str
    last_day: date
    lanes: Sequence[ThreadLane]


def threads(
    facts: ThreadsFacts, *, name: str = "threads", width: float = 1334, language: str = "en"
) -> str:
    """Return a lane a subject: its states above, the counted cases below, never in one sum.

    Parameters
    ----------
    facts
        What it shows.
    name
        Prefix of its ids, unique on the page.
    width
        Width [px]; the height follows from the lanes.
    language
        `en` or `ja`.
    """
    texts = figure_texts(language)
    title = texts.text("threads.title", subject=facts.subject)
    days = [day for lane in facts.lanes for day in _days(lane)]
    if not days:
        words = texts.text("empty.threads")
        return picture(name, width, 40, title, [words], [text_at(0, 24, words)])
    x = broken_day_scale(days, facts.last_day, _LEFT, width - 20)
    bottom = _TOP + _LANE * len(facts.lanes)
    body = [*_axis(x, bottom, texts)]
    for position, lane in enumerate(facts.lanes):
        y = _TOP + position * _LANE
        body += _lane(lane, facts.last_day, x, y, name, width, texts)
        body.append(line_at(0, y + _LANE - 8, width, y + _LANE - 8, "g"))
    numbers = [entry for lane in facts.lanes for entry in _in_words(lane, texts)]
    states = [each.state for lane in facts.lanes for each in lane.statements]
    counted = [each.state for lane in facts.lanes for each in lane.counted]
    patterns = pattern_definitions(name, [*states, *counted])
    return picture(name, width, bottom, title, numbers, body, definitions=patterns)


def _days(lane: ThreadLane) -> Iterable[date]:
    yield from (each.day for each in lane.statements)
    yield from (each.day for each in lane.counted)
    yield from (day for day, _ in lane.notices)


def _axis(x: BrokenDayScale, bottom: float, texts: FigureTexts) -> Iterator[str]:
    for day, label in x.labelled_days(texts):
        yield line_at(x(day), _TOP - 8, x(day), bottom - 8, "g")
        yield text_at(x(day) + 3, _TOP - 14, label, "t")
    for place in x.breaks:
        path = f"M{place - 4:.1f} {_TOP - 10}l6 8 -6 8 6 8M{place + 4:.1f} {_TOP - 10}l6 8 -6 8 6 8"
        yield tag("path", d=path, cls="ax")


def _lane(
    lane: ThreadLane,
    last_day: date,
    x: BrokenDayScale,
    top: float,
    name: str,
    width: float,
    texts: FigureTexts,
) -> Iterator[str]:
    yield fitted_text(0, top + 24, lane.label, _LEFT - 12, "k b")
    yield fitted_text(0, top + 40, lane.note, _LEFT - 12, "t")
    places = LabelPlaces(_LEFT, width, top - 6, top + _LANE)
    for place in x.breaks:
        places.keep_free(place - 8, top - 20, place + 12, _TOP + 12)
    for day, words in lane.notices:
        yield line_at(x(day), top + 4, x(day), top + _LANE - 14, "notice")
        at = [(x(day) + 5, top + 8, ""), (x(day) - 5, top + 8, "e")]
        yield places.place(shortened(words, _LONGEST), "t halo", at) or ""
    yield from _statements(lane, last_day, x, top, name, places, texts)
    yield from _counted(lane, last_day, x, top + 52, name, places, texts)


def _statements(
    lane: ThreadLane,
    last_day: date,
    x: BrokenDayScale,
    top: float,
    name: str,
    places: LabelPlaces,
    texts: FigureTexts,
) -> Iterator[str]:
    """Yield a stretch a state, with what was said, or the word of the state, where it fits."""
    ends = [*(each.day for each in lane.statements[1:]), last_day]
    for statement, end in reversed(list(zip(lane.statements, ends, strict=False))):
        left = x(statement.day)
        size = max(x(end) - left, 3)
        yield state_box(name, statement.state, left, top + 16, size, 12)
        word = state_label(statement.state, texts)
        at = [(left, top + 11, ""), (left + size, top + 11, "e")]
        yield _first_placed(places, (statement.label or word, word), "k halo", at)


def _counted(
    lane: ThreadLane,
    last_day: date,
    x: BrokenDayScale,
    base: float,
    name: str,
    places: LabelPlaces,
    texts: FigureTexts,
) -> Iterator[str]:
    """Yield the counted cases as steps, with the numbers of as many as fit; the last ones first."""
    ends = [*(each.day for each in lane.counted[1:]), last_day]
    for step, end in reversed(list(zip(lane.counted, ends, strict=False))):
        left = x(step.day)
        size = max(x(end) - left, 3)
        height = _BAR * min(step.n, _MOST_HIGH)
        if step.n:
            yield state_box(name, step.state, left, base - height, size, height)
        words = texts.count("threads.counted", step.n), texts.integer(step.n)
        yield _first_placed(places, words, "k b", [(left, base + 14, "")])


def _first_placed(
    places: LabelPlaces, words: Iterable[str], cls: str, at: Sequence[tuple[float, float, str]]
) -> str:
    for each in words:
        label = places.place(shortened(each, _LONGEST), cls, at)
        if label:
            return label
    return ""


def _in_words(lane: ThreadLane, texts: FigureTexts) -> Iterator[str]:
    label = texts.listed(each for each in (lane.label, lane.note) if each)
    for each in lane.statements:
        word = state_label(each.state, texts)
        yield texts.text(
            "threads.statement",
            label=label,
            day=each.day.isoformat(),
            state=texts.listed(part for part in (word, each.label) if part),
        )
    for step in lane.counted:
        counted = texts.count("threads.counted", step.n)
        state = state_label(step.state, texts)
        yield texts.text(
            "threads.step", label=label, day=step.day.isoformat(), counted=counted, state=state
        )
    for day, words in lane.notices:
        yield texts.text("threads.notice", label=label, day=day.isoformat(), words=words)
