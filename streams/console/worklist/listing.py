"""Rows of a tab: filtered and sorted by polars, kin folded, with the counts of all tabs."""

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from schemas.alert import AlertKind, SignalGrade
from schemas.priority import PriorityLevel
from streams.console.worklist.baseline import Baseline
from streams.console.worklist.kin import folded
from streams.console.worklist.live_signals import SignalFrames
from streams.console.worklist.signal_columns import priority_columns
from streams.console.worklist.view import DueFilter, Sort, Tab, View

__all__ = ["Listing", "listing_of", "prepared", "sort_of", "tab_counts"]

_WEEK = 7  # days
_LEVELS = {level.value: place for place, level in enumerate(PriorityLevel)}
_DESCENDING = {Sort.CASES, Sort.EXPECTED, Sort.IC, Sort.SERIOUS, Sort.DAY, Sort.PRIORITY}


@dataclass(frozen=True, slots=True)
class Listing:
    """The rows of a view, in order.

    Attributes
    ----------
    rows
        `key`, `leader`, `n_shared`, `n_named` and `seen`, one row a signal.
    places
        Place of each key, from 0.
    tally
        Rows by kind, and of them urgent ones.
    n_stories
        Rows that are no kin.
    """

    rows: pl.DataFrame
    places: dict[str, int]
    tally: dict[str, int]
    n_stories: int


def prepared(signals: SignalFrames, baseline: Baseline, day: date) -> pl.DataFrame:
    """Return `SIGNALS` with the priority of a day, what was seen and decided, and the due day.

    Parameters
    ----------
    day
        Day of the page, that priority, freshness and overdue steps are of.
    """
    total, level = priority_columns(day)
    return (
        signals.frame.lazy()
        .join(baseline.seen.lazy(), on="key", how="left")
        .join(signals.decided.lazy(), on="key", how="left")
        .with_columns(total)
        .with_columns(level, baseline.is_changed().alias("is_changed"))
        .with_columns(
            pl.when(pl.col("state").is_null()).then("due").otherwise("decided_due").alias("due"),
            (
                pl.col("level").replace_strict(_LEVELS, default=len(_LEVELS), return_dtype=pl.Int8)
                + (1 - pl.col("priority").fill_null(0)) / 2
            ).alias("rank"),
        )
        .collect()
    )


def _of_tab(tab: Tab, day: date) -> pl.Expr:
    is_alarm = pl.col("grade") == SignalGrade.ALARM.value
    return {
        Tab.CHANGED: pl.col("is_changed") & is_alarm,
        Tab.SCREENING: pl.col("is_changed") & ~is_alarm,
        Tab.OVERDUE: (pl.col("due") < day).fill_null(value=False),
        Tab.ON: pl.col("is_on"),
        Tab.DECIDED: pl.col("state").is_not_null(),
        Tab.SUPPRESSED: pl.lit(value=False),
    }[tab]


def tab_counts(rows: pl.DataFrame, day: date) -> dict[Tab, int]:
    """Return the number of rows of each tab, whatever the filters."""
    counted = rows.select(_of_tab(tab, day).sum().alias(tab) for tab in Tab).row(0)
    return {tab: int(n) for tab, n in zip(Tab, counted, strict=True)}


def listing_of(rows: pl.DataFrame, signals: SignalFrames, view: View, day: date) -> Listing:
    """Return the rows of a view.

    Parameters
    ----------
    rows
        Result of `prepared`.
    """
    by, descending = _order(view)
    chosen = rows.filter(_of_tab(view.tab, day), *_filters(view, day)).sort(
        by, descending=descending, nulls_last=True
    )
    found = folded(chosen, signals.kin, signals.strength).join(
        chosen.select("key", "seen"), on="key", how="left", maintain_order="left"
    )
    kinds = dict(chosen["kind"].value_counts().iter_rows())
    tally = {kind.value: kinds.get(kind.value, 0) for kind in AlertKind if kind.value in kinds}
    tally["urgent"] = int(chosen["urgent"].sum())
    places = {key: place for place, key in enumerate(found["key"].to_list())}
    return Listing(found, places, tally, int(found["leader"].null_count()))


def _filters(view: View, day: date) -> list[pl.Expr]:
    found = []
    if view.q is not None:
        for word in view.q.casefold().split():
            found.append(pl.col("searched").str.contains(word, literal=True))
    for name, value in (
        ("kind", view.kind),
        ("level", view.priority),
        ("verification", view.verification),
        ("grade", view.grade),
    ):
        if value is not None:
            found.append(pl.col(name) == value.value)
    if view.due is not None:
        last = day if view.due is DueFilter.OVERDUE else day + timedelta(days=_WEEK + 1)
        found.append(pl.col("due") < last)
    return found


def sort_of(view: View) -> tuple[Sort, bool]:
    """Return the column that a view is sorted by, and whether it ascends."""
    sort = view.sort or (Sort.DUE if view.tab is Tab.OVERDUE else Sort.PRIORITY)
    return sort, (sort not in _DESCENDING) if view.up is None else view.up


def _order(view: View) -> tuple[list[str], list[bool]]:
    sort, up = sort_of(view)
    last = [("key", True)]
    if sort is Sort.PRIORITY:
        # The highest priority has the lowest rank; what is urgent is before it.
        urgent = [("urgent", up)] if view.tab in (Tab.CHANGED, Tab.SCREENING) else []
        columns = [*urgent, ("rank", not up), *last]
    else:
        columns = [(_COLUMN_OF[sort], up), ("rank", True), *last]
    return [name for name, _ in columns], [not rises for _, rises in columns]


_COLUMN_OF = {
    Sort.EVENT: "event",
    Sort.CASES: "n_cases",
    Sort.EXPECTED: "expected",
    Sort.IC: "ic",
    Sort.SERIOUS: "n_serious",
    Sort.DUE: "due",
    Sort.DAY: "day",
}
