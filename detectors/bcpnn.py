"""The information component of the Bayesian confidence propagation neural network, BCPNN."""

import math
from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import digamma, ndtri, zeta

from detectors.intervals import tail_mass
from schemas.counts import require_counts

__all__ = ["bcpnn"]

Floats = NDArray[np.float64]


def bcpnn(counts: pl.DataFrame, *, level: float = 0.95) -> pl.DataFrame:
    """Information component of the BCPNN: log2 of the observed over the expected share.

    For comparison with databases and papers that used it; `information_component` replaced
    it at the UMC. Its known failure is the interval: normal, so too narrow above and too wide
    below when cases are few, where the posterior is skewed.

    Parameters
    ----------
    counts
        Columns of `schemas.counts.COUNTS`; one row a pair; unit: cases.
    level
        Mass of the equal-tailed interval, in (0, 1).

    Returns
    -------
    polars.DataFrame
        `counts`, same order, and `bcpnn`, `bcpnn_lower`, `bcpnn_upper` [log2 units].

    Raises
    ------
    CountsError
        If the counts cannot belong to one 2x2 table.
    InputError
        If `level` is not in (0, 1).

    Notes
    -----
    Beta posteriors of the pair's share and of both margins, taken as independent. With
    a = n_observed, N = n_total, p = 1 + n_drug, q = 1 + n_event, psi the digamma and psi' the
    trigamma function, and s = N + (N + 2)^2 / (p q)::

        bcpnn ln 2 = psi(1 + a) - psi(s) - psi(p) + psi(N + 2) - psi(q) + psi(N + 2)
        var (ln 2)^2 = psi'(1 + a) - psi'(s) + psi'(p) - psi'(N + 2) + psi'(q) - psi'(N + 2)
        bounds = bcpnn -+ z sqrt(var)

    These are the closed forms of R's PhViD and of vigipy, which take other margins (sums over
    pairs, not cases). Their lower bound is often printed as "IC025", a name that belongs to
    another number: 4.70 against 5.70 for 41 cases where 0.07 are expected (docs/adr/0002).

    Defined for every table, whatever cells or margins are zero.

    References
    ----------
    .. [1] Bate A, Lindquist M, Edwards IR, Olsson S, Orre R, Lansner A, De Freitas RM (1998). A
       Bayesian neural network method for adverse drug reaction signal generation. European
       Journal of Clinical Pharmacology 54(4), 315-321. doi:10.1007/s002280050466.
    .. [2] Gould AL (2003). Practical pharmacovigilance analysis strategies. Pharmacoepidemiology
       and Drug Safety 12(7), 559-574. doi:10.1002/pds.771.

    Examples
    --------
    >>> import polars as pl
    >>> row = pl.DataFrame({"n_observed": 41, "n_drug": 55, "n_event": 795, "n_total": 592767})
    >>> bcpnn(row).row(0)[4:]
    (5.2843, 4.6955, 5.8731)
    """
    require_counts(counts, where="bcpnn")
    z = -float(ndtri(tail_mass(level, where="bcpnn")))
    a, p, q, total = (
        counts[name].cast(pl.Int64) for name in ("n_observed", "n_drug", "n_event", "n_total")
    )
    both = total.cast(pl.Float64).to_numpy() + 2
    margins = (p.cast(pl.Float64).to_numpy() + 1) * (q.cast(pl.Float64).to_numpy() + 1)
    shares = both - 2 + both * (both / margins)

    def combined(function: Callable[[Floats], Floats], sign: int) -> Floats:
        everyone = _of_distinct(function, total, 2)
        own = _of_distinct(function, a, 1) - function(shares)
        rest = _of_distinct(function, p, 1) - everyone + _of_distinct(function, q, 1) - everyone
        combination: Floats = own + sign * rest
        return combination

    mean = combined(digamma, -1) / math.log(2)
    spread = z * np.sqrt(combined(_trigamma, 1)) / math.log(2)
    return counts.with_columns(
        pl.Series("bcpnn", mean),
        pl.Series("bcpnn_lower", mean - spread),
        pl.Series("bcpnn_upper", mean + spread),
    )


def _trigamma(x: Floats) -> Floats:
    result: Floats = zeta(2, x)
    return result


def _of_distinct(function: Callable[[Floats], Floats], column: pl.Series, added: int) -> Floats:
    """Return ``function(column + added)``; a margin has few distinct values, so each only once."""
    distinct = column.unique()
    values = pl.Series(function(distinct.to_numpy() + float(added)), dtype=pl.Float64)
    return column.replace_strict(distinct, values, return_dtype=pl.Float64).to_numpy()
