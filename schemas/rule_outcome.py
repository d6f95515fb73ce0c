"""Outcome of one signal rule on one pair, as alerts carry it."""

from pydantic import Field

from schemas.alert_reason import SignalGrade
from schemas.base import Message

__all__ = ["Fragility", "PastExit", "RuleOutcome", "Threshold"]


class Threshold(Message):
    """A comparison of a rule: a statistic, and the numbers at which the rule enters and exits."""

    statistic: str = Field(
        description="Name of the statistic: a count of `counts`, or a field of `statistics`."
    )
    op: str = Field(description="The inequality: `>=`, `>`, `<=` or `<`.")
    value: float = Field(description="Number it is compared with.")
    exit: float = Field(
        description="Bound that keeps the rule on once it fired; equal to `value` without one."
    )


class PastExit(Message):
    """A statistic past the exit of a rule, which is no longer on for that."""

    statistic: str = Field(description="Name of the statistic, as in `Threshold`.")
    value: float | None = Field(description="Its value; null if it is undefined.")
    exit: float = Field(description="The bound that it passed.")


class Fragility(Message):
    """Fewest of the pair's own cases, sources, lots or links whose removal turns a rule off.

    A removed case leaves the four counts, its stratum and its day. The rule is off if its exit is
    passed then.
    """

    cases: int | None = Field(
        ge=1, description="Fewest cases; null if the removal of all does not turn it off."
    )
    sources: int | None = Field(
        ge=1, description="Fewest sources, all cases of each removed; null likewise."
    )
    lots: int | None = Field(
        ge=1,
        description="Fewest lots, all cases that state one of them removed; null likewise, or if "
        "no case states a lot.",
    )
    links: int | None = Field(
        ge=1,
        description="Fewest suspected duplicates that, each confirmed as a duplicate, turn it off; "
        "never more than `n_suspected_duplicates`; null if all of them do not.",
    )
    at_most: tuple[str, ...] = Field(
        default=(),
        description="Which of the four numbers are upper bounds, and not known to be the fewest.",
    )


class RuleOutcome(Message):
    """Outcome of one signal rule: its thresholds, its exit, and whether it is on.

    A rule fires when its inequalities hold. It is on from then until it passes its exit.
    """

    name: str = Field(description="Name of the rule.")
    title: str = Field(
        default="", description="What it is called in its source; empty in older alerts."
    )
    sentence: str = Field(description="The rule in words, with its exact inequalities.")
    exit_sentence: str = Field(
        description="Exit condition once it is on; an undefined statistic ends it as well."
    )
    fired: bool = Field(description="Whether it is on now.")
    held: bool = Field(
        description="Whether it does not fire now and is on only because its exit is not passed."
    )
    grade: SignalGrade = Field(
        default=SignalGrade.ALARM,
        description="Grade of the signals on which it is on; `alarm` in alerts without the field.",
    )
    thresholds: tuple[Threshold, ...] = Field(
        default=(), description="Its comparisons; a condition on a list has none."
    )
    past_exit: tuple[PastExit, ...] = Field(
        default=(),
        description="What ended it, if it was on in the revision that this one replaces: each "
        "statistic past its exit.",
    )
    fragility: Fragility | None = Field(
        default=None,
        description="How few removals turn it off; null if it is off, and in older alerts.",
    )
