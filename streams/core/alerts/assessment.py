"""State machine of signal assessment: allowed steps, and the mandatory fields of each."""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from datetime import date
from types import MappingProxyType

from schemas.alert import Alert
from schemas.decision import Assessment, AuditEntry, Decision, SignalState
from schemas.errors import InputError
from schemas.safety_alert import SafetyAlert
from streams.core.alerts.undecided import RevisionDay, decision_due

__all__ = [
    "NEEDS_REASON",
    "STEPS",
    "assessed",
    "assessments_after",
    "require_logged_step",
    "require_step",
    "states_after",
]

_S = SignalState
_UNTOUCHED = Assessment(state=_S.DETECTED, since=None, assignee=None, decided_by=None)

STEPS: Mapping[SignalState, frozenset[SignalState]] = MappingProxyType(
    {
        frm: frozenset(to)
        for frm, to in {
            _S.DETECTED: {_S.UNDER_TRIAGE, _S.RETRACTED, _S.SUPERSEDED},
            _S.UNDER_TRIAGE: {
                _S.VALIDATED, _S.NOT_VALIDATED, _S.MONITORING, _S.RETRACTED, _S.SUPERSEDED,
            },
            _S.VALIDATED: {
                _S.CONFIRMED, _S.NOT_CONFIRMED, _S.MONITORING, _S.RETRACTED, _S.SUPERSEDED,
            },
            _S.CONFIRMED: {_S.PRIORITISED, _S.RETRACTED, _S.SUPERSEDED},
            _S.PRIORITISED: {_S.UNDER_ASSESSMENT, _S.RETRACTED, _S.SUPERSEDED},
            _S.UNDER_ASSESSMENT: {_S.CLOSED, _S.MONITORING, _S.RETRACTED, _S.SUPERSEDED},
            _S.NOT_VALIDATED: {_S.MONITORING, _S.REOPENED},
            _S.NOT_CONFIRMED: {_S.MONITORING, _S.REOPENED},
            _S.MONITORING: {_S.REOPENED, _S.CLOSED, _S.RETRACTED, _S.SUPERSEDED},
            _S.CLOSED: {_S.REOPENED},
            _S.RETRACTED: {_S.REOPENED},
            _S.SUPERSEDED: set[SignalState](),
            _S.REOPENED: {_S.UNDER_TRIAGE, _S.SUPERSEDED},
        }.items()
    }
)  # fmt: skip
"""Allowed next states of each state."""

NEEDS_REASON = frozenset(
    {
        _S.VALIDATED,
        _S.CONFIRMED,
        _S.NOT_VALIDATED,
        _S.NOT_CONFIRMED,
        _S.CLOSED,
        _S.MONITORING,
        _S.REOPENED,
        _S.RETRACTED,
        _S.SUPERSEDED,
    }
)
"""States that need a reason in words."""


_AFFIRMS = {_S.VALIDATED, _S.CONFIRMED}  # logs of earlier versions have them without a reason


def require_step(frm: SignalState, decision: Decision) -> None:
    """Raise `InputError` unless a decision may be logged in this state, with its mandatory fields.

    >>> require_step(SignalState.DETECTED, Decision(
    ...     signal_key="X|Sepsis|cumulative", to=SignalState.UNDER_TRIAGE, by="a.assessor"))
    """
    require_logged_step(frm, decision)
    _require_reason(decision, NEEDS_REASON)


def _require_reason(decision: Decision, states: Set[SignalState]) -> None:
    if decision.to in states and not decision.reason.strip():
        msg = (
            f"signal {decision.signal_key}: a step to {decision.to} must have a reason; got none: "
            "say in a sentence what it is based on"
        )
        raise InputError(msg)


def require_logged_step(frm: SignalState, decision: Decision) -> None:
    """Raise `InputError` unless a decision of a log, of this or an earlier version, is allowed."""
    to, where = decision.to, f"signal {decision.signal_key}"
    if to not in STEPS[frm]:
        allowed = ", ".join(sorted(STEPS[frm])) or "nothing"
        msg = f"{where}: after {frm} may come {allowed}; got {to}"
        raise InputError(msg)
    _require_reason(decision, NEEDS_REASON - _AFFIRMS)
    if to in _AFFIRMS and decision.n_burst and "burst" not in decision.reason.casefold():
        msg = (
            f"{where}: a step to {to} must have a reason that says why the burst is no objection, "
            f"by that word: {decision.n_burst} cases came from one source or system on one day; "
            f"got {decision.reason or 'none'}"
        )
        raise InputError(msg)
    if (to is _S.SUPERSEDED) != (decision.superseded_by is not None):
        msg = f"{where}: superseded_by must name a signal when one takes its place, and only then"
        raise InputError(msg)
    if decision.superseded_by == decision.signal_key:
        msg = f"{where}: must be superseded by another signal; got itself"
        raise InputError(msg)


def states_after(decisions: Iterable[Decision]) -> dict[str, SignalState]:
    """Return the state of every signal with a decision, given decisions in order.

    Raises
    ------
    InputError
        If one of them may not follow the one before.
    """
    states: dict[str, SignalState] = {}
    for decision in decisions:
        require_logged_step(states.get(decision.signal_key, _S.DETECTED), decision)
        states[decision.signal_key] = decision.to
    return states


_BEGINS = {_S.UNDER_TRIAGE, _S.REOPENED}  # steps that take a signal up, and decide nothing


def assessments_after(entries: Iterable[AuditEntry]) -> dict[str, Assessment]:
    """Return the current assessment of every signal in an audit log, given entries in order."""
    assessments: dict[str, Assessment] = {}
    for entry in entries:
        decision = entry.decision
        before = assessments.get(decision.signal_key, _UNTOUCHED)
        decides = decision.to not in _BEGINS
        assessments[decision.signal_key] = Assessment(
            state=decision.to,
            since=entry.at,
            assignee=decision.assignee or before.assignee,
            decided_by=decision.by,
            decided_at=entry.at if decides else before.decided_at,
            decided_alert_id=decision.alert_id if decides else before.decided_alert_id,
        )
    return assessments


def assessed(
    alert: Alert | SafetyAlert,
    assessments: Mapping[str, Assessment],
    revisions: Callable[[str], Sequence[RevisionDay]],
    *,
    today: date,
) -> Alert | SafetyAlert:
    """Return the alert with the current assessment of its signal, and the day it is due.

    Parameters
    ----------
    assessments
        Result of `assessments_after`; a signal that is not in it is `detected` and unassigned.
    revisions
        Returns all revisions of a signal by its key; not called for a signal without a decision.
    today
        Day that an overdue signal is overdue on.
    """
    assessment = assessments.get(alert.signal_key, _UNTOUCHED)
    if assessment.state is _S.SUPERSEDED:
        due = None  # it is decided on under the other key
    elif assessment.decided_at is None:
        due = alert.due
    else:
        due = decision_due(revisions(alert.signal_key), assessment, upto=alert.revision)
    overdue = due is not None and due < today
    assessment = assessment.model_copy(update={"due": due, "overdue": overdue})
    return alert.model_copy(update={"assessment": assessment})
