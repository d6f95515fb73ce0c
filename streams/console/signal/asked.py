"""Revisions of a signal that were known on the asked day, and what had been decided by then."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus

from fastapi import HTTPException

from schemas.alert import Alert
from schemas.decision import Assessment, AuditEntry
from schemas.subscription import Tier
from streams.console.desk import Desk
from streams.core.alerts.assessment import assessed, assessments_after
from streams.core.alerts.undecided import RevisionDay
from streams.delivery.alert_sources import AnyAlert

__all__ = ["Asked", "asked_signal"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A signal as of a revision or day: nothing in it became known later.

    Attributes
    ----------
    known
        Its revisions up to the shown one, in order.
    day
        Day of a page as of a day or earlier revision; None on the page of now.
    entries
        Decisions about it that had been logged, in order.
    assessment
        What follows from them, with the day that somebody must decide by.
    newest
        Number of its last revision today.
    """

    known: Sequence[AnyAlert]
    day: date | None
    entries: Sequence[AuditEntry]
    assessment: Assessment
    newest: int

    @property
    def alert(self) -> AnyAlert:
        """Return the shown revision."""
        return self.known[-1]

    @property
    def statistical(self) -> Alert:
        """Return the shown revision of a signal of disproportionate reporting.

        Raises
        ------
        HTTPException
            404 if it is a safety alert, which has no statistics.
        """
        if not isinstance(self.alert, Alert):
            raise _not_found()
        return self.alert

    @property
    def previous(self) -> Alert | None:
        """Return the revision before the shown one; None in the first."""
        before = self.known[-2] if len(self.known) > 1 else None
        return before if isinstance(before, Alert) else None

    @property
    def known_on(self) -> date:
        """Return the day that the page is of: the asked one, else that of the revision."""
        return self.day or self.alert.evaluated_on

    def revision(self, number: int) -> AnyAlert:
        """Return a revision that was known; 404 if there is none of the number."""
        found = next((one for one in self.known if one.revision == number), None)
        if found is None:
            raise _not_found()
        return found


def asked_signal(
    desk: Desk, tier: Tier, key: str, *, revision: int | None = None, as_of: date | None = None
) -> Asked:
    """Return a signal by its key, as of a revision or a day; 404 if nothing was known of it.

    It is for the authority tier alone: pages of others are made from their own copies.

    Parameters
    ----------
    revision
        Number of an earlier revision. The page is then of the day of its evaluation.
    as_of
        Last day whose revisions and decisions are known.
    """
    if tier is not Tier.AUTHORITY:
        raise _not_found()
    with desk.service.model() as model:
        every = model.alerts_of(key)
    known = [
        one
        for one in every
        if (revision is None or one.revision <= revision)
        and (as_of is None or one.evaluated_on <= as_of)
    ]
    if not known or (revision is not None and known[-1].revision != revision):
        raise _not_found()
    day = as_of
    if revision is not None and revision != every[-1].revision:
        day = min(as_of or date.max, known[-1].evaluated_on)
    entries = [
        entry for entry in desk.service.audit.steps(key) if day is None or entry.at.date() <= day
    ]
    days = [RevisionDay.of(one) for one in known]
    today = day or desk.intake.closed or desk.service.now().date()
    current = assessed(known[-1], assessments_after(entries), lambda _: days, today=today)
    assert current.assessment is not None
    return Asked(
        known=tuple(known),
        day=day,
        entries=tuple(entries),
        assessment=current.assessment,
        newest=every[-1].revision,
    )


def _not_found() -> HTTPException:
    return HTTPException(HTTPStatus.NOT_FOUND, "no such signal")
