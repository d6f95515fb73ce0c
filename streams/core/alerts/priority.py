"""Priority of an alert, a weighted sum of parts (weights as data), and its urgency."""

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from importlib.resources import files
from math import fsum
from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.alert import AlertKind, AlertReason
from schemas.base import Message
from schemas.priority import Priority, PriorityLevel
from schemas.scrutiny import Burst

__all__ = [
    "PriorityFacts",
    "PriorityRules",
    "is_urgent",
    "priority_of",
    "priority_rules",
    "read_priority_rules",
]

_URGENT = {AlertReason.FIRST_FATAL, AlertReason.FIRST_DESIGNATED}
_Share = Annotated[float, Field(ge=0, le=1)]


class _Weights(Message):
    disproportionality: _Share = Field(description="IC025.")
    seriousness: _Share = Field(description="Serious and fatal cases.")
    verification: _Share = Field(description="Share of cases by health professionals.")
    recency: _Share = Field(description="Days since the latest case.")
    spread: _Share = Field(description="Countries.")
    completeness: _Share = Field(description="Median completeness of the reports.")

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        if abs(sum(self.model_dump().values()) - 1) > 1e-9:
            msg = "weights must sum to 1"
            raise ValueError(msg)
        return self


class _Scales(Message):
    ic_lower: float = Field(gt=0, description="IC025 that is full [log2 units].")
    half_life_days: float = Field(gt=0, description="Of recency.")
    countries: int = Field(ge=2, description="Countries that are full.")
    serious_not_fatal: _Share = Field(description="Value if all cases are serious, none fatal.")


class _Levels(Message):
    high: _Share = Field(description="Least total.")
    medium: _Share = Field(description="Least total.")


class PriorityRules(Message):
    """The table of `priority.toml`."""

    weights: _Weights = Field(description="Of the parts; they sum to 1.")
    scales: _Scales = Field(description="What each part is full at.")
    levels: _Levels = Field(description="Thresholds of the total.")

    @cached_property
    def by_part(self) -> dict[str, float]:
        """Return the weights by name of the part."""
        weights: dict[str, float] = self.weights.model_dump()
        return weights


def read_priority_rules(text: str) -> PriorityRules:
    """Read the table from TOML."""
    return PriorityRules.model_validate(tomllib.loads(text), strict=False)


@lru_cache(maxsize=1)
def priority_rules() -> PriorityRules:
    """Return the table that is shipped."""
    return read_priority_rules(
        files("streams.core.alerts").joinpath("priority.toml").read_text(encoding="utf-8")
    )


@dataclass(frozen=True, slots=True)
class PriorityFacts:
    """Fields of an alert that determine its priority."""

    n_observed: int
    ic_lower: float | None
    n_serious: int
    n_fatal: int
    n_by_professional: int | None
    countries: Collection[str] | None
    completeness: float | None
    evaluated_on: date
    last_received: date | None
    burst: Burst | None


def is_urgent(
    kind: AlertKind, reasons: Collection[AlertReason], n_fatal: int, *, designated: bool
) -> bool:
    """Return whether a revision is urgent and bypasses every digest.

    A signal that becomes an alarm is urgent on the terms of a new one: for most subscribers it is.

    Parameters
    ----------
    designated
        Whether the policy designates its event, or a term of one of its cases.
    """
    if kind is AlertKind.NEW or AlertReason.NOW_ALARM in reasons:
        return n_fatal > 0 or designated
    return kind is AlertKind.STRENGTHENED and not _URGENT.isdisjoint(reasons)


def priority_of(facts: PriorityFacts, rules: PriorityRules | None = None) -> Priority:
    """Return the priority of an alert, which depends only on these fields."""
    table = rules or priority_rules()
    parts, weights = _values(facts, table.scales), table.by_part
    # Rounded once: the last digit of `sum` depends on the version of Python.
    total = fsum(weight * (parts[name] or 0.0) for name, weight in weights.items())
    burst = facts.burst
    # A day of a system that names no senders is not a day of one source.
    burst_only = (
        burst is not None
        and burst.sender_stated
        and not (burst.rules_without or burst.rules_not_asked)
    )
    level = PriorityLevel.LOW
    if not burst_only and total >= table.levels.medium:
        level = PriorityLevel.HIGH if total >= table.levels.high else PriorityLevel.MEDIUM
    return Priority.model_construct(
        total=min(total, 1.0), level=level, parts=parts, weights=weights, burst_only=burst_only
    )


def _values(facts: PriorityFacts, scales: _Scales) -> dict[str, float | None]:
    n, ic_lower = facts.n_observed, facts.ic_lower
    recency = None
    if facts.last_received is not None:
        days = max((facts.evaluated_on - facts.last_received).days, 0)
        recency = 0.5 ** (days / scales.half_life_days)
    spread = None
    if facts.countries:
        spread = min((len(facts.countries) - 1) / (scales.countries - 1), 1.0)
    seriousness = None
    if n:
        serious = scales.serious_not_fatal * facts.n_serious / n
        seriousness = 1.0 if facts.n_fatal else serious
    professional = facts.n_by_professional
    return {
        "disproportionality": None
        if ic_lower is None
        else min(max(ic_lower / scales.ic_lower, 0.0), 1.0),
        "seriousness": seriousness,
        "verification": None if professional is None or n == 0 else professional / n,
        "recency": recency,
        "spread": spread,
        "completeness": None if facts.completeness is None else facts.completeness / 100,
    }
