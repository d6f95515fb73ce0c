"""Swimlane: a lane a case from exposure to onset, in the pattern of its verification."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from schemas.vocabulary import VerificationState
from streams.figures.drawing.elements import (
    fitted_text,
    line_at,
    path_of,
    picture,
    rectangle,
    text_at,
)
from streams.figures.drawing.intervals import dot
from streams.figures.drawing.patterns import pattern_definitions, state_box, state_label
from streams.figures.drawing.scales import LinearScale
from streams.figures.drawing.text_width import text_width
from streams.figures.drawing.texts import FigureTexts, figure_texts

__all__ = ["CaseLane", "SwimlaneFacts", "swimlane"]

_ROW = 28  # height of a lane [px]
_TOP = 42
_SHARES = (0.24, 0.2, 0.15)  # of the width, for case, patient and receipt at most
_OUTCOME_SHARE = 0.17
_GAP = 9  # between two columns [px]
_HEADS = ("case", "patient", "received")
_TICKS = (0, 7, 14, 21, 28)
_LONGEST = 30  # days on the axis; longer ones end in an arrow


@dataclass(frozen=True, slots=True)
class CaseLane:
    """One case of the pair.

    Attributes
    ----------
    case_id
        Its number.
    patient
        Age and sex in words; empty if not stated.
    received
        Day of first receipt.
    onset_days
        Days from exposure to onset; None if a day is not stated.
    outcome
        Outcome and seriousness in words; empty if not stated.
    is_grave
        Whether it is fatal or life-threatening: its outcome is bold.
    state
        Its verification; None if the report does not state who reported.
    """

    case_id: str
    patient: str
    received: date
    onset_days: int | None
    outcome: str = ""
    is_grave: bool = False
    state: VerificationState | None = None


@dataclass(frozen=True, slots=True)
class SwimlaneFacts:
    """What a swimlane shows.

    Attributes
    ----------
    drug, event
        Names of the pair.
    cases
        Its cases, in any order: they are drawn by days to onset, those without days last.
    signed_off
        Day of the reader's last sign-off; a case received later is new. None if there was none.
    window
        First and last day of a window that was set before the cases were read; None for none.
    """

    drug: str
    event: str
    cases: Sequence[CaseLane]
    signed_off: date | None = None
    window: tuple[int, int] | None = None


def swimlane(
    facts: SwimlaneFacts,
    *,
    name: str = "swimlane",
    width: float = 452,
    most: int = 40,
    language: str = "en",
) -> str:
    """Return a lane a case, sorted by days to onset.

    Parameters
    ----------
    facts
        What it shows.
    name
        Prefix of its ids, unique on the page.
    width
        Width [px]; the height follows from the cases.
    most
        Most lanes to draw; the number of further cases stands below.
    language
        `en` or `ja`.
    """
    texts = figure_texts(language)
    title = texts.text("swimlane.title", drug=facts.drug, event=facts.event)
    ordered = sorted(facts.cases, key=_order)
    if not ordered:
        words = texts.text("empty.cases")
        return picture(name, width, 40, title, [words], [text_at(0, 24, words)])
    shown = ordered[:most]
    columns = _columns(shown, width, texts)
    outcome = _OUTCOME_SHARE * width
    x = LinearScale(0, _LONGEST, columns[-1] + 6, width - outcome - 30)
    bottom = _TOP + _ROW * len(shown)
    body = [*_frame(facts, x, bottom, columns, width, texts)]
    for position, case in enumerate(shown):
        y = _TOP + _ROW * position + 13
        is_new = facts.signed_off is not None and case.received > facts.signed_off
        cls = "a b" if is_new else "k"
        cells = (case.case_id, case.patient, texts.day(case.received))
        for words, start, end, cell_cls in zip(
            cells, columns[:-1], columns[1:], (cls, "k", cls), strict=True
        ):
            body.append(fitted_text(start, y + 4, words, end - start - 5, cell_cls))
        body += _lane(case, y, x, name, texts, is_new=is_new)
        grave = "k b e" if case.is_grave else "t e"
        body.append(fitted_text(width, y + 4, case.outcome, outcome, grave))
    height = bottom + 22
    if len(ordered) > len(shown):
        height += 18
        rest = texts.count("swimlane.rest", len(ordered) - len(shown))
        body.append(text_at(0, height - 4, rest))
    states = pattern_definitions(name, [case.state for case in shown])
    numbers = [_in_words(case, texts) for case in ordered]
    return picture(name, width, height, title, numbers, body, definitions=states)


def _order(case: CaseLane) -> tuple[bool, int, date, str]:
    return case.onset_days is None, case.onset_days or 0, case.received, case.case_id


def _columns(cases: Sequence[CaseLane], width: float, texts: FigureTexts) -> list[float]:
    """Return the starts of the columns of text, and the end of the last one [px]."""
    starts = [0.0]
    written = (
        [case.case_id for case in cases],
        [case.patient for case in cases],
        [texts.day(case.received) for case in cases],
    )
    for key, words, share in zip(_HEADS, written, _SHARES, strict=True):
        widest = max(map(text_width, [texts.text(f"swimlane.{key}"), *words]))
        starts.append(starts[-1] + min(widest + _GAP, share * width))
    return starts


def _frame(
    facts: SwimlaneFacts,
    x: LinearScale,
    bottom: float,
    columns: Sequence[float],
    width: float,
    texts: FigureTexts,
) -> Iterator[str]:
    for start, end, key in zip(columns[:-1], columns[1:], _HEADS, strict=True):
        yield fitted_text(start, 16, texts.text(f"swimlane.{key}"), end - start - 5, "t")
    outcome = _OUTCOME_SHARE * width
    head = texts.text("swimlane.outcome")
    room = width - text_width(head) - x.start - 10
    yield fitted_text(x.start, 16, texts.text("swimlane.axis"), room, "t")
    yield fitted_text(width, 16, head, outcome, "t e")
    yield line_at(0, 24, width, 24, "ax")
    if facts.window is not None:
        first, last = facts.window
        yield rectangle(x(first), _TOP - 8, x(last) - x(first), bottom - _TOP + 8, "band")
    for tick in _TICKS:
        yield line_at(x(tick), _TOP - 8, x(tick), bottom, "g" if tick else "zero")
        yield text_at(x(tick), bottom + 16, texts.integer(tick), "t m")


def _lane(
    case: CaseLane, y: float, x: LinearScale, name: str, texts: FigureTexts, *, is_new: bool
) -> Iterator[str]:
    if case.onset_days is None:
        words = texts.text("swimlane.no_onset")
        yield fitted_text(x.start + 6, y + 4, words, x.end - x.start, "t")
        return
    days, end = case.onset_days, x(case.onset_days)
    yield state_box(name, case.state, x.start, y - 5, max(end - x.start, 3), 10)
    if days > _LONGEST:
        yield path_of(((end + 1, y - 5), (end + 7, y), (end + 1, y + 5)), "ci on solid")
    else:
        yield dot(end, y, 4.5, "est new" if is_new else "est on")
    yield text_at(end + 10, y + 4, texts.decimal(days, 0), "t")


def _in_words(case: CaseLane, texts: FigureTexts) -> str:
    onset = (
        texts.text("swimlane.no_onset")
        if case.onset_days is None
        else texts.count("swimlane.onset", case.onset_days)
    )
    received = texts.text("swimlane.received_on", day=case.received.isoformat())
    parts = (case.patient, onset, received, case.outcome, state_label(case.state, texts))
    return texts.text(
        "form.labelled", label=case.case_id, text=texts.listed(each for each in parts if each)
    )
