"""A statistic within every stratum, beside the pooled one."""

from collections.abc import Callable

import polars as pl

from detectors.case_frames import StratifiedCounts
from detectors.reporting_odds_ratio import reporting_odds_ratio
from schemas.counts import MARGINS
from schemas.errors import InputError

__all__ = ["Estimator", "estimated", "subgroups"]

Estimator = Callable[[pl.DataFrame], pl.DataFrame]
"""A function that adds its statistics to a counts frame: `reporting_odds_ratio`, or a `partial`
of `detectors.scoring.score` with the methods one wants."""


def subgroups(
    pairs: pl.DataFrame,
    strata: StratifiedCounts,
    *,
    estimator: Estimator = reporting_odds_ratio,
) -> pl.DataFrame:
    """Statistics of every pair within each stratum, beside the pooled ones.

    Shows a signal confined to one lot, clinic, sex or region, which a pooled or stratified
    number hides. Its known failure is multiplicity: of ten strata, at least one has a 95% lower
    bound above 1 in 22% of null pairs (1 - 0.975^10).

    Parameters
    ----------
    pairs
        Columns `drug`, `event`; one row a pair.
    strata
        Counts of a partition of the cases; unit: cases.
    estimator
        What to compute: adds its columns to a counts frame, each row independent of the others.

    Returns
    -------
    polars.DataFrame
        One row a stratum and pair, by name of stratum and then in the order of `pairs`: `stratum`,
        the columns of `schemas.counts.COUNTS` in that stratum, the estimator's columns there, and
        all of these over the whole population with the suffix `_pooled`.

    Raises
    ------
    CountsError
        If the pairs are not named or stand in two rows, or a pair's counts cannot belong to one
        2x2 table in each stratum.
    InputError
        If the estimator does not keep the rows of its input.

    Notes
    -----
    Within a stratum the comparator is that stratum's own cases: the population is as small as the
    stratum. The pooled number is of the crude table, the sum of the strata, not an adjusted one;
    for that see `detectors.mantel_haenszel`. A stratum in which the pair has no case has its rows
    all the same: what zero counts mean is the estimator's own convention.

    References
    ----------
    .. [1] EMA (2017). Guideline on good pharmacovigilance practices, Module IX Addendum I:
       methodological aspects of signal detection from spontaneous reports of suspected adverse
       reactions. EMA/209012/2015.

    Examples
    --------
    Odds of 3 x 88 / (7 x 2) among women, nothing among men:

    >>> import polars as pl
    >>> one = {"drug": ["A"], "event": ["rash"]}
    >>> sexes = pl.DataFrame({"stratum": ["female", "male"]})
    >>> strata = StratifiedCounts(
    ...     pl.DataFrame({"stratum": ["female"], **one, "n": [3]}),
    ...     sexes.with_columns(drug=pl.lit("A"), n=pl.Series([10, 20])),
    ...     sexes.with_columns(event=pl.lit("rash"), n=pl.Series([5, 7])),
    ...     sexes.with_columns(n=pl.lit(100)),
    ... )
    >>> result = subgroups(pl.DataFrame(one), strata)
    >>> result.select("stratum", "n_observed", "ror", "ror_pooled").rows()
    [('female', 3, 18.8571, 1.9877), ('male', 0, 0.0, 1.9877)]
    """
    where = "subgroups"
    pooled = estimated(estimator, strata.pooled(pairs, where=where), where=where)
    keys = pooled.select("drug", "event")
    beside = pooled.drop("drug", "event").rename(lambda name: f"{name}_pooled")
    parts = [_beside("", pooled.clear(), beside.clear())]
    for table in strata.tables(keys, where=where):
        cells = (table.n_observed, table.n_drug, table.n_event)
        counts = keys.with_columns(
            *(pl.Series(name, column) for name, column in zip(MARGINS[:3], cells, strict=True)),
            pl.lit(table.n_total, dtype=pl.Int64).alias("n_total"),
        )
        within = estimated(estimator, counts, where=where)
        parts.append(_beside(table.stratum, within, beside))
    return pl.concat(parts)


def estimated(estimator: Estimator, counts: pl.DataFrame, *, where: str) -> pl.DataFrame:
    """Return the counts with the columns of an estimator handed in by a caller.

    Raises
    ------
    InputError
        If it does not keep the rows of its input.
    """
    result = estimator(counts)
    if not counts.equals(result.select(name for name in counts.columns if name in result.columns)):
        msg = (
            f"{where}: the estimator must keep the rows it is given, in order, and add columns; "
            f"got {result.height} rows with {result.columns} for {counts.height} rows"
        )
        raise InputError(msg)
    return result


def _beside(stratum: str, within: pl.DataFrame, pooled: pl.DataFrame) -> pl.DataFrame:
    named = within.select(pl.lit(stratum).alias("stratum"), pl.all())
    return pl.concat([named, pooled], how="horizontal")
