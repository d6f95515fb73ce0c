"""Counts of a pair and its information component at the close of each day."""

import polars as pl

from detectors.information_component import information_component
from schemas.counts import MARGINS
from streams.core.explanation.population import Population

__all__ = ["daily_trend"]


def daily_trend(population: Population) -> pl.DataFrame:
    """Return the pair by day of receipt, from the first case of its drug to the last day.

    The cases are those of the population, each on its day of first receipt: a case that was
    corrected or withdrawn since is counted as it is now. What was known on a day is in the alerts
    of that day.

    Parameters
    ----------
    population
        The cases around the pair.

    Returns
    -------
    polars.DataFrame
        One row a day with a counted case, in order: `day`, `n_new` [cases of the pair received
        that day], `n_observed`, `n_drug`, `n_event`, `n_total` [cases so far], `expected` [cases],
        `ic`, `ic_lower`, `ic_upper` [log2 units].
    """
    days = population.frames.cases.select("case", "day")
    daily = days.group_by("day").agg(pl.len().cast(pl.Int64).alias("n_total"))
    for name, of_pair in (
        ("n_observed", {"drug": population.drug, "event": population.event}),
        ("n_drug", {"drug": population.drug}),
        ("n_event", {"event": population.event}),
    ):
        named = days.join(population.cases_with(**of_pair), on="case", how="semi")
        counted = named.group_by("day").agg(pl.len().cast(pl.Int64).alias(name))
        daily = daily.join(counted, on="day", how="left")
    daily = daily.sort("day").with_columns(pl.col(MARGINS).fill_null(0))
    counts = daily.select(
        "day",
        pl.col("n_observed").alias("n_new"),
        pl.lit(population.drug).alias("drug"),
        pl.lit(population.event).alias("event"),
        *(pl.col(name).cum_sum() for name in MARGINS),
    ).filter(pl.col("n_drug") > 0)
    return information_component(counts).drop("drug", "event")
