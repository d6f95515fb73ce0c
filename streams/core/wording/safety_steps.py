"""The next step on a safety alert, in words, and the day it is due."""

from collections.abc import Mapping

from schemas.safety_alert import AlertCategory, SafetyAlert, SafetyAlertKind, SafetyChange
from schemas.vocabulary import VerificationState
from streams.core.wording.catalogue import Catalogue
from streams.core.wording.safety_facts import is_again, is_ended
from streams.core.wording.signal_steps import due_in_words

__all__ = ["safety_step"]

_STEPS: Mapping[AlertCategory, str] = {
    AlertCategory.LOT_CLUSTER: "lot",
    AlertCategory.FACILITY_CLUSTER: "facility",
    AlertCategory.MANUFACTURER_CLUSTER: "manufacturer",
    AlertCategory.DISTRIBUTOR_CLUSTER: "distributor",
    AlertCategory.CASE_SERIES: "series",
    AlertCategory.UNVERIFIED_FATAL: "rumour",
    AlertCategory.FATAL_CASE: "fatal",
    AlertCategory.ONGOING_EXPOSURE: "exposure",
    AlertCategory.USAGE_RULE: "usage",
    AlertCategory.FOLLOW_UP_OVERDUE: "overdue",
}


def safety_step(alert: SafetyAlert, words: Catalogue) -> str:
    """Return the steps on a revision, most urgent first, and the day they are due."""
    steps = [words.text(f"safety.step.{alert.kind}")] if is_ended(alert) else _open(alert, words)
    due = due_in_words(alert.due, alert.evaluated_on, urgent=alert.urgent, words=words)
    return words.sentences([*steps, due])


def _open(alert: SafetyAlert, words: Catalogue) -> list[str]:
    steps = []
    if alert.was is not None and not is_again(alert) and SafetyChange.CASES in alert.changes:
        if alert.kind is SafetyAlertKind.STRENGTHENED:
            steps.append(words.text("safety.step.review", revision=alert.was.revision))
        if alert.kind is SafetyAlertKind.WEAKENED:
            steps.append(words.text("safety.step.withdrawn"))
    step = _STEPS[alert.category]
    contested = alert.verification is VerificationState.CONTESTED
    if alert.category is AlertCategory.UNVERIFIED_FATAL and contested:
        step = "contested"
    steps.append(words.text(f"safety.step.{step}"))
    if "lot_missing" in alert.flags:
        steps.append(words.text("safety.step.lot_missing"))
    return steps
