"""Change of the rules that signals are made with: one notice to every subscriber."""

from datetime import date
from typing import Literal

from pydantic import Field

from schemas.alert_reason import SignalGrade
from schemas.base import Message
from schemas.strata import Strata

__all__ = ["DetectorRules", "PublishedRule", "RulesChange"]


class PublishedRule(Message):
    """One signal rule, in words."""

    name: str = Field(description="Name of the rule.")
    grade: SignalGrade = Field(description="Grade of the signals on which it is on.")
    sentence: str = Field(description="The rule in words, with its exact inequalities.")
    exit_sentence: str = Field(description="Exit condition once it is on.")


class DetectorRules(Message):
    """What decides which signals a detector publishes, apart from the reports."""

    rules_hash: str = Field(description="SHA-256 of the rules, as in alerts.")
    policy_hash: str = Field(description="SHA-256 of the re-alert policy, as in alerts.")
    rules: tuple[PublishedRule, ...] = Field(description="The rules, sorted by name.")
    windows: tuple[str, ...] | None = Field(
        default=None,
        description="Windows as `tocsin run --window` takes them, sorted. Null if the rules are "
        "known from alerts of an earlier version only: then neither windows nor priors are "
        "compared.",
    )
    strata: Strata | None = Field(
        default=None, description="Strata of the adjusted and blocked statistics, as in alerts."
    )
    prior: str | None = Field(
        default=None,
        description="Id of the prior of EBGM that was given, or `every N days` if it is refitted; "
        "null if no rule needs one.",
    )
    prior_adjusted: str | None = Field(
        default=None, description="The same of the prior of EBGM within strata."
    )


class RulesChange(Message):
    """A change of the rules that signals are made with, published once on `pv.alerts`.

    It holds no data of cases, so every tier gets it whole. The first record on `pv.rules` has no
    `previous`, and is not published on `pv.alerts`.
    """

    schema_version: Literal["1.0"] = Field(
        default="1.0", description="Version of this schema; additive within a major number."
    )
    change_id: str = Field(
        description="Unique to this change, derived from its number and both sets of rules: a "
        "repeat is recognisable for ever."
    )
    number: int = Field(ge=1, description="1, 2, 3 ... on `pv.rules`, without gaps.")
    sentence: str = Field(description="The change in plain words.")
    changed_on: date | None = Field(
        description="Last day of receipt that was counted when they changed; null if none was."
    )
    previous: DetectorRules | None = Field(description="The rules before; null in the first.")
    now: DetectorRules = Field(description="The rules from now on.")
    rules_added: tuple[str, ...] = Field(default=(), description="Names of new rules, sorted.")
    rules_removed: tuple[str, ...] = Field(default=(), description="Names of rules that are gone.")
    rules_changed: tuple[str, ...] = Field(
        default=(), description="Names of rules with another grade, inequality or exit."
    )
    windows_added: tuple[str, ...] = Field(default=(), description="New windows, sorted.")
    windows_removed: tuple[str, ...] = Field(default=(), description="Windows that are gone.")
    settings_changed: tuple[str, ...] = Field(
        default=(),
        description="What differs: `rules`, `policy`, `windows`, `strata`, `prior`, "
        "`prior_adjusted`. `rules` without a name above: a list that a rule names.",
    )
    code_version: str = Field(description="Version of Tocsin that changed them.")
