"""Outcomes of the rules on a pair, with their thresholds and what ended them."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from detectors.rules import Rule, RuleSet
from schemas.alert import Previous
from schemas.rule_outcome import Fragility, PastExit, RuleOutcome, Threshold

__all__ = ["RuleOutcomes"]


class RuleOutcomes:
    """Outcomes of one set of rules."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules.rules
        self._plain = lru_cache(self._outcomes)

    def of(
        self,
        values: Mapping[str, Any],
        *,
        on: int,
        held: int,
        previous: Previous | None,
        fragility: Mapping[int, Fragility],
    ) -> tuple[RuleOutcome, ...]:
        """Return the outcomes on a pair, in the order of the rules.

        Parameters
        ----------
        values
            Statistics and counts of the pair by name, unbounded ones infinite, and its `drug` and
            `event` as counted.
        on, held
            Bits of the rules that are on, and of those that are on and do not fire.
        previous
            The revision that is replaced: a rule that was on in it says what ended it.
        fragility
            Of each rule that is on, by its bit.
        """
        outcomes = tuple(
            outcome.model_copy(update={"fragility": fragility[bit]})
            if bit in fragility
            else outcome
            for bit, outcome in enumerate(self._plain(on, held))
        )
        was = () if previous is None else previous.rules_fired
        if all(each.fired or each.name not in was for each in outcomes):
            return outcomes
        return tuple(
            outcome
            if outcome.fired or outcome.name not in was or not rule.statistics <= values.keys()
            else outcome.model_copy(update={"past_exit": _past_exit(rule, values)})
            for rule, outcome in zip(self._rules, outcomes, strict=True)
        )

    def _outcomes(self, on: int, held: int) -> tuple[RuleOutcome, ...]:
        return tuple(
            RuleOutcome(
                name=rule.name,
                title=rule.title,
                grade=rule.grade,
                sentence=rule.sentence,
                exit_sentence=rule.exit_sentence,
                fired=bool(on >> bit & 1),
                held=bool(held >> bit & 1),
                thresholds=tuple(
                    Threshold(
                        statistic=each.statistic, op=each.op, value=each.value, exit=each.exit_bound
                    )
                    for each in rule.comparisons
                ),
            )
            for bit, rule in enumerate(self._rules)
        )


def _past_exit(rule: Rule, values: Mapping[str, Any]) -> tuple[PastExit, ...]:
    """Return the statistics past the exit of a rule, each once."""
    ended = {each.statistic: each for each in rule.past_exit(values)}
    return tuple(
        PastExit(
            statistic=name,
            value=value if value is None or math.isfinite(value) else None,
            exit=each.exit_bound,
        )
        for name, each in ended.items()
        for value in (values[name],)
    )
