"""Captions of the figures of a signal: what each shows, as a text and its values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

from streams.console.signal.evidence import Evidence

__all__ = ["Finding", "Findings", "findings"]

_FIRST_WEEK = 7  # days


@dataclass(frozen=True, slots=True)
class Finding:
    """A caption: the name of its text, and the values in it."""

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Findings:
    """Captions of the figures.

    Attributes
    ----------
    since
        Day since which the lower bound of the trend is above 0; None if it is not on its last day.
    """

    trend: Finding
    forest: Finding
    lanes: Finding
    neighbours: Finding
    since: date | None


def findings(evidence: Evidence) -> Findings:
    """Return what the figures of a signal show."""
    since = _above_since(evidence.trend)
    return Findings(
        trend=Finding("finding_above" if since else "finding_not_above"),
        forest=_forest(evidence.forest),
        lanes=_lanes(evidence.lanes),
        neighbours=_neighbours(evidence.neighbours),
        since=since,
    )


def _above_since(trend: pl.DataFrame) -> date | None:
    rows = trend.select("day", above=(pl.col("ic_lower") > 0).fill_null(value=False))
    since: date | None = None
    for day, above in rows.iter_rows():
        since = (since or day) if above else None
    return since


def _forest(forest: pl.DataFrame) -> Finding:
    groups = forest.filter(~pl.col("factor").is_in(["all", "adjusted"]))
    above = groups.filter(pl.col("ic_lower") > 0).height
    if groups.is_empty():
        return Finding("finding_one_group")
    return Finding("finding_groups", {"n": above, "of": groups.height})


def _lanes(lanes: pl.DataFrame) -> Finding:
    stated = lanes.filter(pl.col("onset_days").is_not_null())
    early = stated.filter(pl.col("onset_days").is_between(0, _FIRST_WEEK)).height
    if stated.is_empty():
        return Finding("finding_no_onset", {"n": lanes.height})
    return Finding("finding_onsets", {"n": early, "of": stated.height})


def _neighbours(neighbours: pl.DataFrame) -> Finding:
    if neighbours.is_empty():
        return Finding("finding_alone")
    kept = neighbours.filter(pl.col("ic_lower_without") > 0).height
    return Finding("finding_neighbours", {"n": kept, "of": neighbours.height})
