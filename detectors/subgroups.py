"""A statistic within every stratum, beside the pooled one, and how strata differ in the ROR."""

from collections.abc import Callable

import polars as pl

from detectors.case_frames import StratifiedCounts
from detectors.cells import (
    DRUG_OTHER_EVENTS,
    EVENT_OTHER_DRUGS,
    N_OBSERVED,
    OTHER_DRUGS_OTHER_EVENTS,
    with_statistics,
)
from detectors.intervals import log_ratio_columns, tail_mass
from detectors.reporting_odds_ratio import reporting_odds_ratio
from schemas.counts import MARGINS
from schemas.errors import InputError

__all__ = ["Estimator", "estimated", "subgroup_differences", "subgroups"]

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


def subgroup_differences(
    pairs: pl.DataFrame, strata: StratifiedCounts, *, level: float = 0.95
) -> pl.DataFrame:
    """Ratio of the ROR within each stratum to that in all other strata together.

    Whether a signal is confined to women, say, is asked of the difference: a ROR whose interval
    excludes 1 among women and includes it among men says nothing of how women and men differ.
    Its known failure is small numbers, in which the normal interval is too narrow; and of many
    strata some differ by chance, as in `subgroups`.

    Parameters
    ----------
    pairs
        Columns `drug`, `event`; one row a pair.
    strata
        Counts of a partition of the cases; unit: cases.
    level
        Mass of the equal-tailed interval, in (0, 1).

    Returns
    -------
    polars.DataFrame
        One row a stratum and pair, by name of stratum and then in the order of `pairs`: `stratum`,
        `drug`, `event`, `ror_ratio`, `ror_ratio_lower`, `ror_ratio_upper` [ratio].

    Raises
    ------
    CountsError
        As in `subgroups`.
    InputError
        If `level` is not in (0, 1).

    Notes
    -----
    With the cells a, b, c, d of the stratum and A, B, C, D of the others::

        ror_ratio = (a d / (b c)) / (A D / (B C))
        var(ln)   = 1/a + 1/b + 1/c + 1/d + 1/A + 1/B + 1/C + 1/D

    It is the odds ratio of the interaction of drug and stratum in a logistic model with both.

    Zero counts. A zero among a, d, B, C only: 0, from 0 to null. Among b, c, A, D only: inf, from
    null to inf. On both sides: null.

    References
    ----------
    .. [1] Altman DG, Bland JM (2003). Interaction revisited: the difference between two estimates.
       BMJ 326(7382), 219. doi:10.1136/bmj.326.7382.219.

    Examples
    --------
    Odds ratios of (10 x 80) / (20 x 10) among women and (5 x 90) / (45 x 10) among men: 4 / 1.

    >>> import polars as pl
    >>> sexes = pl.DataFrame({"stratum": ["female", "male"]})
    >>> strata = StratifiedCounts(
    ...     sexes.with_columns(drug=pl.lit("A"), event=pl.lit("rash"), n=pl.Series([10, 5])),
    ...     sexes.with_columns(drug=pl.lit("A"), n=pl.Series([30, 50])),
    ...     sexes.with_columns(event=pl.lit("rash"), n=pl.Series([20, 15])),
    ...     sexes.with_columns(n=pl.Series([120, 150])),
    ... )
    >>> found = subgroup_differences(pl.DataFrame({"drug": ["A"], "event": ["rash"]}), strata)
    >>> found.select("stratum", "ror_ratio", "ror_ratio_lower").rows()
    [('female', 4.0, 0.8811), ('male', 0.25, 0.0551)]
    """
    where = "subgroup_differences"
    tail = tail_mass(level, where=where)
    beside = subgroups(pairs, strata, estimator=lambda counts: counts)
    others = beside.select(
        (pl.col(f"{name}_pooled") - pl.col(name)).alias(name) for name in MARGINS
    )
    cells = [N_OBSERVED, DRUG_OTHER_EVENTS, EVENT_OTHER_DRUGS, OTHER_DRUGS_OTHER_EVENTS]
    names = ("a", "b", "c", "d")
    within = beside.select(cell.alias(name) for cell, name in zip(cells, names, strict=True))
    beyond = others.select(
        cell.alias(name.upper()) for cell, name in zip(cells, names, strict=True)
    )
    a, b, c, d = (pl.col(name) for name in names)
    of_a, of_b, of_c, of_d = (pl.col(name.upper()) for name in names)
    columns = log_ratio_columns(
        "ror_ratio",
        numerator=a * d * of_b * of_c,
        denominator=b * c * of_a * of_d,
        log_variance=pl.sum_horizontal(1 / cell for cell in (a, b, c, d, of_a, of_b, of_c, of_d)),
        tail=tail,
        lower_if_unbounded=pl.lit(None, pl.Float64),
    )
    found = with_statistics(pl.concat([within, beyond], how="horizontal"), columns)
    return beside.select("stratum", "drug", "event").hstack(
        found.select("ror_ratio", "ror_ratio_lower", "ror_ratio_upper")
    )


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
