"""The texts of an alert on a signal of disproportionate reporting.

Every text is a function of the alert and the language alone: the same alert gives the same bytes.
"""

from dataclasses import dataclass

from schemas.alert import Alert
from schemas.rule_outcome import RuleOutcome
from schemas.scrutiny import Burst, Restricted
from schemas.subscription import Tier
from streams.core.wording.catalogue import Catalogue, Language, capitalised, catalogue
from streams.core.wording.measures import (
    Printed,
    cases_clause,
    change_clause,
    excess_clause,
    measures_clause,
    odds_ratio,
)
from streams.core.wording.names import event_name, product_name, rule_name
from streams.core.wording.numbers import in_window
from streams.core.wording.signal_reasons import rules_in_words, what_happened
from streams.core.wording.signal_steps import next_step_text

__all__ = ["SignalTexts", "signal_texts"]

_MOST_IN_HEADLINE = 4  # reasons, so that it has at most 30 words; signals rarely have more


@dataclass(frozen=True, slots=True)
class SignalTexts:
    """Texts of one alert in one language.

    Attributes
    ----------
    headline
        Event, product and what happened; without a full stop.
    reason
        What happened.
    sentence
        The whole alert; begins with the headline.
    next_step
        What the assessor does next, and by when.
    caveat
        Limits of what the alert states.
    """

    headline: str
    reason: str
    sentence: str
    next_step: str
    caveat: str


def signal_texts(
    alert: Alert, language: Language = Language.ENGLISH, tier: Tier = Tier.AUTHORITY
) -> SignalTexts:
    """Return the texts of an alert.

    Parameters
    ----------
    tier
        `consumer` for texts that name no facility.
    """
    words = catalogue(language)
    printed = Printed(alert.rules, words)
    happened = what_happened(alert, words, tier)
    headline = words.text(
        "signal.headline",
        event=capitalised(event_name(alert.event, language)),
        product=product_name(alert.drug, language),
        what=words.clauses(happened[:_MOST_IN_HEADLINE]),
    )
    further = happened[_MOST_IN_HEADLINE:]
    sentence = words.sentences(
        [
            headline,
            words.text("signal.further", what=words.clauses(further)) if further else "",
            in_window(alert.window, words) + cases_clause(alert, words),
            excess_clause(alert, words),
            measures_clause(alert, printed, words),
            change_clause(alert, printed, words),
            rules_clause(alert, printed, words),
            _indication(alert.restricted, printed, alert, words),
            _burst(alert.burst, alert, words),
        ]
    )
    return SignalTexts(
        headline=headline,
        reason=words.clauses(happened),
        sentence=sentence,
        next_step=next_step_text(alert, words),
        caveat=words.text("caveat.signal"),
    )


def rules_clause(alert: Alert, printed: Printed, words: Catalogue) -> str:
    """Return the rules that are met, held, no longer met, and no longer asked."""
    was = set() if alert.previous is None else set(alert.previous.rules_fired)
    met = [rule for rule in alert.rules if rule.fired and not rule.held]
    held = [rule for rule in alert.rules if rule.held]
    off = [rule for rule in alert.rules if rule.name in was and not rule.fired]
    dropped = sorted(was - {rule.name for rule in alert.rules})
    parts = []
    if met:
        every = len(met) == len(alert.rules) > 1
        form = "rules.all_met" if every else "rules.met"
        parts.append(words.count(form, len(met), rules=rules_in_words(met, words)))
    if held:
        parts.append(words.text("rules.held", rules=rules_in_words(held, words)))
    if off:
        ended = [_ended(rule, printed, words) for rule in off]
        parts.append(words.text("rules.off", rules=words.listed(ended)))
    if dropped:
        names = words.listed(rule_name(name, "", words) for name in dropped)
        parts.append(words.text("rules.dropped", rules=names))
    return words.rules(parts)


def _ended(rule: RuleOutcome, printed: Printed, words: Catalogue) -> str:
    """Return a rule that is no longer met, with what passed its exit."""
    name = rule_name(rule.name, rule.title, words)
    passed = [
        words.text(
            "rules.past_exit",
            measure=words.find(f"exit.{each.statistic}") or each.statistic,
            value=words.text("measure.no_value")
            if each.value is None
            else printed.value(each.statistic, each.value),
            exit=printed.threshold(each.statistic, each.exit),
        )
        for each in rule.past_exit
    ]
    if not passed:
        return name
    if len(passed) == 1 and rule.past_exit[0].statistic in _OF_ITS_NAME.get(rule.name, ()):
        # The rule is called after its measure: `IC025 (-0.27, exit -0.25)`.
        measure = words.text(f"exit.{rule.past_exit[0].statistic}")
        passed = [passed[0].removeprefix(measure).strip()]
    return words.text("rules.ended", rule=name, passed=words.listed(passed))


_OF_ITS_NAME = {"ic": ("ic_lower",), "eb05": ("eb05",)}


def _indication(
    restricted: Restricted | None, printed: Printed, alert: Alert, words: Catalogue
) -> str:
    if restricted is None:
        return ""
    return words.text(
        "scrutiny.indication",
        n=f"{restricted.counts.n_total:,}",
        name=words.find(f"indication.{restricted.indication}") or restricted.indication,
        cases=words.count("scrutiny.there_is", restricted.counts.n_observed),
        ror=odds_ratio(restricted.counts, restricted.statistics, printed, words),
        verdict=words.text("scrutiny.met" if restricted.supported else "scrutiny.not_met"),
        not_asked=_not_asked(restricted.rules_not_asked, alert, words),
    )


def _burst(burst: Burst | None, alert: Alert, words: Catalogue) -> str:
    if burst is None:
        return ""
    n = burst.counts_without.n_observed + burst.n_cases
    cases = (
        words.count("scrutiny.all_cases", n)
        if burst.n_cases == n
        else words.text("scrutiny.some_cases", k=f"{burst.n_cases:,}", n=f"{n:,}")
    )
    without = _named(burst.rules_without, alert, words)
    return words.text(
        "scrutiny.burst",
        cases=cases,
        day=burst.received.isoformat(),
        sender=words.text("scrutiny.one_sender" if burst.sender_stated else "scrutiny.no_senders"),
        verdict=words.text("scrutiny.these_met", rules=without)
        if without
        else words.text("scrutiny.not_met"),
        not_asked=_not_asked(burst.rules_not_asked, alert, words),
    )


def _not_asked(names: tuple[str, ...], alert: Alert, words: Catalogue) -> str:
    rules = _named(names, alert, words)
    return words.text("scrutiny.not_asked", rules=rules) if rules else ""


def _named(names: tuple[str, ...], alert: Alert, words: Catalogue) -> str:
    return rules_in_words([rule for rule in alert.rules if rule.name in names], words)
