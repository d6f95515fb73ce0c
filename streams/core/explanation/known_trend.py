"""Counts of a pair and its information component at the close of each day, as known then."""

import polars as pl

from detectors.information_component import information_component
from streams.core.counting.case_history import CaseHistory

__all__ = ["known_trend"]


def known_trend(history: CaseHistory, drug: str, event: str, last_day: int) -> pl.DataFrame:
    """Return the pair by day, from the first case of its drug, with no later correction.

    `streams.core.explanation.trend` counts each case on its day of first receipt as it is now;
    here a day is counted from the versions of cases that had come by its close.

    Parameters
    ----------
    drug, event
        Normal forms.
    last_day
        Last day [days since 1970-01-01].

    Returns
    -------
    polars.DataFrame
        One row a day on which a count changed: `day`, `n_new` [cases of the pair more than on the
        day before; negative if some left], `n_observed`, `n_drug`, `n_event`, `n_total` [cases so
        far], `expected` [cases], `ic`, `ic_lower`, `ic_upper` [log2 units].
    """
    daily = history.daily_counts(drug, event, last_day)
    counts = daily.select(
        "day",
        pl.col("n_observed").diff().fill_null(pl.col("n_observed")).alias("n_new"),
        pl.lit(drug).alias("drug"),
        pl.lit(event).alias("event"),
        *("n_observed", "n_drug", "n_event", "n_total"),
    ).filter(pl.col("n_drug") > 0)
    return information_component(counts).drop("drug", "event")
