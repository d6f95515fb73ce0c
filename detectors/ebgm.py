"""The empirical Bayes geometric mean, EBGM, and quantiles of the same posterior: GPS."""

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import digamma, expit

from detectors.gamma_mixture import GammaMixture, of_count, with_expected
from detectors.posterior_quantile import quantiles
from schemas.counts import require_counts
from schemas.errors import CountsError, InputError

__all__ = ["adjusted_ebgm", "ebgm", "ebgm_quantile"]

_BLOCK = 2**17  # rows at a time: what they need stays in the processor's cache


def ebgm(counts: pl.DataFrame, prior: GammaMixture, *, expected: str | None = None) -> pl.DataFrame:
    """Empirical Bayes geometric mean and its 90% interval: DuMouchel's gamma-Poisson shrinker.

    The FDA's statistic. EB05 to EB95 is a **90%** interval, narrower than the
    95% ones of the PRR, ROR and IC beside it. Its known failure is the prior: it is estimated,
    two priors from the same counts may differ twofold in an EBGM, and a refit moves every score.

    Parameters
    ----------
    counts
        Columns of `schemas.counts.COUNTS`; one row a pair; unit: cases.
    prior
        From `detectors.gamma_mixture_fit.fit_gamma_mixture`, or from the literature.
    expected
        Column with the expected cases, as `expected_stratified` gives them; the crude
        expectation if None. It should be the one the prior was fitted with.

    Returns
    -------
    polars.DataFrame
        `counts`, same order, and `expected` [cases], `ebgm`, `eb05`, `eb95` [ratio].

    Raises
    ------
    CountsError
        If the counts cannot belong to one 2x2 table, or `expected` names no usable column.

    Notes
    -----
    With n = n_observed, E the expectation, a1, b1, a2, b2, w the prior, and f the negative
    binomial of each component::

        Q = w f1(n) / (w f1(n) + (1 - w) f2(n))
        EBGM = exp(Q (psi(a1 + n) - ln(b1 + E)) + (1 - Q) (psi(a2 + n) - ln(b2 + E)))
        EB05, EB95 = 5% and 95% quantile of Q Gamma(a1 + n, b1 + E) + (1 - Q) Gamma(a2 + n, b2 + E)

    EBGM is computed directly; the quantiles of counts up to 64 are interpolated, with a relative
    error of at most 1e-7 (`detectors.posterior_quantile`), the others computed directly.

    Zero counts. n = 0 is an ordinary case. E = 0 can only be met with n = 0, and gives the
    prior's own mean and quantiles. An empty population (n_total = 0) gives null. A value too
    small for a Float64, which a shape far below 1 gives at n = 0, is 0.

    EBGM is the exponential of the posterior mean of the logarithm; some call the posterior mean
    itself the EBAM, which is larger.

    References
    ----------
    .. [1] DuMouchel W (1999). Bayesian data mining in large frequency tables, with an application
       to the FDA spontaneous reporting system. The American Statistician 53(3), 177-190.
       doi:10.1080/00031305.1999.10474456.

    Examples
    --------
    A row of the FDA's CAERS at openEBGM's prior: 3 cases where 0.0965 are expected, a ratio of
    31, are believed to be 9.6, and almost certainly more than 2.1.

    >>> import polars as pl
    >>> prior = GammaMixture(
    ...     alpha1=3.25280367, beta1=0.39983376, alpha2=2.02490400, beta2=1.90726819,
    ...     weight=0.06536416, likelihood="mixture_of_truncated",
    ... )
    >>> row = {"n_observed": [3], "n_drug": [12], "n_event": [27], "n_total": [3356]}
    >>> ebgm(pl.DataFrame(row), prior).row(0)[4:]
    (0.096544, 9.555422, 2.125793, 21.414413)
    """
    return _scored(counts, prior, expected, {"eb05": 0.05, "eb95": 0.95}, where="ebgm")


def adjusted_ebgm(counts: pl.DataFrame, prior: GammaMixture) -> pl.DataFrame:
    """EBGM, EB05 and EB95 with an expected count that is adjusted for strata.

    DuMouchel's expected count is a sum over strata. It removes what season, age and sex alone make
    of a pair, see `detectors.information_component.adjusted_information_component`. The caveat on
    the prior at `ebgm` applies here too.

    Parameters
    ----------
    counts
        As for `ebgm`, and `expected_adjusted` [cases; null: unknown], such as
        `detectors.expected.expected_stratified` gives.
    prior
        As for `ebgm`; fitted with ``expected="expected_adjusted"``, or from the literature. One
        that was fitted to crude counts describes other ratios.

    Returns
    -------
    polars.DataFrame
        `counts`, same order, and `ebgm_adjusted`, `eb05_adjusted`, `eb95_adjusted` [ratio]; null
        where the expected count is.

    Raises
    ------
    CountsError
        As for `ebgm`; or if `expected_adjusted` is missing.

    Notes
    -----
    The equation and the precision are those of `ebgm` with ``expected="expected_adjusted"``; so are
    the zero counts, but that an empty population gives the prior's own mean and quantiles where 0
    cases are expected.

    References
    ----------
    .. [1] DuMouchel W (1999). As for `ebgm`; the expected count summed over strata.

    Examples
    --------
    Both components alike, as in `ebgm_quantile`: 2 cases where 1 is expected, though 2 in strata.

    >>> import polars as pl
    >>> prior = GammaMixture(
    ...     alpha1=1.0, beta1=1.0, alpha2=1.0, beta2=1.0, weight=0.5, likelihood="untruncated"
    ... )
    >>> row = {"n_observed": [2], "n_drug": [10], "n_event": [10], "n_total": [100]}
    >>> counts = pl.DataFrame(row | {"expected_adjusted": [2.0]})
    >>> adjusted_ebgm(counts, prior)["ebgm_adjusted"].item()  # exp(psi(3)) / (1 + 2)
    0.8388
    """
    where = "adjusted_ebgm"
    require_counts(counts, where=where)
    if "expected_adjusted" not in counts.columns:
        msg = f"{where}: counts must have the column expected_adjusted; got {counts.columns}"
        raise CountsError(msg)
    # Where the expected count is null, computed with 1 instead, and set to null again below.
    filled = counts.with_columns(pl.col("expected_adjusted").fill_null(1.0))
    wanted = {"eb05": 0.05, "eb95": 0.95}
    scored = _scored(filled, prior, "expected_adjusted", wanted, where=where)
    known = pl.col("expected_adjusted").is_not_null()
    return counts.with_columns(
        pl.when(known).then(scored[name]).alias(f"{name}_adjusted") for name in ("ebgm", *wanted)
    )


