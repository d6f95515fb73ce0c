"""Poisson regression with an L1 penalty (LASSO), of event counts on the products named."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logsumexp

__all__ = ["poisson_lasso"]

Floats = npt.NDArray[np.float64]

_SLOPE = 1e-4  # of the penalised likelihood at the end of a fit, as a share of the penalty
_NOT_CONVERGED = 1e-2  # the same: with more, a fit says nothing
_LEAST_RATE = 1e-6  # log rate ratio below which a coefficient is 0


def poisson_lasso(
    named: npt.NDArray[np.bool_],
    n_event: npt.NDArray[np.int64],
    expected: Floats,
    penalties: Floats,
) -> Floats:
    """Log rate ratios of products by an L1-penalised Poisson regression, with a free intercept.

    Parameters
    ----------
    named
        One row a group of cases, one column a product: whether the cases name it.
    n_event, expected
        Of each group: cases with the event; those expected without any product's effect [cases].
    penalties
        Of each product, above 0: times the absolute coefficient, taken off the log likelihood.

    Returns
    -------
    numpy.ndarray
        A coefficient for each product [log rate ratio]; all are NaN if the fit did not converge.

    Notes
    -----
    Given the sum Y of `n_event`, the intercept leaves the likelihood (its maximum is in closed
    form), and the coefficients b minimise::

        Y log(sum over groups g of E(g) exp(x(g) b)) - sum of n_event(g) x(g) b + sum of w |b|

    With b as a difference of two parts that are not negative, the problem is smooth and has
    bounds: a truncated Newton method of SciPy solves it from 0, with nothing drawn at random. It is
    convex: b is the minimum if the slope is at most the penalty where b is 0, and else equals it.

    Examples
    --------
    The penalty takes one case of 30: (29 / 91) / (10 / 90).

    >>> import numpy as np
    >>> named = np.array([[False], [True]])
    >>> found = poisson_lasso(named, np.array([90, 30]), np.array([90.0, 10.0]), np.ones(1))
    >>> float(np.exp(found.item()))
    2.868
    """
    exposed = expected > 0  # a stratum without the event has none expected, and none observed
    scaled = named[exposed] / penalties
    log_expected = np.log(expected[exposed])
    observed = n_event[exposed].astype(np.float64)
    total, towards = observed.sum(), scaled.T @ observed
    size = len(penalties)

    def negative(parts: Floats) -> tuple[float, Floats]:
        """Return the penalised negative log likelihood and its slopes."""
        line = log_expected + scaled @ (parts[:size] - parts[size:])
        normaliser = float(logsumexp(line))
        slope = scaled.T @ (np.exp(line - normaliser) * total) - towards
        value = total * normaliser - towards @ (parts[:size] - parts[size:]) + parts.sum()
        return float(value), np.concatenate([slope + 1, 1 - slope])

    found = minimize(
        negative,
        np.zeros(2 * size),
        jac=True,
        method="TNC",
        bounds=[(0, None)] * (2 * size),
        options={"gtol": _SLOPE, "ftol": 0.0, "xtol": 0.0, "maxfun": 20_000},
    )
    parts = found.x
    slopes = negative(parts)[1]
    left = np.where(parts > 0, np.abs(slopes), np.maximum(-slopes, 0))
    if not left.max(initial=0) <= _NOT_CONVERGED:
        return np.full(size, np.nan)
    rates: Floats = (parts[:size] - parts[size:]) / penalties
    rates[np.abs(rates) < _LEAST_RATE] = 0
    return rates
