"""The next step of an assessor on a signal, in words, and the day it is due."""

from datetime import date

from schemas.alert import Alert
from schemas.alert_reason import AlertKind, AlertReason, SignalLevel
from streams.core.wording.catalogue import Catalogue
from streams.core.wording.signal_reasons import (
    flagged_by_sequential_test_only,
    rules_in_words,
)

__all__ = ["due_in_words", "needs_no_step", "next_step_text"]

_R = AlertReason
_WITHDRAWN = frozenset({_R.CASES_RETRACTED, _R.FACTS_WITHDRAWN})
_LESS = frozenset({_R.RULE_OFF, _R.RULE_DROPPED, _R.NO_LONGER_ALARM})


def needs_no_step(kind: AlertKind, reasons: tuple[AlertReason, ...]) -> bool:
    """Return whether a revision asks for nothing: a rule went off, and nothing else happened."""
    return kind is AlertKind.WEAKENED and bool(reasons) and set(reasons) <= _LESS


def next_step_text(alert: Alert, words: Catalogue) -> str:
    """Return the steps on a revision, most urgent first, and the day they are due."""
    due = due_in_words(alert.due, alert.evaluated_on, urgent=alert.urgent, words=words)
    return words.sentences([*_of_change(alert, words), *_of_context(alert, words), due])


def due_in_words(due: date | None, evaluated_on: date, *, urgent: bool, words: Catalogue) -> str:
    """Return the day a step is due, and whether it has passed; empty without a day.

    An alert knows no decisions: a day that has passed is overdue unless somebody has decided.
    """
    if due is None:
        return ""
    name = "step.overdue" if due < evaluated_on else "step.due"
    return words.text(f"{name}_urgent" if urgent else name, day=due.isoformat())


def _of_change(alert: Alert, words: Catalogue) -> list[str]:
    """Return the steps that the kind of a revision and its reasons ask for."""
    if alert.kind in (AlertKind.CLOSED, AlertKind.RETRACTION):
        return [words.text(f"step.{alert.kind.value}")]
    if not alert.rules_fired:  # an ended signal, corrected
        return [words.text("step.withdrawn")]
    if alert.kind is AlertKind.NEW:
        expected = alert.statistics.expected
        no_excess = expected is not None and alert.counts.n_observed <= expected
        if flagged_by_sequential_test_only(alert) and no_excess:
            return [words.text("step.reporting_changed")]
        return [words.text("step.new")]
    if needs_no_step(alert.kind, alert.reasons):
        on = [rule for rule in alert.rules if rule.fired]
        return [words.text("step.none", rules=rules_in_words(on, words))]
    steps = []
    if _WITHDRAWN & set(alert.reasons):
        steps.append(words.text("step.withdrawn"))
    if not set(alert.reasons) <= _WITHDRAWN | _LESS and alert.previous is not None:
        steps.append(words.text("step.review", revision=alert.previous.revision))
    decided = alert.assessment.since if alert.assessment is not None else None
    if decided is not None and alert.kind is AlertKind.STRENGTHENED:
        steps.append(words.text("step.decision", day=decided.date().isoformat()))
    return steps


def _of_context(alert: Alert, words: Catalogue) -> list[str]:
    """Return the steps that the level of a signal that is on, and its context, ask for."""
    if not alert.rules_fired:
        return []
    facts = []
    if alert.level in (SignalLevel.LOT, SignalLevel.FACILITY):
        facts.append(alert.level.value)
    if alert.context is not None:
        facts += ["lot_missing"] if "lot_missing" in alert.context.flags else []
        facts += ["exposure_ongoing"] if alert.context.exposure_ongoing else []
    return [words.text(f"step.{fact}") for fact in facts]
