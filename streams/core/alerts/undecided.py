"""The day by which somebody must decide on a signal, from its revisions and its last decision."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from schemas.alert import Alert
from schemas.decision import Assessment
from schemas.safety_alert import SafetyAlert, SafetyAlertKind

__all__ = ["RevisionDay", "RevisionDays", "SignalStatus", "decision_due", "signal_status"]

_ENDED = {SafetyAlertKind.CLOSED, SafetyAlertKind.RETRACTION}


class SignalStatus(StrEnum):
    """Whether a signal is on. The assessment state is another thing: it is the assessor's."""

    ON = "on"
    OFF = "off"


def signal_status(alert: Alert | SafetyAlert) -> SignalStatus:
    """Return whether the signal of an alert is on in this revision, whatever was decided on it."""
    is_on = bool(alert.rules_fired) if isinstance(alert, Alert) else alert.kind not in _ENDED
    return SignalStatus.ON if is_on else SignalStatus.OFF


@dataclass(frozen=True, slots=True)
class RevisionDay:
    """One published revision, as far as its due day depends on it.

    Attributes
    ----------
    own_due
        Day that the next step of this revision alone is due; None if none is.
    is_on
        Whether the signal is on.
    """

    alert_id: str
    revision: int
    evaluated_on: date
    own_due: date | None
    is_on: bool

    @classmethod
    def of(cls, alert: Alert | SafetyAlert) -> "RevisionDay":
        """Return the day of an alert; one of an older version states its own day as `due`."""
        own_due = alert.own_due if alert.headline else alert.due
        is_on = signal_status(alert) is SignalStatus.ON
        return cls(alert.alert_id, alert.revision, alert.evaluated_on, own_due, is_on=is_on)


class RevisionDays:
    """The revisions of signals, collected from alerts in their order of publication."""

    def __init__(self) -> None:
        self._of_signal: defaultdict[str, list[RevisionDay]] = defaultdict(list)

    def add(self, alert: Alert | SafetyAlert) -> None:
        """Add a revision; a repeated one changes nothing."""
        known = self._of_signal[alert.signal_key]
        if not known or alert.revision > known[-1].revision:
            known.append(RevisionDay.of(alert))

    def of(self, signal_key: str) -> Sequence[RevisionDay]:
        """Return the revisions of a signal so far, in order."""
        return self._of_signal.get(signal_key, ())


def decision_due(
    revisions: Sequence[RevisionDay], assessment: Assessment, *, upto: int
) -> date | None:
    """Return the day by which somebody must decide on a signal; None if nobody must.

    It is the earliest own day of the revisions after the last decision, since the signal began,
    ended or was reopened.

    Parameters
    ----------
    revisions
        All revisions of the signal, in order.
    assessment
        Assessment of the signal: its last decision.
    upto
        Number of the last revision to consider.
    """
    decided = _decided_revision(revisions, assessment)
    due: date | None = None
    was_on: bool | None = None
    for one in revisions:
        if one.revision > upto:
            break
        if one.is_on is not was_on:
            due = None
        was_on = one.is_on
        if one.revision > decided and one.own_due is not None:
            due = one.own_due if due is None else min(due, one.own_due)
    return due


def _decided_revision(revisions: Sequence[RevisionDay], assessment: Assessment) -> int:
    """Return the number of the last revision that is decided on; 0 if none is."""
    if assessment.decided_at is None:
        return 0
    of_id = [one.revision for one in revisions if one.alert_id == assessment.decided_alert_id]
    if of_id:
        return of_id[-1]
    # The decision names no revision, or one of another run: it covers those of its day.
    day = assessment.decided_at.date()
    return max((one.revision for one in revisions if one.evaluated_on <= day), default=0)
