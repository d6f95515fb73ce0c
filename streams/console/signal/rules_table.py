"""Rows of the table of rules: inequality, value now, exit, and what would turn each rule off."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from schemas.alert import Alert
from schemas.rule_outcome import RuleOutcome
from streams.core.wording.catalogue import Language, catalogue
from streams.core.wording.measures import Printed
from streams.core.wording.names import rule_name

__all__ = ["Removal", "RuleRow", "rule_rows"]


@dataclass(frozen=True, slots=True)
class Removal:
    """Fewest removals of one kind that turn a rule off.

    Attributes
    ----------
    what
        `cases`, `sources`, `lots` or `links`.
    n
        How many; None if the removal of all does not turn it off.
    at_most
        Whether it is an upper bound, and not known to be the fewest.
    """

    what: str
    n: int | None
    at_most: bool


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule.

    Attributes
    ----------
    state
        `met`, `held` (on, below its threshold but not past its exit) or `off`.
    condition, ends
        The rule and its exit as published, in English.
    values
        Each statistic that it compares, and its value now; None where it has no value.
    removals
        What would turn it off; none if it is off, or nobody computed it.
    on_since
        Day since which it is on; None if it is off.
    """

    name: str
    state: str
    grade: str
    condition: str
    ends: str
    values: tuple[tuple[str, str | None], ...]
    removals: tuple[Removal, ...]
    on_since: date | None


def rule_rows(alerts: Sequence[Alert], language: Language) -> tuple[RuleRow, ...]:
    """Return the rules of the last of the revisions of a signal, in the order of the rule set."""
    alert, words = alerts[-1], catalogue(language)
    printed = Printed(alert.rules, words)
    return tuple(
        RuleRow(
            name=rule_name(rule.name, rule.title, words),
            state="held" if rule.held else "met" if rule.fired else "off",
            grade=rule.grade.value,
            condition=_in_signs(rule.sentence.partition(": ")[2] or rule.sentence),
            ends=_in_signs(rule.exit_sentence),
            values=tuple(
                (
                    words.find(f"exit.{each.statistic}") or each.statistic,
                    _value(alert, each.statistic, printed),
                )
                for each in rule.thresholds
            ),
            removals=_removals(rule),
            on_since=_on_since(alerts, rule.name) if rule.fired else None,
        )
        for rule in alert.rules
    )


def _in_signs(text: str) -> str:
    """Return an inequality with its signs as printed.

    >>> _in_signs("PRR >= 2 and cases >= 3")
    'PRR ≥ 2 and cases ≥ 3'
    """
    return text.replace(">=", "\N{GREATER-THAN OR EQUAL TO}").replace(
        "<=", "\N{LESS-THAN OR EQUAL TO}"
    )


def _value(alert: Alert, statistic: str, printed: Printed) -> str | None:
    source = alert.counts if hasattr(alert.counts, statistic) else alert.statistics
    value: float | None = getattr(source, statistic, None)
    return None if value is None else printed.value(statistic, value)


def _removals(rule: RuleOutcome) -> tuple[Removal, ...]:
    fragility = rule.fragility
    if fragility is None:
        return ()
    return tuple(
        Removal(what, getattr(fragility, what), what in fragility.at_most)
        for what in ("cases", "sources", "lots", "links")
    )


def _on_since(alerts: Sequence[Alert], name: str) -> date:
    since = alerts[-1].evaluated_on
    for alert in reversed(alerts):
        if name not in alert.rules_fired:
            break
        since = alert.evaluated_on
    return since
