"""The priority of an alert: its parts and weights as data, its total their weighted sum."""

import tomllib
from functools import cached_property, lru_cache
from importlib.resources import files
from math import fsum
from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.alert import Alert
from schemas.base import Message
from schemas.priority import Priority, PriorityLevel

__all__ = ["PriorityRules", "priority_of", "priority_rules", "read_priority_rules"]

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
        """Weights by name of the part."""
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


def priority_of(alert: Alert, rules: PriorityRules | None = None) -> Priority:
    """Return the priority of an alert, from what stands in it and nothing else."""
    table = rules or priority_rules()
    parts, weights = _values(alert, table.scales), table.by_part
    # Rounded once: what `sum` gives in its last digit depends on the version of Python.
    total = fsum(weight * (parts[name] or 0.0) for name, weight in weights.items())
    burst = alert.burst
    # A day of a system that names no senders is not a day of one source.
    burst_only = (
        burst is not None
        and burst.sender_stated
        and not (burst.rules_without or burst.rules_not_asked)
    )
    level = PriorityLevel.LOW
    if not burst_only and total >= table.levels.medium:
        level = PriorityLevel.HIGH if total >= table.levels.high else PriorityLevel.MEDIUM
    return Priority.trusted(
        {
            "total": min(total, 1.0),
            "level": level,
            "parts": parts,
            "weights": weights,
            "burst_only": burst_only,
        }
    )


def _values(alert: Alert, scales: _Scales) -> dict[str, float | None]:
    n, ic_lower = alert.counts.n_observed, alert.statistics.ic_lower
    recency = None
    if alert.last_received is not None:
        days = max((alert.evaluated_on - alert.last_received).days, 0)
        recency = 0.5 ** (days / scales.half_life_days)
    spread = None
    if alert.countries:
        spread = min((len(alert.countries) - 1) / (scales.countries - 1), 1.0)
    seriousness = None
    if n:
        serious = scales.serious_not_fatal * alert.n_serious / n
        seriousness = 1.0 if alert.n_fatal else serious
    professional = alert.n_by_professional
    return {
        "disproportionality": None
        if ic_lower is None
        else min(max(ic_lower / scales.ic_lower, 0.0), 1.0),
        "seriousness": seriousness,
        "verification": None if professional is None or n == 0 else professional / n,
        "recency": recency,
        "spread": spread,
        "completeness": None if alert.completeness is None else alert.completeness / 100,
    }
