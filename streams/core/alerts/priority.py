"""Priority of a signal: the product of its parts (parameters as data), and its urgency.

The total in an alert is of its day. `priority_on` recomputes it for another day from the fields of
the alert alone, since a signal loses freshness while nothing else happens to it.
"""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from functools import lru_cache
from importlib.resources import files
from math import prod
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from schemas.alert import Alert, AlertKind, AlertReason, SignalGrade
from schemas.base import Message
from schemas.priority import Priority, PriorityLevel
from schemas.scrutiny import ExplainedBy

__all__ = [
    "PriorityRules",
    "evidence",
    "freshness_factor",
    "is_urgent",
    "level_thresholds",
    "priority_on",
    "priority_rules",
    "read_priority_rules",
]

_URGENT = {AlertReason.FIRST_FATAL, AlertReason.FIRST_DESIGNATED}
_RESERVED = ("listed",)  # parts that nobody computes yet
_Share = Annotated[float, Field(ge=0, le=1)]
_Positive = Annotated[float, Field(gt=0)]


class _Evidence(Message):
    comparators: float = Field(
        ge=0,
        description="Fewest cases without the drug in the strata of the pair, for each of its "
        "own; with fewer the crude information component counts.",
    )
    chance: _Share = Field(
        description="Times the lower bound of observed over expected, where that is not above 1."
    )


class _Seriousness(Message):
    least: _Share = Field(description="Factor without a serious case, and many cases.")


class _Newness(Message):
    gain: float = Field(ge=0, description="Times the share of recent cases of the product.")
    days: int = Field(gt=0, description="Up to the day of evaluation, in which a case is recent.")


class _Freshness(Message):
    least: _Share = Field(description="Factor of a signal that is long known.")
    half_life_days: _Positive = Field(description="In which the rest halves.")


class _Grade(Message):
    alarm: _Positive = Field(description="Factor of an alarm.")
    screening: _Positive = Field(description="Factor of a signal of the screening.")


class _Explained(Message):
    weight: float = Field(ge=0, lt=1, description="Times the share of cases, taken off 1.")


class _Levels(Message):
    high_share: _Share = Field(description="Of the totals of the last year that are `high`.")
    medium_share: _Share = Field(description="Likewise `medium`.")
    of_days: int = Field(gt=0, description="Days in which a signal was revised to be counted.")
    fewest_signals: int = Field(gt=0, description="With fewer, the fixed thresholds are used.")
    high: _Share = Field(description="Least total, fixed.")
    medium: _Share = Field(description="Least total, fixed.")


class PriorityRules(Message):
    """The table of `priority.toml`."""

    evidence: _Evidence = Field(description="Information component of the pair.")
    seriousness: _Seriousness = Field(description="Serious cases of the pair.")
    newness: _Newness = Field(description="Recent cases of the product.")
    freshness: _Freshness = Field(description="Days since the first alert of the signal.")
    grade: _Grade = Field(description="Grade of the signal.")
    explained: _Explained = Field(description="Cases that name a product that explains the pair.")
    levels: _Levels = Field(description="Levels of the total.")


def read_priority_rules(text: str) -> PriorityRules:
    """Read the table from TOML."""
    return PriorityRules.model_validate(tomllib.loads(text), strict=False)


@lru_cache(maxsize=1)
def priority_rules() -> PriorityRules:
    """Return the table that is shipped."""
    return read_priority_rules(
        files("streams.core.alerts").joinpath("priority.toml").read_text(encoding="utf-8")
    )


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


def level_thresholds(
    totals: Sequence[float] | npt.NDArray[np.float64], rules: PriorityRules | None = None
) -> dict[str, float]:
    """Return the least total of the levels `high` and `medium`.

    Parameters
    ----------
    totals
        Of the signals of the site that were revised in the last year.
    """
    levels = (rules or priority_rules()).levels
    if len(totals) < levels.fewest_signals:
        return {"high": levels.high, "medium": levels.medium}
    above = (levels.high_share, levels.high_share + levels.medium_share)
    # A total that occurs, not one between two: quantiles then need no arithmetic.
    high, medium = np.quantile(totals, [1 - share for share in above], method="higher").tolist()
    return {"high": high, "medium": medium}


