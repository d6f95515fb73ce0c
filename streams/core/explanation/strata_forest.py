"""The pair among all cases, adjusted for its strata, and within subgroups, for a forest."""

from collections.abc import Iterator

import polars as pl

from detectors.expected import expected_stratified
from detectors.information_component import adjusted_information_component, information_component
from detectors.scoring import score
from detectors.subgroups import subgroups
from streams.core.explanation.population import STRATUM_COLUMN, Population

__all__ = ["SUBGROUPS", "strata_forest", "within_subgroups"]

SUBGROUPS = ("age_band", "sex", "region", "year", "reporter", "seriousness")
"""Factors of the subgroups, columns of `Population.frames.cases`."""

_COLUMNS = ("factor", "subgroup", "n_observed", "expected", "ic", "ic_lower", "ic_upper")


def within_subgroups(population: Population) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield each factor with several subgroups, and the pair's ROR and IC within each of them.

    The frames are those of `detectors.subgroups.subgroups`: one row a `stratum`.
    """
    for factor in SUBGROUPS:
        strata = population.frames.counts_by(factor)
        if strata.totals.height > 1:  # else there is nothing to compare with
            yield (
                factor,
                subgroups(
                    population.pair, strata, estimator=lambda table: score(table, ["ror", "ic"])
                ),
            )


def strata_forest(population: Population) -> pl.DataFrame:
    """Return the information component of the pair in all cases, adjusted, and in subgroups.

    Parameters
    ----------
    population
        The cases around the pair.

    Returns
    -------
    polars.DataFrame
        `factor` (`all`, `adjusted`, or one of `SUBGROUPS`), `subgroup` (empty in the first two
        rows), `n_observed`, `expected` [cases], `ic`, `ic_lower`, `ic_upper` [log2 units]. The
        adjusted row compares with the cases of the same calendar quarter, age band and sex.
        Subgroups without a case of the pair are left out.
    """
    crude = information_component(population.frames.counts(population.pair))
    strata = population.frames.counts_by(STRATUM_COLUMN)
    adjusted = expected_stratified(
        population.pair, strata.drug_margins, strata.event_margins, strata.totals
    )
    held = adjusted_information_component(
        crude.select("drug", "event", "n_observed", "n_drug", "n_event", "n_total").hstack(
            [adjusted["expected"].alias("expected_adjusted")]
        )
    )
    parts = [
        crude.with_columns(factor=pl.lit("all"), subgroup=pl.lit("")).select(_COLUMNS),
        held.select(
            pl.lit("adjusted").alias("factor"),
            pl.lit("").alias("subgroup"),
            "n_observed",
            pl.col("expected_adjusted").alias("expected"),
            pl.col("ic_adjusted").alias("ic"),
            pl.col("ic_lower_adjusted").alias("ic_lower"),
            pl.col("ic_upper_adjusted").alias("ic_upper"),
        ),
    ]
    for factor, within in within_subgroups(population):
        parts.append(
            within.filter(pl.col("n_observed") > 0)
            .with_columns(factor=pl.lit(factor), subgroup=pl.col("stratum"))
            .select(_COLUMNS)
        )
    return pl.concat(parts)