def ebgm_quantile(
    counts: pl.DataFrame, prior: GammaMixture, *, probability: float, expected: str | None = None
) -> pl.DataFrame:
    """Quantile at any probability of the posterior behind `ebgm`'s EBGM, EB05 and EB95.

    For a 95% interval, comparable with those of other statistics, take 0.025 and 0.975. The
    caveat on the prior at `ebgm` applies here too.

    Parameters
    ----------
    counts
        Columns of `schemas.counts.COUNTS`; one row a pair; unit: cases.
    prior
        As for `ebgm`.
    probability
        Which quantile, in (0, 1).
    expected
        As for `ebgm`.

    Returns
    -------
    polars.DataFrame
        `counts`, same order, and `expected` [cases], `ebgm_quantile` [ratio].

    Raises
    ------
    CountsError
        If the counts cannot belong to one 2x2 table, or `expected` names no usable column.
    InputError
        If `probability` is not in (0, 1).

    Notes
    -----
    The equation, the precision and the zero counts are those of `ebgm`.

    References
    ----------
    .. [1] DuMouchel W (1999). Bayesian data mining in large frequency tables, with an application
       to the FDA spontaneous reporting system. The American Statistician 53(3), 177-190.
       doi:10.1080/00031305.1999.10474456.

    Examples
    --------
    With both components alike, the posterior is one gamma; here Gamma(3, 2), whose median is

    >>> import polars as pl
    >>> prior = GammaMixture(
    ...     alpha1=1.0, beta1=1.0, alpha2=1.0, beta2=1.0, weight=0.5, likelihood="untruncated"
    ... )
    >>> row = {"n_observed": [2], "n_drug": [10], "n_event": [10], "n_total": [100]}
    >>> ebgm_quantile(pl.DataFrame(row), prior, probability=0.5)["ebgm_quantile"].item()
    1.337
    """
    if not 0 < probability < 1:
        msg = f"ebgm_quantile: probability must lie in (0, 1); got {probability!r}"
        raise InputError(msg)
    wanted = {"ebgm_quantile": probability}
    return _scored(counts, prior, expected, wanted, where="ebgm_quantile")


def _scored(
    counts: pl.DataFrame,
    prior: GammaMixture,
    expected: str | None,
    wanted: dict[str, float],
    *,
    where: str,
) -> pl.DataFrame:
    scored = with_expected(counts, expected, where=where)
    n = scored["n_observed"].cast(pl.Int64).to_numpy()
    # Null where the population is empty; computed with 1 instead, and set to null again below.
    expectation = scored["expected"].fill_null(1.0).to_numpy()
    columns = {} if where == "ebgm_quantile" else {"ebgm": _geometric_mean(prior, n, expectation)}
    found = quantiles(prior, n, expectation, wanted.values())
    columns |= dict(zip(wanted, found, strict=True))
    empty = scored["expected"].is_null()
    if empty.any():
        defined = pl.lit(~empty)
        return scored.with_columns(
            pl.when(defined).then(pl.Series(name, values)).alias(name)
            for name, values in columns.items()
        )
    return scored.with_columns(pl.Series(name, values) for name, values in columns.items())


def _geometric_mean(
    prior: GammaMixture, n: NDArray[np.int64], expected: NDArray[np.float64]
) -> NDArray[np.float64]:
    result = np.empty(n.size)
    for start in range(0, n.size, _BLOCK):
        rows = slice(start, start + _BLOCK)
        odds = prior.log_odds(n[rows], expected[rows])
        log1 = of_count(lambda n: digamma(prior.alpha1 + n), n[rows])
        log1 -= np.log(prior.beta1 + expected[rows])
        log2 = of_count(lambda n: digamma(prior.alpha2 + n), n[rows])
        log2 -= np.log(prior.beta2 + expected[rows])
        result[rows] = np.exp(expit(odds) * log1 + expit(-odds) * log2)
    return result
