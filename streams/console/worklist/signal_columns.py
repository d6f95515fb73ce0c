"""Columns of the live frame: what the worklist filters, sorts and folds signals by."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from math import log
from typing import Any

import polars as pl

from schemas.alert import SignalGrade
from schemas.subscription import Tier
from streams.console.rows.products import searched_names
from streams.core.alerts.priority import level_thresholds, priority_rules
from streams.delivery.matching import category_of, fading_of, is_on
from streams.delivery.tiers import Copy

__all__ = [
    "MENTIONS",
    "NOT_STATED",
    "SIGNALS",
    "STATED",
    "StoredCopy",
    "mentions_of",
    "priority_columns",
    "signals_of",
    "story_of",
]

SIGNALS = pl.Schema(
    {
        "key": pl.String,
        "story": pl.String,  # event and window; signals of one story may rest on the same cases
        "sequence": pl.Int64,
        "revision": pl.Int64,
        "alert_id": pl.String,
        "kind": pl.String,
        "category": pl.String,
        "grade": pl.String,
        "urgent": pl.Boolean,
        "is_on": pl.Boolean,
        "day": pl.Date,
        "due": pl.Date,
        "event": pl.String,
        "searched": pl.String,
        "verification": pl.String,
        "n_cases": pl.Int64,
        "n_serious": pl.Int64,
        "n_fatal": pl.Int64,
        "expected": pl.Float64,
        "ic": pl.Float64,
        "ic_lower": pl.Float64,
        "is_explained": pl.Boolean,
        "published_total": pl.Float64,
        "published_level": pl.String,
        "rest": pl.Float64,  # score of the priority without freshness; null where it does not fade
        "known_on": pl.Date,
        "least_high": pl.Float64,
        "least_medium": pl.Float64,
        "burst_only": pl.Boolean,
    }
)
MENTIONS = pl.Schema({"key": pl.String, "story": pl.String, "case": pl.String})
"""Cases that signals name: one row a signal and case."""
STATED, NOT_STATED = "by_professional", "not_stated"
"""Verification of a signal: whether any of its cases states a health professional as reporter."""


@dataclass(frozen=True, slots=True)
class StoredCopy:
    """A copy of a tier, as the read model stores it.

    Attributes
    ----------
    sequence
        Its position: later copies have higher ones.
    day
        Day of evaluation, as the tier knows days.
    """

    sequence: int
    day: date
    copy: Copy


def signals_of(stored: Iterable[StoredCopy]) -> pl.DataFrame:
    """Return the columns of copies."""
    rows = [_row(one) for one in stored]
    return pl.DataFrame(rows, schema=SIGNALS, orient="row")


def mentions_of(stored: Iterable[StoredCopy]) -> pl.DataFrame:
    """Return the cases that copies of signals of disproportionate reporting name."""
    named = [
        (one.copy["signal_key"], story_of(one.copy), one.copy["case_ids"])
        for one in stored
        if "category" not in one.copy and one.copy.get("case_ids")
    ]
    schema = {**MENTIONS, "case": pl.List(pl.String)}
    return pl.DataFrame(named, schema=schema, orient="row").explode("case")


def story_of(copy: Copy) -> str:
    """Return event and window of a signal in normal form; a safety alert is its own story.

    >>> story_of({"signal_key": "rv|intussusception|cumulative"})
    'intussusception|cumulative'
    """
    key = str(copy["signal_key"])
    return key if "category" in copy else key.partition("|")[2]


def _row(stored: StoredCopy) -> tuple[Any, ...]:
    copy = stored.copy
    statistics: dict[str, Any] = copy.get("statistics") or {}
    priority = copy.get("priority")
    rest, known_on, high, medium, burst_only = fading_of(copy) or (None, None, None, None, None)
    expected = statistics.get("expected_adjusted")
    return (
        copy["signal_key"],
        story_of(copy),
        stored.sequence,
        copy["revision"],
        copy["alert_id"],
        copy["kind"],
        category_of(copy),
        copy.get("grade", SignalGrade.ALARM),
        copy["urgent"],
        is_on(copy),
        stored.day,
        _day(copy.get("due")),
        copy.get("event") or ", ".join(copy.get("terms", ())),
        searched_names(copy),
        _verification(copy),
        _cases(copy),
        _count(copy.get("n_serious")),
        _count(copy.get("n_fatal")),
        statistics.get("expected") if expected is None else expected,
        statistics.get("ic"),
        statistics.get("ic_lower"),
        bool(copy.get("explained_by")),
        priority and priority["total"],
        priority and priority["level"],
        rest,
        _day(known_on),
        high,
        medium,
        burst_only,
    )


def _verification(copy: Copy) -> str | None:
    """Return the verification state; of cases, whether a health professional reported any."""
    if copy.get("tier") == Tier.PUBLIC and "category" not in copy:
        return None
    if state := copy.get("verification"):
        return str(state)
    return STATED if copy.get("n_by_professional") else NOT_STATED


def _cases(copy: Copy) -> int | None:
    """Return the exact number of cases; None in a copy that states a band."""
    if "counts" in copy:
        return int(copy["counts"]["n_observed"])
    return _count(copy.get("n_cases"))


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def priority_columns(day: date) -> tuple[pl.Expr, pl.Expr]:
    """Return total and level of the priority on a day, as `priority_on` has them.

    The parts but freshness are of the day of the alert. A safety alert's priority does not fade.
    """
    freshness = priority_rules().freshness
    fixed = level_thresholds(())
    known_days = (pl.lit(day) - pl.col("known_on")).dt.total_days().clip(lower_bound=0)
    fresh = (-known_days / freshness.half_life_days).mul(log(2)).exp() + freshness.least
    score = pl.col("rest") * fresh
    faded = score / (1 + score)
    total = pl.coalesce(faded, "published_total")
    level = (
        pl.when(pl.col("rest").is_null())
        .then(pl.col("published_level"))
        .when(pl.col("burst_only") | (total <= 0))
        .then(pl.lit("low"))
        .when(total >= pl.col("least_high").fill_null(fixed["high"]))
        .then(pl.lit("high"))
        .when(total >= pl.col("least_medium").fill_null(fixed["medium"]))
        .then(pl.lit("medium"))
        .otherwise(pl.lit("low"))
    )
    return total.alias("priority"), level.alias("level")
