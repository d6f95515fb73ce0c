"""What happened to a signal, in words: one phrase for each reason of a revision."""

from collections.abc import Callable, Mapping

from schemas.alert import Alert
from schemas.alert_reason import AlertKind, AlertReason, SignalGrade
from schemas.rule_outcome import RuleOutcome
from schemas.subscription import Tier
from schemas.vocabulary import VerificationState
from streams.core.wording.catalogue import Catalogue
from streams.core.wording.measures import is_sequential
from streams.core.wording.names import country, rule_name
from streams.core.wording.numbers import logarithm

__all__ = ["flagged_by_sequential_test_only", "n_withdrawn", "what_happened"]

_R = AlertReason
_SETTLED = frozenset(
    {
        VerificationState.VALID_ICSR,
        VerificationState.HCP_CONFIRMED,
        VerificationState.AUTHORITY_CONFIRMED,
        VerificationState.REFUTED,
    }
)


def what_happened(alert: Alert, words: Catalogue, tier: Tier) -> list[str]:
    """Return what happened to a signal: one phrase a reason, in their order; at least one.

    Parameters
    ----------
    tier
        The consumer's copy says nothing of facilities.
    """
    phrases = [
        phrase
        for reason in alert.reasons
        if not (reason is _R.NEW_FACILITY and tier is not Tier.AUTHORITY)
        and (phrase := _PHRASES[reason](alert, words))
    ]
    ends = words.text("reason.no_rule_on")
    if not alert.rules_fired and not any(ends in phrase for phrase in phrases):
        phrases.insert(0, ends)
    if not phrases:  # the only reason is one of facilities
        phrases = [words.text("reason.other_facts")]
    return phrases


def flagged_by_sequential_test_only(alert: Alert) -> bool:
    """Return whether every rule that is on compares nothing but the anytime-valid test."""
    on = [rule for rule in alert.rules if rule.fired]
    return bool(on) and all(map(is_sequential, on))


def n_withdrawn(alert: Alert) -> int | None:
    """Return the number of cases that left the pair since the published revision, if it is known.

    In a moving window it is not: cases leave it with their day.
    """
    if alert.previous is None or alert.n_new is None or alert.window.kind.value == "sliding":
        return None
    left = alert.previous.n_observed + alert.n_new - alert.counts.n_observed
    return left if left > 0 else None


def rules_in_words(rules: list[RuleOutcome], words: Catalogue) -> str:
    """Return the names of rules, in the order of the rule set."""
    return words.listed(rule_name(rule.name, rule.title, words) for rule in rules)


def _first(alert: Alert, words: Catalogue) -> str:
    text = words.text(f"reason.first.{_flag(alert)}")
    if alert.n_fatal:
        text += words.count("reason.with_fatal", alert.n_fatal)
    return text


def _reopened(alert: Alert, words: Catalogue) -> str:
    return words.text(f"reason.reopened.{_flag(alert)}")


def _flag(alert: Alert) -> str:
    if flagged_by_sequential_test_only(alert):
        return "sequential"
    return "screening" if alert.grade is SignalGrade.SCREENING else "signal"


def _cases_retracted(alert: Alert, words: Catalogue) -> str:
    if alert.window.kind.value == "sliding":
        return words.text("reason.corrected")
    n = n_withdrawn(alert)
    if alert.kind is AlertKind.RETRACTION:
        if n is None:
            return words.text("reason.ended_by_withdrawal")
        return words.count("reason.ended_by_withdrawn", n)
    if n is None:
        return words.text("reason.cases_withdrawn")
    if alert.kind is AlertKind.UPDATE and alert.n_new == n:
        return words.count("reason.exchanged", n)
    return words.count("reason.withdrawn", n)


def _no_rule_on(alert: Alert, words: Catalogue) -> str:
    if alert.kind is AlertKind.RETRACTION and alert.window.kind.value != "sliding":
        return ""  # the phrase of the withdrawal says it
    return words.text("reason.no_rule_on")


def _rules(which: str) -> Callable[[Alert, Catalogue], str]:
    def phrase(alert: Alert, words: Catalogue) -> str:
        was = set() if alert.previous is None else set(alert.previous.rules_fired)
        asked = {rule.name for rule in alert.rules}
        if which == "rule_dropped":
            names = sorted(was - asked)
            return words.count(
                f"reason.{which}",
                len(names),
                rules=words.listed(rule_name(n, "", words) for n in names),
            )
        lost = which == "rule_off"
        rules = [
            rule
            for rule in alert.rules
            if (
                rule.name in was and not rule.fired if lost else rule.fired and rule.name not in was
            )
        ]
        return words.count(f"reason.{which}", len(rules), rules=rules_in_words(rules, words))

    return phrase


