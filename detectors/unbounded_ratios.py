"""Exact mid-p lower bounds of the PRR and the ROR where the ratio is unbounded."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from detectors.arguments import whole_numbers
from schemas.counts import MARGINS
from schemas.errors import InputError

__all__ = ["lower_odds_ratio", "lower_rate_ratio", "prr_lower_bound", "ror_lower_bound"]

Floats = NDArray[np.float64]

_TERMS = 24  # enough for most tables at 95%
_NEGLIGIBLE = 1e-18  # of the sum; a term below it changes no bit
_BLOCK = 1024  # tables at a time, so that their terms fit the processor's cache
_CONVERGED = 1e-9  # of a Newton step; the next would be its square


def lower_rate_ratio(n: Floats, n_drug: Floats, n_other_drugs: Floats, tail: float) -> Floats:
    """Lower mid-p bound of a ratio of rates, where all events are among the drug's cases.

    Parameters
    ----------
    n
        Cases with the event, all of them with the drug; 1 or more.
    n_drug, n_other_drugs
        Cases with and without the drug; 1 or more.
    tail
        Mass beyond the bound, in (0, 1/2).

    Raises
    ------
    InputError
        If a count is not whole or below what is said above, or `tail` is not in (0, 1/2).

    Returns
    -------
    numpy.ndarray
        The rate ratio R at which half of the chance of what was observed is `tail`.

    Notes
    -----
    Given their number, each of the events is of the drug with the chance
    ``p = R n_drug / (R n_drug + n_other_drugs)``, independently if events are rare. All n are: the
    mid-p value is ``p^n / 2``, which is `tail` at ``p = (2 tail)^(1/n)``.

    References
    ----------
    .. [1] Przyborowski J, Wilenski H (1940). Homogeneity of results in testing samples from Poisson
       series. Biometrika 31(3/4), 313-323. doi:10.2307/2332612. The conditional test. Not read:
       derived above.
    .. [2] Berry G, Armitage P (1995). Mid-P confidence intervals: a brief review. The Statistician
       44(4), 417-423. doi:10.2307/2348891. Not read.

    Examples
    --------
    All 6 cases of the event are of a drug with 6 of 410 cases: p = 0.05^(1/6) = 0.607, and its odds
    are 404/6 times smaller without the drug.

    >>> lower_rate_ratio(np.array([6.0]), np.array([6.0]), np.array([404.0]), 0.025).item()
    103.9818
    """
    where = "lower_rate_ratio"
    n, n_drug, n_other_drugs = (
        whole_numbers(values, name, where=where, least=1).astype(np.float64)
        for values, name in (
            (n, "n"),
            (n_drug, "n_drug"),
            (n_other_drugs, "n_other_drugs"),
        )
    )
    odds = 1 / np.expm1(-np.log(2 * _sound(tail, where=where)) / n)  # p / (1 - p)
    return np.asarray(odds * (n_other_drugs / n_drug))


def lower_odds_ratio(a: Floats, b: Floats, c: Floats, d: Floats, tail: float) -> Floats:
    """Lower mid-p bound of an odds ratio, where b or c is 0: exact, given the margins.

    Parameters
    ----------
    a, b, c, d
        Cells of each 2x2 table; b c = 0, a and d 1 or more.
    tail
        Mass beyond the bound, in (0, 1/2).

    Raises
    ------
    InputError
        If a count is not whole or below what is said above, b and c are both above 0, or `tail` is
        not in (0, 1/2).

    Returns
    -------
    numpy.ndarray
        The odds ratio at which half of the chance of what was observed is `tail`.

    Notes
    -----
    Given the margins, the chance of a table is proportional to ``t^j`` times the number of ways to
    make it, where t is the reciprocal of the odds ratio and j by how much its `a` falls short of
    the observed one, the largest there is (the noncentral hypergeometric distribution). So the
    bound is 1/t, with t the root of::

        sum over j of r(j) t^j = 1 / (2 tail)
        r(0) = 1,  r(j + 1) / r(j) = (a - j)(d - j) / ((b + j + 1)(c + j + 1))

    ln of the sum is convex in ln t; Newton's method is begun where ``(1 + r(1) t / m)^m`` is
    1 / (2 tail), with m the smaller of a and d. It is no less than the sum, and nearly equal to it
    where the drug and the rest have many other cases.

    References
    ----------
    .. [1] Fisher RA (1935). The logic of inductive inference. Journal of the Royal Statistical
       Society 98(1), 39-82. The distribution.
    .. [2] Berry G, Armitage P (1995). Mid-P confidence intervals: a brief review. The Statistician
       44(4), 417-423. doi:10.2307/2348891. Not read: derived above.

    Examples
    --------
    Fisher's tea tasting without an error: 1 + 16 t + 36 t^2 + 16 t^3 + t^4 = 20.

    >>> none = np.zeros(1)
    >>> lower_odds_ratio(none + 4, none, none, none + 4, 0.025).item()
    2.0039
    """
    where = "lower_odds_ratio"
    a, b, c, d = (
        whole_numbers(cell, name, where=where, least=least).astype(np.float64)
        for cell, name, least in ((a, "a", 1), (b, "b", 0), (c, "c", 0), (d, "d", 1))
    )
    if np.any(np.minimum(b, c) > 0):
        msg = f"{where}: b or c must be 0; got {int(np.sum(np.minimum(b, c) > 0))} of both above"
        raise InputError(msg)
    wanted = -np.log(2 * _sound(tail, where=where))
    cells = np.array([a, b, c, d])
    m = np.minimum(a, d)
    t = m * np.expm1(wanted / m) * (b + 1) * (c + 1) / (a * d)
    several = np.flatnonzero(m > 1)  # with m = 1 the sum has two terms, and t is its root
    for start in range(0, several.size, _BLOCK):
        active = several[start : start + _BLOCK]
        while active.size:
            total, weighted = _sums(t[active], cells[:, active])
            step = (wanted - np.log(total)) * total / weighted
            t[active] *= np.exp(step)
            active = active[np.abs(step) > _CONVERGED]
    return np.asarray(1 / t)


def _sums(t: Floats, cells: Floats) -> tuple[Floats, Floats]:
    """Return the sums over j of r(j) t^j and of j r(j) t^j.

    A row's sums do not depend on the other rows: they are added in the order of j, and terms
    beyond those it needs change no bit.
    """
    n_terms = _TERMS
    while True:
        j = np.arange(n_terms, dtype=np.float64)
        a, b, c, d = cells[:, :, None]
        terms = np.cumprod((a - j) * (d - j) / ((b + j + 1) * (c + j + 1)) * t[:, None], axis=1)
        weighted = (j + 1) * terms
        last, sums = weighted[:, -1], np.cumsum(weighted, axis=1)[:, -1]
        if np.all(last <= _NEGLIGIBLE * sums):
            return 1 + np.cumsum(terms, axis=1)[:, -1], sums
        n_terms *= 2


def _sound(tail: float, *, where: str) -> float:
    if not 0 < tail < 0.5:
        msg = f"{where}: tail must lie in (0, 1/2); got {tail!r}"
        raise InputError(msg)
    return tail


def prr_lower_bound(counts: pl.DataFrame, tail: float) -> pl.Expr:
    """Return, of the rows of this frame, the lower bound of each unbounded PRR; null of others."""
    n, n_drug, n_event, n_total = _margins(counts)
    rows = np.flatnonzero((n > 0) & (n == n_event) & (n_drug < n_total))
    bounds = lower_rate_ratio(n[rows], n_drug[rows], (n_total - n_drug)[rows], tail)
    return _of_rows(rows, bounds, counts.height)


def ror_lower_bound(counts: pl.DataFrame, tail: float) -> pl.Expr:
    """Return, of the rows of this frame, the lower bound of each unbounded ROR; null of others."""
    n, n_drug, n_event, n_total = _margins(counts)
    a, b, c = n, n_drug - n, n_event - n
    d = n_total - n_drug - c
    rows = np.flatnonzero((np.minimum(b, c) == 0) & (np.minimum(a, d) > 0))
    bounds = lower_odds_ratio(a[rows], b[rows], c[rows], d[rows], tail)
    return _of_rows(rows, bounds, counts.height)


def _margins(counts: pl.DataFrame) -> tuple[Floats, ...]:
    # Through Int64: NumPy has no Int128.
    return tuple(counts[name].cast(pl.Int64).to_numpy().astype(np.float64) for name in MARGINS)


def _of_rows(rows: NDArray[np.intp], bounds: Floats, height: int) -> pl.Expr:
    if not rows.size:
        return pl.lit(None, pl.Float64)
    column = np.full(height, np.nan)
    column[rows] = bounds
    return pl.lit(pl.Series(column, nan_to_null=True))
