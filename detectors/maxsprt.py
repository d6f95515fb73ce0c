"""Poisson MaxSPRT: observed against an external expected count, under continuous monitoring."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import lambertw

from detectors.arguments import finite_numbers, require_whole, whole_numbers
from schemas.errors import InputError

__all__ = ["maxsprt_critical_value", "maxsprt_crossing_probability", "maxsprt_llr"]

Floats = NDArray[np.float64]

_NEGLIGIBLE = 1e-30  # a Poisson term this small changes no digit of a probability near `level`


def maxsprt_llr(n_observed: ArrayLike, expected: ArrayLike) -> Floats:
    """Log-likelihood ratio of the observed count at its best rate against the expected one.

    For pairs whose expected count is known from outside: doses distributed times a background
    rate, or negative controls. Its known failure is an expected count that is wrong: with
    historical rates, published type 1 errors reach 20 to 100%.

    Parameters
    ----------
    n_observed
        Cases observed so far, 0 or more.
    expected
        Cases expected so far without an effect, 0 or more. It must come from outside: margins that
        contain the report follow it, and then neither the statistic nor its critical value means
        anything.

    Returns
    -------
    numpy.ndarray
        Log-likelihood ratio [nats]; compare it with `maxsprt_critical_value`.

    Raises
    ------
    InputError
        If a count is not whole or an expected count not finite, or one is negative.

    Notes
    -----
    With n cases where mu are expected::

        LLR = n ln(n / mu) - (n - mu)   where n > mu, else 0

    n = 0: 0. mu = 0 with a case: inf.

    References
    ----------
    .. [1] Kulldorff M, Davis RL, Kolczak M, Lewis E, Lieu T, Platt R (2011). A maximized
       sequential probability ratio test for drug and vaccine safety surveillance. Sequential
       Analysis 30(1), 58-78. doi:10.1080/07474946.2011.539924. (Not read.)

    Examples
    --------
    5 ln 5 - 4:

    >>> maxsprt_llr(5, 1).item()
    4.0472
    """
    where = "maxsprt_llr"
    n, mu = np.broadcast_arrays(
        whole_numbers(n_observed, "n_observed", where=where).astype(np.float64),
        finite_numbers(expected, "expected", where=where),
    )
    excess = n > mu
    with np.errstate(divide="ignore"):  # no case was expected: the ratio is unbounded
        ratio = np.log(np.divide(n, mu, where=excess, out=np.ones(n.shape)))
    return np.where(excess, n * ratio - (n - mu), 0.0)


def maxsprt_crossing_probability(
    critical_value: float, horizon: float, minimum_events: int = 1
) -> float:
    """Type 1 error: probability under the null to reach the critical value before the horizon.

    Exact, not simulated: a recursion over the events.

    Parameters
    ----------
    critical_value
        Log-likelihood ratio at which the test rejects, more than 0 [nats].
    horizon
        Expected cases at which surveillance ends, more than 0.
    minimum_events
        Cases below which the test never rejects, 1 or more.

    Returns
    -------
    float
        Probability under the null, with continuous monitoring.

    Raises
    ------
    InputError
        If an argument is out of its range.

    Notes
    -----
    The n-th case rejects if it comes while mu <= mu_n, where LLR(n, mu_n) = critical value::

        mu_n = -n W0(-exp(-1 - critical value / n))          W0: Lambert's function

    So the test stays silent if and only if fewer than n cases have come at mu_n, for every
    n >= minimum_events with mu_n below the horizon, and at the horizon itself for the next n. Cases
    between two such points are Poisson, and the counts that reject are removed at each.

    References
    ----------
    .. [1] Kulldorff M, Silva IR (2017). Continuous post-market sequential safety surveillance with
       minimum events to signal. REVSTAT 15(3), 373-394. (Not read.)

    Examples
    --------
    >>> maxsprt_crossing_probability(2.8539371, horizon=1)
    0.0500000
    """
    where = "maxsprt_crossing_probability"
    _require_design(where, horizon, minimum_events)
    if not 0 < critical_value < float("inf"):
        msg = f"{where}: critical_value must be finite, and more than 0; got {critical_value!r}"
        raise InputError(msg)
    from scipy.stats import poisson  # imported late: every command would wait for it

    n = minimum_events
    expected = min(_latest_expected(n, critical_value), horizon)
    silent = poisson.pmf(np.arange(n), expected)  # chance of 0 .. n-1 cases so far and no rejection
    while expected < horizon:
        n += 1
        until = min(_latest_expected(n, critical_value), horizon)
        step = poisson.pmf(np.arange(n), until - expected)
        step = step[: np.flatnonzero(step > _NEGLIGIBLE)[-1] + 1]
        silent = np.convolve(silent, step)[:n]
        expected = until
    return float(1 - silent.sum())


def maxsprt_critical_value(horizon: float, minimum_events: int = 1, level: float = 0.05) -> float:
    """Critical value that is ever reached under the null with probability `level`.

    Valid for any number of looks up to the horizon; a longer surveillance needs another critical
    value from the start. Four minimum events signal sooner than one at the same level.

    Parameters
    ----------
    horizon
        Expected cases at which surveillance ends, more than 0.
    minimum_events
        Cases below which the test never rejects, 1 or more.
    level
        Chance of ever rejecting without an effect, in (0, 1).

    Returns
    -------
    float
        Critical value for `maxsprt_llr` [nats].

    Raises
    ------
    InputError
        If an argument is out of its range, or if even `minimum_events` cases before the horizon
        are no likelier than `level`: then no critical value has it.

    Notes
    -----
    The root of `maxsprt_crossing_probability` minus `level`, found in a bracket. Nothing is
    approximated but the arithmetic. Exact for an evaluation after every case; less
    frequent evaluations reject less often than `level`.

    References
    ----------
    .. [1] Kulldorff M, Davis RL, Kolczak M, Lewis E, Lieu T, Platt R (2011). A maximized
       sequential probability ratio test for drug and vaccine safety surveillance. Sequential
       Analysis 30(1), 58-78. doi:10.1080/07474946.2011.539924. (Not read.)
    .. [2] Kulldorff M, Silva IR (2017). Continuous post-market sequential safety surveillance with
       minimum events to signal. REVSTAT 15(3), 373-394. (Not read.)

    Examples
    --------
    >>> maxsprt_critical_value(10), maxsprt_critical_value(10, minimum_events=4)
    (3.4679516, 2.921561)
    """
    where = "maxsprt_critical_value"
    _require_design(where, horizon, minimum_events)
    if not 0 < level < 1:
        msg = f"{where}: level must lie in (0, 1); got {level!r}"
        raise InputError(msg)

    def excess(critical_value: float) -> float:
        return maxsprt_crossing_probability(critical_value, horizon, minimum_events) - level

    low, high = 1e-6, 1.0
    if excess(low) <= 0:
        msg = (
            f"{where}: {minimum_events} cases in excess must be likelier than level before the "
            f"horizon; got horizon {horizon!r}, level {level!r}"
        )
        raise InputError(msg)
    while excess(high) > 0:
        low, high = high, 2 * high
    from scipy.optimize import brentq  # as above

    return float(brentq(excess, low, high, xtol=1e-12, rtol=1e-14))


def _latest_expected(n: int, critical_value: float) -> float:
    """Return the expected count up to which the n-th case rejects."""
    return float(-n * lambertw(-np.exp(-1 - critical_value / n)).real)


def _require_design(where: str, horizon: float, minimum_events: int) -> None:
    if not 0 < horizon < float("inf"):
        msg = f"{where}: horizon must be a positive number of expected cases; got {horizon!r}"
        raise InputError(msg)
    require_whole(minimum_events, "minimum_events", where=where, least=1)