def _plain(name: str) -> Callable[[Alert, Catalogue], str]:
    return lambda _, words: words.text(f"reason.{name}")


def _first_fatal(alert: Alert, words: Catalogue) -> str:
    return words.count("reason.first_fatal", alert.n_fatal)


def _first_designated(alert: Alert, words: Catalogue) -> str:
    terms = alert.context.designated if alert.context is not None else ()
    return words.text("reason.first_designated", terms=words.listed(terms or (alert.event,)))


def _verification_changed(alert: Alert, words: Catalogue) -> str:
    subjects = alert.context.subjects if alert.context is not None else ()
    changed = [
        words.text(
            "reason.now_in_state", subject=each.subject_id, state=words.text(f"state.{each.state}")
        )
        for each in subjects
        if each.was is not None and each.state in _SETTLED
    ]
    return words.listed(changed) or words.text("reason.verification_changed")


def _ic_rose(alert: Alert, words: Catalogue) -> str:
    now = alert.statistics.ic_lower
    was = alert.previous.ic_lower if alert.previous is not None else None
    if now is None or was is None:
        return words.text("reason.ic_rose")
    return words.text("reason.ic_rose_by", difference=logarithm(now - was))


def _new_region(alert: Alert, words: Catalogue) -> str:
    before = alert.previous.regions if alert.previous is not None else None
    new = [] if before is None else [name for name in alert.regions if name not in before]
    if not new:
        return words.text("reason.new_region")
    return words.text(
        "reason.first_from", places=words.listed(words.text(f"region.{name}") for name in new)
    )


def _new_country(alert: Alert, words: Catalogue) -> str:
    changes = alert.context.changes if alert.context is not None else None
    if changes is None or not changes.countries_added:
        return words.text("reason.new_country")
    names = (country(code, words) for code in changes.countries_added)
    return words.text("reason.first_from", places=words.listed(names))


def _facts_withdrawn(alert: Alert, words: Catalogue) -> str:
    previous, changes = alert.previous, alert.context.changes if alert.context else None
    gone = []
    if previous is not None:
        if previous.any_fatal and alert.n_fatal == 0:
            gone.append(words.text("gone.fatal"))
        if previous.any_paediatric and alert.n_paediatric == 0:
            gone.append(words.text("gone.paediatric"))
        regions = [name for name in previous.regions or () if name not in alert.regions]
        gone += [words.text("gone.place", place=words.text(f"region.{name}")) for name in regions]
    if changes is not None:
        gone += [
            words.text("gone.place", place=country(code, words)) for code in changes.countries_gone
        ]
        gone += [words.text("gone.lot")] if changes.n_lots_gone else []
        gone += [words.text("gone.facility")] if changes.n_facilities_gone else []
    if not gone:
        return words.text("reason.facts_withdrawn")
    return words.text("reason.none_left", facts=words.text("form.or").join(gone))


_PHRASES: Mapping[AlertReason, Callable[[Alert, Catalogue], str]] = {
    _R.FIRST: _first,
    _R.CASES_RETRACTED: _cases_retracted,
    _R.NO_RULE_ON: _no_rule_on,
    _R.NO_LONGER_ALARM: _plain("no_longer_alarm"),
    _R.RULE_OFF: _rules("rule_off"),
    _R.RULE_DROPPED: _rules("rule_dropped"),
    _R.REOPENED: _reopened,
    _R.FIRST_FATAL: _first_fatal,
    _R.FIRST_DESIGNATED: _first_designated,
    _R.NOW_ALARM: _plain("now_alarm"),
    _R.EXPOSURE_ONGOING: _plain("exposure_ongoing"),
    _R.VERIFICATION_CHANGED: _verification_changed,
    _R.FURTHER_RULE: _rules("further_rule"),
    _R.MORE_CASES: _plain("more_cases"),
    _R.IC_ROSE: _ic_rose,
    _R.FIRST_PAEDIATRIC: _plain("first_paediatric"),
    _R.NEW_REGION: _new_region,
    _R.NEW_COUNTRY: _new_country,
    _R.NEW_LOT: _plain("new_lot"),
    _R.NEW_FACILITY: _plain("new_facility"),
    _R.FACTS_WITHDRAWN: _facts_withdrawn,
}
"""Every reason, so that a new one without a phrase fails its test."""
