"""Complete revisions of safety alerts: what changed, priority, day due, and the texts at last."""

import hashlib
from collections.abc import Mapping

from schemas.safety_alert import (
    PreviousFacts,
    SafetyAlert,
    SafetyAlertKind,
    SafetyChange,
)
from streams.core.safety.endings import ENDED
from streams.core.safety.work_order import due_day, priority_of_category
from streams.core.wording.safety_text import safety_texts

__all__ = ["alert_id_of", "changes_between", "completed", "kind_of_change"]

# Facts that decide whether there is a revision; the others are constant, or follow from these. A
# change of the law alone is no reason for one: the next revision states it.
_FACTS: Mapping[str, SafetyChange] = {
    "urgent": SafetyChange.OTHER,
    "terms": SafetyChange.TERMS,
    "countries": SafetyChange.COUNTRIES,
    "case_ids": SafetyChange.CASES,
    "patients": SafetyChange.PATIENTS,
    "n_verified": SafetyChange.CASES,
    "n_by_professional": SafetyChange.REPORTERS,
    "verification": SafetyChange.STATE,
    "stated": SafetyChange.STATEMENTS,
    "first_day": SafetyChange.DAYS,
    "lots": SafetyChange.LOTS,
    "facilities": SafetyChange.FACILITIES,
    "flags": SafetyChange.FLAGS,
}
# Of alerts published by a version without headlines these are not known.
_FACTS_WITH_HEADLINE: Mapping[str, SafetyChange] = {
    "last_day": SafetyChange.DAYS,
    "part_of": SafetyChange.SUBJECTS,
    "advised_by": SafetyChange.ADVICE,
    "due_since": SafetyChange.DUE_DAY,
    "volume_ml": SafetyChange.VOLUME,
    "athlete_stated": SafetyChange.OTHER,
}


def changes_between(before: SafetyAlert, alert: SafetyAlert) -> tuple[SafetyChange, ...]:
    """Return the facts that differ, in the order of `SafetyChange`."""
    facts = _FACTS if before.headline is None else {**_FACTS, **_FACTS_WITH_HEADLINE}
    if before.n_same_cases is not None:  # an alert of an older version does not state them
        facts = {
            **facts,
            "same_cases": SafetyChange.SUBJECTS,
            "n_same_cases": SafetyChange.SUBJECTS,
        }
    changed = {
        change for name, change in facts.items() if getattr(before, name) != getattr(alert, name)
    }
    return tuple(change for change in SafetyChange if change in changed)


def kind_of_change(before: SafetyAlert, alert: SafetyAlert) -> SafetyAlertKind:
    """Return the kind of a revision with changed facts: by patients, then by cases."""
    was, now = _size(before), _size(alert)
    if now == was:
        return SafetyAlertKind.UPDATE
    return SafetyAlertKind.STRENGTHENED if now > was else SafetyAlertKind.WEAKENED


def _size(alert: SafetyAlert) -> tuple[int, int]:
    return alert.patients.at_least if alert.patients else 0, len(alert.case_ids)


def completed(alert: SafetyAlert, kind: SafetyAlertKind, before: SafetyAlert | None) -> SafetyAlert:
    """Return a revision with its number, changes, priority, day due, and texts.

    Parameters
    ----------
    alert
        The facts of the day.
    kind
        Kind of the revision.
    before
        The revision published before it; None for the first one.
    """
    ended = kind in ENDED
    own_due = due_day(alert.category, alert.evaluated_on, ended=ended, urgent=alert.urgent)
    due = own_due
    if before is not None and before.due is not None and not ended and before.kind not in ENDED:
        due = min(own_due, before.due)
    revision = 1 if before is None else before.revision + 1
    with_facts = alert.model_copy(
        update={
            "alert_id": alert_id_of(alert.signal_key, revision),
            "revision": revision,
            "kind": kind,
            "was": None if before is None else _facts_of(before),
            "changes": () if before is None else changes_between(before, alert),
            "priority": priority_of_category(alert.category, ended=ended, urgent=alert.urgent),
            "due": due,
            "own_due": own_due,
        }
    )
    texts = safety_texts(with_facts)
    return with_facts.model_copy(
        update={
            "headline": texts.headline,
            "sentence": texts.sentence,
            "reason": texts.reason,
            "next_step": texts.next_step,
            "caveat": texts.caveat,
        }
    )


def _facts_of(before: SafetyAlert) -> PreviousFacts:
    return PreviousFacts(
        revision=before.revision,
        kind=before.kind,
        evaluated_on=before.evaluated_on,
        n_cases=len(before.case_ids),
        n_verified=before.n_verified,
        patients_at_least=before.patients.at_least if before.patients else None,
        n_lots=len(before.lots),
        n_facilities=len(before.facilities),
        verification=before.verification,
        stated=before.stated,
    )


def alert_id_of(key: str, revision: int) -> str:
    """Return the name of a revision, derived from its signal key and number."""
    return hashlib.sha256(f"{key}\n{revision}".encode()).hexdigest()[:32]