def priority_on(
    alert: Alert,
    day: date,
    thresholds: Mapping[str, float] | None = None,
    rules: PriorityRules | None = None,
) -> Priority:
    """Return the priority of a signal on a day, from the fields of its latest alert.

    It differs from that in the alert by freshness alone, and by the level that follows from it. An
    alert of an older version, whose total was a weighted sum, gets a total of the present form.

    Parameters
    ----------
    thresholds
        Result of `level_thresholds`; None: those in the alert, or the fixed ones.
    """
    table = rules or priority_rules()
    parts = _parts(alert, day, table)
    factors = _factors(parts, table)
    score = prod(factors.values())
    total = score / (1 + score)
    stated = thresholds or (alert.priority and alert.priority.thresholds)
    least = dict(stated or level_thresholds((), table))
    burst = alert.burst
    # A day of a system that names no senders is not a day of one source.
    burst_only = (
        burst is not None
        and burst.sender_stated
        and not (burst.rules_without or burst.rules_not_asked)
    )
    level = PriorityLevel.LOW
    if not burst_only and total > 0 and total >= least["medium"]:
        level = PriorityLevel.HIGH if total >= least["high"] else PriorityLevel.MEDIUM
    return Priority.model_construct(
        total=total,
        level=level,
        parts=parts,
        weights={},
        burst_only=burst_only,
        score=score,
        factors=factors,
        thresholds=least,
    )


def freshness_factor(known_on: date, day: date, rules: PriorityRules | None = None) -> float:
    """Return the factor of freshness on a day, of a signal that is known since another."""
    freshness = (rules or priority_rules()).freshness
    return _fresh(known_on, day, freshness.half_life_days) + freshness.least


def _fresh(known_on: date, day: date, half_life: float) -> float:
    return float(2 ** (-max((day - known_on).days, 0) / half_life))


def _parts(alert: Alert, day: date, table: PriorityRules) -> dict[str, float | None]:
    newness = freshness = None
    if alert.n_drug_recent is not None and alert.counts.n_drug:
        newness = alert.n_drug_recent / alert.counts.n_drug
    first = alert.first_alarm_on or alert.first_alert_on
    if first is not None:
        freshness = _fresh(first, day, table.freshness.half_life_days)
    is_alarm = alert.grade is SignalGrade.ALARM
    return {
        "evidence": evidence(
            alert.statistics.__dict__,
            table,
            within_strata=alert.n_comparators is None
            or alert.n_comparators >= table.evidence.comparators * alert.counts.n_observed,
        ),
        "seriousness": (alert.n_serious + 0.5) / (alert.counts.n_observed + 1),
        "newness": newness,
        "freshness": freshness,
        "grade": table.grade.alarm if is_alarm else table.grade.screening,
        "explained": _explained(alert.explained_by),
        **dict.fromkeys(_RESERVED),
    }


def evidence(
    statistics: Mapping[str, float | None], rules: PriorityRules, *, within_strata: bool
) -> float | None:
    """Return the information component within strata, else the crude one.

    Where its lower bound is not above 0 it may be chance: then a small share of that bound, as the
    ratio of observed to expected, so that such signals keep an order below the others.

    Parameters
    ----------
    statistics
        By field of `schemas.tables.Statistics`.
    within_strata
        Whether the strata hold enough cases without the drug to compare with.
    """
    for suffix in ("_adjusted", "") if within_strata else ("",):
        ic, lower = statistics[f"ic{suffix}"], statistics[f"ic_lower{suffix}"]
        if ic is not None and lower is not None:
            chance = rules.evidence.chance
            return max(ic, chance) if lower > 0 else chance * 2**lower
    return None


def _explained(products: Sequence[ExplainedBy] | None) -> float | None:
    """Return the share of cases that name the product that explains most; None if not asked."""
    return None if products is None else max((one.share for one in products), default=0.0)


def _factors(parts: Mapping[str, float | None], table: PriorityRules) -> dict[str, float]:
    """Return the factor of each part; a part that is not stated drops out."""
    found = dict.fromkeys(parts, 1.0)
    for name, value in parts.items():
        if value is None:
            continue
        if name == "seriousness":
            value += table.seriousness.least
        elif name == "newness":
            value = 1 + table.newness.gain * value
        elif name == "freshness":
            value += table.freshness.least
        elif name == "explained":
            value = 1 - table.explained.weight * value
        found[name] = value
    return found
