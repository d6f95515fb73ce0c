"""Patients of a series as described, and cases counted: two columns by day, never one sum."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from schemas.notice import Notice, Patients
from schemas.safety_alert import AlertCategory
from streams.console.safety.known_copies import KnownSignal, day_of
from streams.console.safety.page_words import PageWords
from streams.core.safety.safety_record import CaseChange

__all__ = ["SeriesRow", "of_copies", "of_record"]


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """What was known at the end of a day.

    Attributes
    ----------
    what
        What came on the day, in words.
    described
        Patients described by notices, in words. They are in no count.
    counted
        Counted cases that are part of it; in words where a tier knows a band.
    """

    day: date
    what: str
    described: str
    counted: str


def of_record(
    notices: Sequence[Notice], changes: Sequence[CaseChange], words: PageWords
) -> list[SeriesRow]:
    """Return a row for each day on which patients were described, or the counts changed."""
    days = {notice.received for notice in notices if notice.patients or notice.exposure}
    days |= {change.day for change in changes}
    rows: list[SeriesRow] = []
    counted: set[str] = set()
    described: Patients | None = None
    for day in sorted(days):
        came = [notice for notice in notices if notice.received == day]
        described = next((one.patients for one in reversed(came) if one.patients), described)
        parts = [_came(notice, words) for notice in came]
        for change in changes:
            if change.day == day:
                counted.discard(change.case.case_id)
                if change.counted:
                    counted.add(change.case.case_id)
                parts.append(_moved(change, words))
        rows.append(
            SeriesRow(day, words.listed(parts), words.patients(described), str(len(counted)))
        )
    return rows


def of_copies(signals: Sequence[KnownSignal], words: PageWords) -> list[SeriesRow]:
    """Return a row for each revision of a series, from the copies of a tier."""
    return [
        SeriesRow(
            day=day_of(copy),
            what=words.text("revision", number=copy["revision"]),
            described=words.patients(
                Patients.model_validate(copy["patients"]) if copy.get("patients") else None
            ),
            counted=str(copy["n_verified"]),
        )
        for signal in signals
        if signal.category is AlertCategory.CASE_SERIES
        for copy in signal.copies
        if "n_verified" in copy
    ]


def _came(notice: Notice, words: PageWords) -> str:
    return words.text("came", who=words.who(notice), id=notice.notice_id)


def _moved(change: CaseChange, words: PageWords) -> str:
    case = change.case
    if change.counted:
        by = "professional" if case.by_professional else "other"
        name = "came_amended" if change.was_counted else f"came_case_{by}"
        return words.text(name, id=case.case_id)
    effect = words.text(f"leaves_{change.reason or 'withdrawn'}")
    return words.text("came_left", id=case.case_id, effect=effect)
