"""Ledger of a signal: notices, rumours and decisions about it that were known on the day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from schemas.alert import Alert
from schemas.decision import AuditEntry
from schemas.vocabulary import VerificationState
from streams.core.wording.catalogue import Language, catalogue
from streams.core.wording.names import country

__all__ = ["LedgerEntry", "SubjectState", "decision_entries", "ledger_entries", "subject_states"]


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One entry of a ledger.

    Attributes
    ----------
    day
        Day it was received or logged.
    what
        Name of the text that says what it is.
    by
        Who decided; empty of a notice.
    place
        Country of a notice, in words; empty if not stated.
    said
        The reason of a decision, or the id of a notice.
    decision
        The logged decision; None of a notice.
    """

    day: date
    what: str
    by: str
    place: str
    said: str
    decision: AuditEntry | None = None


@dataclass(frozen=True, slots=True)
class SubjectState:
    """A rumour or series with these cases or this reaction, and its state. It is in no count."""

    subject_id: str
    state: VerificationState


def ledger_entries(
    alert: Alert, decisions: Sequence[AuditEntry], language: Language
) -> tuple[LedgerEntry, ...]:
    """Return what was known about a pair and decided on it, in order of days."""
    entries = [*_notices(alert, language), *decision_entries(decisions)]
    return tuple(sorted(entries, key=lambda entry: entry.day))


def decision_entries(decisions: Sequence[AuditEntry]) -> tuple[LedgerEntry, ...]:
    """Return logged decisions as entries of a ledger."""
    return tuple(map(_decision, decisions))


def subject_states(alert: Alert) -> tuple[SubjectState, ...]:
    """Return the rumours and series that an alert names."""
    if alert.context is None:
        return ()
    return tuple(SubjectState(one.subject_id, one.state) for one in alert.context.subjects)


def _notices(alert: Alert, language: Language) -> Iterator[LedgerEntry]:
    if alert.context is None:
        return
    words = catalogue(language)
    for notice in alert.context.notices:
        yield LedgerEntry(
            day=notice.on,
            what=f"notice_{notice.kind.value}",
            by="",
            place="" if notice.country is None else country(notice.country, words),
            said=notice.notice_id,
        )


def _decision(entry: AuditEntry) -> LedgerEntry:
    decision = entry.decision
    return LedgerEntry(
        day=entry.at.date(),
        what=f"state_{decision.to.value}",
        by=decision.by,
        place="",
        said=decision.reason,
        decision=entry,
    )
