"""Recomputes the priority of alerts, from recounted values and from the revisions in order.

Shares with the stream the parameters (`priority.toml`), and no code that computes. The thresholds
of the levels are taken as published: they depend on the other signals of the site.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl

from schemas.alert import Alert, SignalGrade, WindowKind
from schemas.priority import PriorityLevel
from schemas.scrutiny import ExplainedBy
from streams.core.alerts.priority import priority_rules
from streams.core.recount.evidence import naming
from streams.core.recount.strata import comparators_within
from streams.core.signals.signal_key import names_of_key

__all__ = ["PRIORITY", "Priorities"]

PRIORITY = (
    *("first_alert_on", "first_alarm_on", "n_drug_recent", "n_comparators"),
    *(f"priority.{name}" for name in ("parts", "factors", "score", "total", "level")),
)
"""Recounted fields."""

_EPOCH = date(1970, 1, 1)
_Days = tuple[date | None, date | None]


class Priorities:
    """Priorities of signals, one revision after the other.

    Of a revision whose predecessor was not among those asked for, its first days are taken as
    published.
    """

    def __init__(self) -> None:
        self._latest: dict[str, tuple[int, _Days]] = {}  # revision, first days; by signal

    def values(
        self,
        alert: Alert,
        within: pl.DataFrame,
        statistics: Mapping[str, Any],
        n_serious: int,
        grade: SignalGrade,
        explained_by: Sequence[ExplainedBy] | None,
    ) -> dict[str, object]:
        """Return the expected values of an alert by field, of the fields that it has.

        Parameters
        ----------
        within
            The cases of the window: `day`, `band`, `sex`, `drugs`, `events`.
        statistics, n_serious, grade, explained_by
            Recounted values of the pair; the published grade if the rules are not known.
        """
        if alert.priority is None or alert.priority.score is None:  # of an older version
            return {}
        first_alert, first_alarm = first = self._first_days(alert, grade)
        self._latest[alert.signal_key] = alert.revision, first
        recent = _recent(alert, within)
        table = priority_rules()
        seriousness = (2 * n_serious + 1) / (2 * alert.counts.n_observed + 2)
        newness = (
            recent / alert.counts.n_drug if recent is not None and alert.counts.n_drug else None
        )
        freshness = _freshness(alert, first_alert if first_alarm is None else first_alarm)
        of_grade = table.grade.alarm if grade is SignalGrade.ALARM else table.grade.screening
        others = _comparators(alert, within)
        evidence = _evidence(alert, statistics, others)
        explained = None if explained_by is None else _share(explained_by)
        factors = {
            "evidence": 1.0 if evidence is None else evidence,
            "seriousness": table.seriousness.least + seriousness,
            "newness": 1.0 if newness is None else 1 + table.newness.gain * newness,
            "freshness": 1.0 if freshness is None else table.freshness.least + freshness,
            "grade": of_grade,
            "explained": 1.0 if explained is None else 1 - table.explained.weight * explained,
            "listed": 1.0,
        }
        score = 1.0
        for factor in factors.values():
            score *= factor
        parts = (evidence, seriousness, newness, freshness, of_grade, explained, None)
        total = score / (1 + score)
        return {
            "first_alert_on": first_alert,
            "first_alarm_on": first_alarm,
            "n_drug_recent": recent,
            "n_comparators": others,
            "priority.parts": dict(zip(factors, parts, strict=True)),
            "priority.factors": factors,
            "priority.score": score,
            "priority.total": total,
            "priority.level": _level(alert, total),
        }

    def _first_days(self, alert: Alert, grade: SignalGrade) -> _Days:
        if alert.revision == 1:
            first: date | None = alert.evaluated_on
            alarm = None
        else:
            revision, days = self._latest.get(alert.signal_key, (0, (None, None)))
            if revision != alert.revision - 1:
                return alert.first_alert_on, alert.first_alarm_on
            first, alarm = days
        if alarm is None and first is not None and grade is SignalGrade.ALARM:
            alarm = alert.evaluated_on
        return first, alarm


def _freshness(alert: Alert, known_on: date | None) -> float | None:
    if known_on is None:
        return None
    age = (alert.evaluated_on - known_on).days
    half_life: float = priority_rules().freshness.half_life_days
    return float(2 ** (-age / half_life))


def _share(products: Sequence[ExplainedBy]) -> float:
    return max((one.share for one in products), default=0.0)


def _recent(alert: Alert, within: pl.DataFrame) -> int | None:
    if alert.window.kind is not WindowKind.CUMULATIVE:
        return None
    drug, _ = names_of_key(alert.signal_key)
    since = alert.evaluated_on - timedelta(days=priority_rules().newness.days)
    after, until = ((day - _EPOCH).days for day in (since, alert.evaluated_on))
    received = (pl.col("day") > after) & (pl.col("day") <= until)
    return within.filter(received & naming("drugs", drug)).height


def _comparators(alert: Alert, within: pl.DataFrame) -> int | None:
    if alert.n_comparators is None:  # of an older version
        return None
    return comparators_within(within, *names_of_key(alert.signal_key))


def _evidence(alert: Alert, statistics: Mapping[str, Any], comparators: int | None) -> float | None:
    least = priority_rules().evidence.comparators * alert.counts.n_observed
    within_strata = comparators is None or comparators >= least
    adjusted = within_strata and None not in (
        statistics["ic_adjusted"],
        statistics["ic_lower_adjusted"],
    )
    suffix = "_adjusted" if adjusted else ""
    ic: float | None = statistics[f"ic{suffix}"]
    lower: float | None = statistics[f"ic_lower{suffix}"]
    if ic is None or lower is None:
        return None
    chance: float = priority_rules().evidence.chance
    if lower > 0:
        return chance if ic < chance else float(ic)
    return chance * 2 ** float(lower)


def _level(alert: Alert, total: float) -> object:
    """Return the level of a total by the thresholds of the alert; low if it is of one burst."""
    priority = alert.priority
    assert priority is not None
    assert priority.thresholds is not None
    burst = alert.burst
    if (
        burst is not None
        and burst.sender_stated
        and not any((burst.rules_without, burst.rules_not_asked))
    ):
        return PriorityLevel.LOW
    for level in (PriorityLevel.HIGH, PriorityLevel.MEDIUM):
        if total > 0 and total >= priority.thresholds[level.value]:
            return level
    return PriorityLevel.LOW
