"""E-values: evidence valid under repeated looks, closed under products and averages."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincc, gammaln

from detectors.arguments import finite_numbers, require_whole, whole_numbers
from schemas.errors import InputError

__all__ = [
    "e_benjamini_hochberg",
    "e_bh_levels",
    "poisson_excess_e_value",
    "poisson_gamma_e_value",
]

Floats = NDArray[np.float64]

_FAR = 1e-200  # a tail from which on its logarithm is computed by itself, before it underflows


def poisson_gamma_e_value(
    n_observed: ArrayLike, expected: ArrayLike, *, shape: float = 1.0
) -> Floats:
    """Anytime-valid e-value of observed cases against an external expected count.

    Under the null it ever reaches 20 with a probability of at most 5%, with no horizon set in
    advance. It is two-sided: a deficit counts as evidence too; for alarms, use
    `poisson_excess_e_value`. Like MaxSPRT, it trusts `expected`.

    Parameters
    ----------
    n_observed
        Cases observed so far, 0 or more.
    expected
        Cases expected so far without an effect, 0 or more; each day's part known before the day.
        Margins that contain the report will not do.
    shape
        Shape and rate g of the gamma distribution over rate ratios, more than 0; its mean is 1.

    Returns
    -------
    numpy.ndarray
        E-value; 1 is no evidence. Alarm at ``1 / level`` or more.

    Raises
    ------
    InputError
        If a count is not whole or an expected count not finite, one is negative, or `shape` is not
        positive.

    Notes
    -----
    The likelihood ratio against the null, averaged over a gamma distribution of rate ratios. With
    n cases where mu are expected::

        e = g^g / Gamma(g) * Gamma(n + g) / (mu + g)^(n + g) * exp(mu)

    Ville's inequality bounds the chance that it ever reaches 1 / level. Clipped below at 1,
    restarted, or replaced by its running maximum it is an e-value no more. inf beyond 1.8e308.

    References
    ----------
    .. [1] Ville J (1939). Étude critique de la notion de collectif. Gauthier-Villars, Paris.
       (Not read.)

    Examples
    --------
    5! e / 2^6:

    >>> poisson_gamma_e_value(5, 1).item()
    5.0968
    """
    where = "poisson_gamma_e_value"
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(_log_e_value(n_observed, expected, shape, where=where)[0]))


def poisson_excess_e_value(
    n_observed: ArrayLike, expected: ArrayLike, *, shape: float = 1.0
) -> Floats:
    """Anytime-valid e-value of more cases than an external expected count: one-sided, for alarms.

    Under any rate of at most the expected one it ever reaches 20 with a probability of at most 5%,
    with no horizon set in advance. A deficit is no evidence, unlike in `poisson_gamma_e_value`,
    and an expected count that is too large does not break the promise; one that is too small does.

    Parameters
    ----------
    n_observed, expected, shape
        As for `poisson_gamma_e_value`.

    Returns
    -------
    numpy.ndarray
        E-value; 1 is no evidence. Alarm at ``1 / level`` or more.

    Raises
    ------
    InputError
        If a count is not whole or an expected count not finite, one is negative, or `shape` is not
        positive.

    Notes
    -----
    The likelihood ratio against the null, averaged over rate ratios from a gamma distribution of
    mean 1 that is truncated to those above 1. With e the two-sided e-value, and Q the regularized
    upper incomplete gamma function::

        e_excess = e * Q(n + g, mu + g) / Q(g, g)

    Valid for all rates theta mu with theta <= 1: the mean of ``r^n exp(-mu (r - 1))`` under such a
    rate is ``exp(-mu (r - 1)(1 - theta))``, which is at most 1 for every r above 1. Ville's
    inequality for a nonnegative supermartingale gives the bound. inf beyond 1.8e308.

    References
    ----------
    .. [1] Ville J (1939). Étude critique de la notion de collectif. Gauthier-Villars, Paris.
       (Not read: the bound is derived above.)

    Examples
    --------
    At g = 1, the sum over k of n! / ((n - k)! 2^(k + 1)), here 1/2 + 5/4 + 20/8 + 60/16 + 120/32
    + 120/64; without a case, 1/2:

    >>> poisson_excess_e_value([5, 0], 1)
    array([13.625,  0.5  ])
    """
    where = "poisson_excess_e_value"
    log_e, n, mu = _log_e_value(n_observed, expected, shape, where=where)
    log_share = _log_upper_gamma(n + shape, mu + shape) - np.log(gammaincc(shape, shape))
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(log_e + log_share))


def _log_e_value(
    n_observed: ArrayLike, expected: ArrayLike, shape: float, *, where: str
) -> tuple[Floats, Floats, Floats]:
    """Return the logarithm of the two-sided e-value, the counts and the expected cases."""
    n = whole_numbers(n_observed, "n_observed", where=where).astype(np.float64)
    mu = finite_numbers(expected, "expected", where=where)
    if not 0 < shape < float("inf"):
        msg = f"{where}: shape must be a positive number; got {shape!r}"
        raise InputError(msg)
    constant = shape * np.log(shape) - gammaln(shape)
    log_e = constant + gammaln(n + shape) - (n + shape) * np.log(mu + shape) + mu
    return log_e, *np.broadcast_arrays(n, mu)


def _log_upper_gamma(a: Floats, x: Floats) -> Floats:
    """Return ln Q(a, x), also where Q underflows: far above the mean, by a continued fraction."""
    q = np.asarray(gammaincc(a, x))
    far = q < _FAR
    log_q = np.array(np.log(np.where(far, 1.0, q)))
    if np.any(far):
        a, x = np.asarray(a)[far], np.asarray(x)[far]
        log_q[far] = a * np.log(x) - x - gammaln(a) + np.log(_legendre(a, x))
    return log_q


def _legendre(a: Floats, x: Floats) -> Floats:
    """Return ``1/(x+1-a- 1(1-a)/(x+3-a- 2(2-a)/(x+5-a- ...)))``, for x well above a (Lentz)."""
    b = x + 1 - a
    d = 1 / b
    c = np.full_like(b, np.inf)
    value, k, factor = d, 0, np.full_like(b, 2.0)
    while np.any(np.abs(factor - 1) > 1e-15):
        k += 1
        term = k * (a - k)
        b = b + 2
        d = 1 / (b + term * d)
        c = b + term / c
        factor = c * d
        value = value * factor
    return value


def e_bh_levels(e_values: ArrayLike, *, n_hypotheses: int | None = None) -> Floats:
    """Smallest false discovery rate at which e-BH flags each hypothesis.

    The counterpart of the adjusted p-value of Benjamini-Hochberg. Valid under any dependence of
    the e-values, such as that of pairs that share a drug or an event, at one evaluation that is
    fixed beforehand. Its known failure is repetition; the notes say what is proven.

    Parameters
    ----------
    e_values
        One a hypothesis, 0 or more. Hypotheses left out count as never flagged.
    n_hypotheses
        How many were tested, those left out included. Pairs are listed because somebody reported
        them, which is a selection: all pairs that could have been reported were tested. As many as
        `e_values` unless told otherwise.

    Returns
    -------
    numpy.ndarray
        Level, same order; flag where it is at most the false discovery rate wanted. Above 1: never.

    Raises
    ------
    InputError
        If an e-value is negative or not a number, `n_hypotheses` is not a whole number, or there
        are more e-values than hypotheses.

    Notes
    -----
    With K hypotheses and e[k] the k-th largest e-value::

        level of the i-th largest = min over k >= i of K / (k e[k])

    At a fixed evaluation the expected share of false ones among those flagged at a level is at most
    that level [1]_. With a family that is fixed, the same holds at a time chosen by what was seen,
    if it is a stopping time of the filtration that all e-values share, and each is an e-process in
    it [2]_. The union of what was flagged at several evaluations has no such bound [3]_. While the
    number of hypotheses grows, as drugs and events are seen for the first time, the proof for
    stopping times fails: fix the family for a period.

    References
    ----------
    .. [1] Wang R, Ramdas A (2022). False discovery rate control with e-values. Journal of the Royal
       Statistical Society B 84(3), 822-852. doi:10.1111/rssb.12489. (Not read.)
    .. [2] Anytime-valid FDR control with the stopped e-BH procedure (2025). arXiv 2502.08539.
       Abstract read.
    .. [3] Tavyrikov Y, Goeman JJ, de Heide R (2025). Carefree multiple testing with e-processes.
       arXiv 2501.19360. Abstract read: e-BH on the suprema of e-processes does not keep its level.

    Examples
    --------
    3 / (1 x 90), 3 / (2 x 20), 3 / (3 x 1):

    >>> e_bh_levels([20, 90, 1]).tolist()
    [0.075, 0.0333, 1.0]
    """
    where = "e_bh_levels"
    e = np.asarray(e_values, float)
    if not np.all(e >= 0):  # an e-value of inf is one
        msg = f"{where}: e-values must be 0 or more; got {e[~(e >= 0)][0]!r}"
        raise InputError(msg)
    total = len(e)
    if n_hypotheses is not None:
        total = require_whole(n_hypotheses, "n_hypotheses", where=where, least=0)
    if total < len(e):
        msg = f"{where}: n_hypotheses must be {len(e)} e-values or more; got {n_hypotheses!r}"
        raise InputError(msg)
    order = np.argsort(-e, kind="stable")
    with np.errstate(divide="ignore", over="ignore"):  # an e-value of 0 is never flagged
        own = total / np.arange(1, len(e) + 1) / e[order]
    levels: Floats = np.empty_like(own)
    levels[order] = np.minimum.accumulate(own[::-1])[::-1]
    return levels


def e_benjamini_hochberg(
    e_values: ArrayLike, level: float = 0.05, *, n_hypotheses: int | None = None
) -> NDArray[np.bool_]:
    """Flag hypotheses by the e-BH procedure at a false discovery rate.

    Parameters
    ----------
    e_values
        One a hypothesis, 0 or more.
    level
        False discovery rate, in (0, 1).
    n_hypotheses
        How many were tested, those left out included; see `e_bh_levels`.

    Returns
    -------
    numpy.ndarray
        Whether each is flagged, same order.

    Raises
    ------
    InputError
        As `e_bh_levels`, or if `level` is not in (0, 1).

    Notes
    -----
    Flags the k largest, k the largest number with ``e[k] >= K / (k level)``. `e_bh_levels` says at
    which times the false discovery rate is bounded, and that over a union of them it is not.

    References
    ----------
    .. [1] Wang R, Ramdas A (2022). False discovery rate control with e-values. Journal of the Royal
       Statistical Society B 84(3), 822-852. doi:10.1111/rssb.12489. (Not read.)

    Examples
    --------
    3 / (1 x 0.05) = 60 is the line for the largest:

    >>> e_benjamini_hochberg([20, 90, 1]).tolist()
    [False, True, False]
    """
    if not 0 < level < 1:
        msg = f"e_benjamini_hochberg: level must lie in (0, 1); got {level!r}"
        raise InputError(msg)
    return e_bh_levels(e_values, n_hypotheses=n_hypotheses) <= level
