"""Ends of safety alerts: why an alert without a finding ended, and its facts in the final state."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from urllib.parse import unquote

from schemas.notice import Notice
from schemas.safety_alert import AlertCategory, EndReason, SafetyAlert, SafetyAlertKind, SubjectKind
from streams.core.cases.domain_case import DomainCase
from streams.core.safety.findings import facts_of_cases
from streams.core.safety.safety_finding import SafetyFinding

__all__ = ["ENDED", "final_facts"]

ENDED = frozenset({SafetyAlertKind.CLOSED, SafetyAlertKind.RETRACTION})
"""Kinds of a revision that ends its alert."""
_OF_CASES = (
    "case_ids", "n_cases", "n_serious", "n_fatal", "n_verified", "n_by_professional", "first_day",
    "last_day", "lots", "facilities", "flags",
)  # fmt: skip
_NO_CASES: Mapping[str, object] = {
    "case_ids": (),
    "n_cases": 0,
    "n_serious": 0,
    "n_fatal": 0,
    "n_verified": 0,
    "n_by_professional": 0,
    "first_day": None,
    "last_day": None,
    "lots": (),
    "facilities": (),
    "flags": (),
}
_KINDS = {
    AlertCategory.LOT_CLUSTER: SubjectKind.LOT,
    AlertCategory.FACILITY_CLUSTER: SubjectKind.FACILITY,
    AlertCategory.MANUFACTURER_CLUSTER: SubjectKind.MANUFACTURER,
    AlertCategory.DISTRIBUTOR_CLUSTER: SubjectKind.DISTRIBUTOR,
    AlertCategory.FATAL_CASE: SubjectKind.CASE,
}


def final_facts(
    before: SafetyAlert,
    cases: Mapping[str, DomainCase],
    notices: Mapping[str, Sequence[Notice]],
    current: Iterable[SafetyFinding],
    acted: Mapping[str, date],
) -> dict[str, object]:
    """Return the fields of the revision that ends an alert of which there is no finding any more.

    An end states the final state: of its cases, those that are still counted.

    Parameters
    ----------
    before
        The revision published last.
    cases
        The current, counted cases, by case id.
    notices
        The notices known on the day, by subject.
    current
        The findings of the day.
    acted
        Result of `streams.core.safety.findings.actions`.
    """
    category = before.category
    known = notices.get(_subject_id(before), ())
    if category is AlertCategory.FOLLOW_UP_OVERDUE:
        return _answer(before, known)
    if category is AlertCategory.USAGE_RULE:
        given = {usage.person for notice in known for usage in notice.usage}
        corrected = before.subject in given
        return {
            "ended_because": EndReason.WITHIN_RULES if corrected else EndReason.SOURCE_WITHDRAWN
        }
    if category in (AlertCategory.UNVERIFIED_FATAL, AlertCategory.ONGOING_EXPOSURE):
        return {"ended_because": EndReason.SOURCE_WITHDRAWN}
    left = [cases[case_id] for case_id in before.case_ids if case_id in cases]
    if category is AlertCategory.CASE_SERIES:
        return _series(before, [case for case in left if before.subject in case.part_of])
    facts = facts_of_cases(left, acted) if left else _NO_CASES
    return {
        "ended_because": _because(before, left, current),
        # An alert of an older version does not state it.
        "subject_kind": before.subject_kind or _KINDS[category],
        **{name: facts[name] for name in _OF_CASES},
        "same_cases": (),
        "n_same_cases": None if before.n_same_cases is None else 0,
    }


def _because(
    before: SafetyAlert, left: Sequence[DomainCase], current: Iterable[SafetyFinding]
) -> EndReason:
    if len(left) < len(before.case_ids):
        return EndReason.CASES_WITHDRAWN
    if before.category is AlertCategory.FATAL_CASE:
        return EndReason.NO_LONGER_FATAL
    names = set(before.case_ids)
    of_lots = (finding for finding in current if finding.category is AlertCategory.LOT_CLUSTER)
    if before.category is not AlertCategory.LOT_CLUSTER and any(
        names <= set(finding.case_ids) for finding in of_lots
    ):
        return EndReason.SHARED_LOT
    return EndReason.CASES_AMENDED


def _series(before: SafetyAlert, left: Sequence[DomainCase]) -> dict[str, object]:
    gone = len(left) < len(before.case_ids)
    return {
        "ended_because": EndReason.CASES_WITHDRAWN if gone else EndReason.SOURCE_WITHDRAWN,
        "case_ids": tuple(case.case_id for case in left),
        "n_cases": len(left),
        "n_serious": sum(case.serious for case in left),
        "n_fatal": sum(case.fatal for case in left),
        "n_verified": len(left),
        "n_by_professional": sum(case.by_professional for case in left),
    }


def _answer(before: SafetyAlert, known: Sequence[Notice]) -> dict[str, object]:
    """Return how an overdue answer ended: the last notice after its day that closes it."""
    closing = [
        notice
        for notice in known
        if (notice.followup_closed or _is_verdict(notice))
        and (before.due_since is None or notice.received > before.due_since)
    ]
    if not closing:
        return {"ended_because": EndReason.DUE_DAY_MOVED}
    last = max(notice.received for notice in closing)
    answered = any(notice.followup_closed for notice in closing if notice.received == last)
    return {
        "ended_because": EndReason.ANSWERED if answered else EndReason.SETTLED,
        "ended_on": last,
    }


def _is_verdict(notice: Notice) -> bool:
    return notice.verification is not None and notice.verification.verdict is not None


def _subject_id(alert: SafetyAlert) -> str:
    """Return the subject of the notices of an alert; of a person the one of the usage notice."""
    if alert.category is not AlertCategory.USAGE_RULE:
        return alert.subject
    return unquote(alert.signal_key.split("|")[1])
