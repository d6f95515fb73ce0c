"""The information component, IC, with the exact interval of Norén, Hopstadius and Bate."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import gammainccinv, gammaincinv

from detectors.cells import N_OBSERVED, with_statistics
from detectors.expected import EXPECTED_CRUDE
from detectors.intervals import tail_mass
from schemas.counts import require_counts
from schemas.errors import CountsError, InputError

__all__ = [
    "SHRINKAGE",
    "adjusted_ic_expressions",
    "adjusted_information_component",
    "ic_expressions",
    "information_component",
    "log2_gamma_quantiles",
]

SHRINKAGE = 0.5
"""Cases added to the observed and to the expected count, unless asked otherwise."""

_TABLE = 1 << 14  # counts below it are tabled once; of larger ones a frame has few


def information_component(
    counts: pl.DataFrame, *, shrinkage: float = SHRINKAGE, level: float = 0.95
) -> pl.DataFrame:
    """Log2 of the observed over the expected count, shrunk towards zero; the WHO UMC's measure.

    Shrinkage keeps one or two cases from becoming a signal, and the interval is exact for
    every count, zero included. Its known failure is repeated looks: with ten cases expected,
    `ic_lower` > 0 flags 1.5% of null pairs at one evaluation, and 7.1% at any of sixty.

    Parameters
    ----------
    counts
        Columns of `schemas.counts.COUNTS`; one row a pair; unit: cases.
    shrinkage
        Cases added to the observed and to the expected count; more than 0.
    level
        Mass of the equal-tailed interval, in (0, 1).

    Returns
    -------
    polars.DataFrame
        `counts`, same order, and `expected` [cases], `ic`, `ic_lower`, `ic_upper` [log2 units].

    Raises
    ------
    CountsError
        If the counts cannot belong to one 2x2 table.
    InputError
        If `level` is not in (0, 1), or `shrinkage` is not a positive number.

    Notes
    -----
    With n = n_observed, E = n_drug n_event / n_total and shrinkage s::

        IC = log2((n + s) / (E + s))
        bound at p = log2(q), q the p-quantile of Gamma(shape = n + s, rate = E + s)

    The ratio of the rates has that gamma posterior, and 2^IC is its mean; so the IC lies within
    the interval for any `level` above 0.37 (at s = 0.5), but need not below that when n = 0.

    At level 0.95 the bounds are what the UMC calls IC025 and IC975. The BCPNN's normal bound is
    another number and never bears that name here (docs/adr/0002).

    A 95% bound can exceed 0 from three cases on: log2 of the 2.5% point of Gamma(3.5, rate 0.5)
    is 0.76, that of Gamma(2.5, rate 0.5) is -0.27.

    n = 0 is an ordinary case. n_total = 0: all four are null.

    References
    ----------
    .. [1] Norén GN, Hopstadius J, Bate A (2013). Shrinkage observed-to-expected ratios for robust
       and transparent large-scale pattern discovery. Statistical Methods in Medical Research
       22(1), 57-69. doi:10.1177/0962280211403604.

    Examples
    --------
    12 cases where 5 are expected: log2(12.5 / 5.5).

    >>> import polars as pl
    >>> row = pl.DataFrame({"n_observed": 12, "n_drug": 50, "n_event": 100, "n_total": 1000})
    >>> information_component(row).row(0)[4:]
    (5.0, 1.1844, 0.2542, 1.8857)
    """
    where = "information_component"
    require_counts(counts, where=where)
    tail = tail_mass(level, where=where)
    _require_shrinkage(shrinkage, where)
    expressions = ic_expressions(counts["n_observed"], shrinkage=shrinkage, tail=tail)
    return with_statistics(counts, expressions)


def adjusted_information_component(
    counts: pl.DataFrame, *, shrinkage: float = SHRINKAGE, level: float = 0.95
) -> pl.DataFrame:
    """Information component with an expected count that is adjusted for strata.

    Age decides both what a patient is given and what happens to him; so do season and sex. Compared
    with the crude one, the adjusted expected count removes what they alone make of a pair.

    Parameters
    ----------
    counts
        As for `information_component`, and `expected_adjusted` [cases; null: unknown], such as
        `detectors.expected.expected_stratified` gives.
    shrinkage, level
        As for `information_component`.

    Returns
    -------
    polars.DataFrame
        `counts`, same order, and `ic_adjusted`, `ic_lower_adjusted`, `ic_upper_adjusted`
        [log2 units]; null where the expected count is.

    Raises
    ------
    CountsError, InputError
        As for `information_component`; or if `expected_adjusted` is missing.

    Notes
    -----
    The formulas of `information_component` with another E. Where few cases share a stratum, the
    pair's own cases are its expectation, and the IC is near 0.

    References
    ----------
    .. [1] Norén GN, Hopstadius J, Bate A (2013). As for `information_component`.
    .. [2] Hopstadius J, Norén GN, Bate A, Edwards IR (2008). Impact of stratification on adverse
       drug reaction surveillance. Drug Safety 31(11), 1035-1048. (Not read.)

    Examples
    --------
    12 cases where 5 are expected, though 8 of patients of their age and sex: log2(12.5 / 8.5).

    >>> import polars as pl
    >>> row = {"n_observed": 12, "n_drug": 50, "n_event": 100, "n_total": 1000}
    >>> adjusted_information_component(pl.DataFrame(row | {"expected_adjusted": 8.0})).row(0)[5:]
    (0.5564, -0.3738, 1.2576)
    """
    where = "adjusted_information_component"
    require_counts(counts, where=where)
    tail = tail_mass(level, where=where)
    _require_shrinkage(shrinkage, where)
    if "expected_adjusted" not in counts.columns:
        msg = f"{where}: counts must have the column expected_adjusted; got {counts.columns}"
        raise CountsError(msg)
    return with_statistics(
        counts, adjusted_ic_expressions(counts["n_observed"], shrinkage=shrinkage, tail=tail)
    )


def ic_expressions(n_observed: pl.Series, *, shrinkage: float, tail: float) -> list[pl.Expr]:
    """Return what `information_component` adds to the frame of these counts, as expressions."""
    return [
        EXPECTED_CRUDE.alias("expected"),
        *_of_expected(EXPECTED_CRUDE, n_observed, shrinkage=shrinkage, tail=tail),
    ]


def adjusted_ic_expressions(
    n_observed: pl.Series, *, shrinkage: float, tail: float
) -> list[pl.Expr]:
    """Return what `adjusted_information_component` adds to the frame of these counts."""
    adjusted = pl.col("expected_adjusted")
    found = _of_expected(adjusted, n_observed, shrinkage=shrinkage, tail=tail)
    return [statistic.name.suffix("_adjusted") for statistic in found]


def _of_expected(
    expected: pl.Expr, n_observed: pl.Series, *, shrinkage: float, tail: float
) -> list[pl.Expr]:
    log2_rate = (expected + shrinkage).log(2)
    lower, upper = log2_gamma_quantiles(n_observed, shrinkage=shrinkage, tail=tail)
    return [
        ((N_OBSERVED + shrinkage).log(2) - log2_rate).alias("ic"),
        (lower - log2_rate).alias("ic_lower"),
        (upper - log2_rate).alias("ic_upper"),
    ]


def _require_shrinkage(shrinkage: float, where: str) -> None:
    if not 0 < shrinkage < float("inf"):
        msg = f"{where}: shrinkage must be a positive number of cases; got {shrinkage!r}"
        raise InputError(msg)


def log2_gamma_quantiles(
    n_observed: pl.Series, *, shrinkage: float, tail: float
) -> tuple[pl.Expr, pl.Expr]:
    """Return, of column `n_observed`, log2 of the lower and upper quantile at rate 1.

    The shape depends on the count alone, so each count is looked up: some thousands of quantiles
    serve millions of pairs, and one evaluation after the other.
    """
    if not n_observed.dtype.is_integer() or n_observed.null_count():
        msg = f"log2_gamma_quantiles: n_observed must be whole numbers; got {n_observed.dtype}"
        msg += f" with {n_observed.null_count()} nulls"
        raise InputError(msg)
    counts = pl.col("n_observed").cast(pl.Int64)
    largest = int(n_observed.cast(pl.Int64).to_numpy().max(initial=0))  # NumPy has no Int128
    if largest < _TABLE:
        size = 1 << max(largest.bit_length(), 8)
        lower, upper = _tabled(size, shrinkage, tail)
        return pl.lit(lower).gather(counts), pl.lit(upper).gather(counts)
    distinct = n_observed.unique().cast(pl.Int64)
    lower, upper = _quantiles(distinct.to_numpy() + shrinkage, tail)
    return (
        counts.replace_strict(distinct, lower, return_dtype=pl.Float64),
        counts.replace_strict(distinct, upper, return_dtype=pl.Float64),
    )


@lru_cache(maxsize=32)
def _tabled(size: int, shrinkage: float, tail: float) -> tuple[pl.Series, pl.Series]:
    return _quantiles(np.arange(size) + shrinkage, tail)


def _quantiles(shape: npt.NDArray[np.floating], tail: float) -> tuple[pl.Series, pl.Series]:
    below, above = gammaincinv(shape, tail), gammainccinv(shape, tail)
    return pl.Series(below).log(2), pl.Series(above).log(2)
