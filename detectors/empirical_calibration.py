"""Empirical calibration: p-values and bounds that allow for the bias negative controls show."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from schemas.errors import InputError

__all__ = [
    "EmpiricalNull",
    "calibrated_lower",
    "calibrated_p_value",
    "fit_empirical_null",
]

Floats = NDArray[np.float64]

_GRID = 64  # standard deviations at which the likelihood is compared before it is maximised


class EmpiricalNull(NamedTuple):
    """Distribution of the log estimates of pairs without an effect, beyond sampling error.

    Attributes
    ----------
    mean, sd
        Of a normal distribution, on the natural log scale.
    n_controls
        Negative controls it was fitted to.
    """

    mean: float
    sd: float
    n_controls: int


def fit_empirical_null(log_estimates: ArrayLike, standard_errors: ArrayLike) -> EmpiricalNull:
    """Fit the empirical null to negative controls by maximum likelihood.

    Confounding and selective reporting move estimates of unrelated pairs away from 1, by more than
    chance does; the controls show how far. Its known failure is the choice of controls: they have
    to suffer the biases of the pairs that are judged. The maximum likelihood estimate of `sd` is
    too small on average, noticeably below some ten controls.

    Parameters
    ----------
    log_estimates
        Natural logs of the ratios, such as observed to expected; one value a control.
    standard_errors
        Their standard errors, more than 0.

    Returns
    -------
    EmpiricalNull
        Mean and standard deviation; the latter is 0 if chance explains the spread.

    Raises
    ------
    InputError
        If there is no control, the lengths differ, or a value is not finite or an error not
        positive.

    Notes
    -----
    Control i with the estimate y_i and the standard error s_i has the likelihood of a normal
    distribution, integrated over its own systematic error::

        y_i ~ N(mean, sd^2 + s_i^2)

    For each `sd` the best mean is the weighted one, with the weights 1 / (sd^2 + s_i^2).

    References
    ----------
    .. [1] Schuemie MJ, Ryan PB, DuMouchel W, Suchard MA, Madigan D (2014). Interpreting
       observational studies: why empirical calibration is needed to correct p-values. Statistics in
       Medicine 33(2), 209-218. doi:10.1002/sim.5925. (Not read; the formulas as in the
       authors' R package EmpiricalCalibration, `fitNull` and `calibrateP`.)

    Examples
    --------
    Of equal errors: the mean, and the variance without that of the errors.

    >>> fit_empirical_null([0.0, 1.0, 2.0], [0.5, 0.5, 0.5])
    EmpiricalNull(mean=1.0, sd=0.6455, n_controls=3)
    """
    estimates, variances = _checked("fit_empirical_null", log_estimates, standard_errors)
    if len(estimates) == 0:
        msg = "fit_empirical_null: there must be a negative control; got none"
        raise InputError(msg)
    largest = float(np.ptp(estimates))  # the likelihood falls beyond it
    grid = np.linspace(0.0, largest, _GRID)
    best = int(np.argmin([_minus_log_likelihood(sd, estimates, variances) for sd in grid]))
    sd = float(grid[best])
    if largest > 0:
        # Here, not above: it takes a third of a second to load.
        from scipy.optimize import minimize_scalar

        found = minimize_scalar(
            _minus_log_likelihood,
            bounds=(grid[max(best - 1, 0)], grid[min(best + 1, _GRID - 1)]),
            args=(estimates, variances),
            method="bounded",
            options={"xatol": 1e-10 * largest},
        )
        if found.fun < _minus_log_likelihood(sd, estimates, variances):
            sd = float(found.x)
    return EmpiricalNull(_mean(sd, estimates, variances), sd, len(estimates))


def calibrated_p_value(
    log_estimates: ArrayLike, standard_errors: ArrayLike, null: EmpiricalNull
) -> Floats:
    """Two-sided p-value of estimates against the empirical null instead of a ratio of 1.

    It counts systematic error as part of what happens without an effect. Its known failure is that
    of `fit_empirical_null`; the uncertainty of `null` itself is left out.

    Parameters
    ----------
    log_estimates, standard_errors
        As in `fit_empirical_null`, of the pairs to judge.
    null
        The fitted null.

    Returns
    -------
    numpy.ndarray
        p-values, one a pair.

    Raises
    ------
    InputError
        As in `fit_empirical_null`; no pair is allowed.

    Notes
    -----
    With z = (y - mean) / sqrt(sd^2 + s^2), twice the smaller of the two normal tails beyond z.

    References
    ----------
    .. [1] As in `fit_empirical_null`.

    Examples
    --------
    A tripled ratio is nothing unusual where the controls are doubled on average:

    >>> null = EmpiricalNull(mean=np.log(2), sd=0.3, n_controls=40)
    >>> calibrated_p_value([np.log(3)], [0.2], null)
    array([0.26078])
    """
    estimates, variances = _checked("calibrated_p_value", log_estimates, standard_errors)
    z = (estimates - null.mean) / np.sqrt(null.sd**2 + variances)
    p: Floats = 2 * ndtr(-np.abs(z))
    return p


def calibrated_lower(
    log_estimates: ArrayLike,
    standard_errors: ArrayLike,
    null: EmpiricalNull,
    *,
    level: float = 0.95,
) -> Floats:
    """Lower bound of log ratios, corrected by the bias and widened by the spread of the controls.

    Above 0 where the calibrated p-value is below ``1 - level`` and the ratio is raised. Its known
    failure, beside that of `fit_empirical_null`: it assumes that systematic error is the same for
    large ratios as for the controls, whose true ratio is 1.

    Parameters
    ----------
    log_estimates, standard_errors
        As in `fit_empirical_null`, of the pairs to judge.
    null
        The fitted null.
    level
        Mass of the equal-tailed interval, in (0, 1).

    Returns
    -------
    numpy.ndarray
        Lower bounds on the natural log scale, one a pair.

    Raises
    ------
    InputError
        As in `fit_empirical_null`, or if `level` is not in (0, 1); no pair is allowed.

    Notes
    -----
    ``y - mean - z * sqrt(sd^2 + s^2)`` with z the normal quantile of (1 + level) / 2: the model of
    systematic error with a slope of 1 and a constant spread, as in `convertNullToErrorModel` of the
    R package EmpiricalCalibration.

    References
    ----------
    .. [1] As in `fit_empirical_null`.

    Examples
    --------
    >>> null = EmpiricalNull(mean=np.log(2), sd=0.3, n_controls=40)
    >>> calibrated_lower([np.log(3), np.log(9)], [0.2, 0.2], null)
    array([-0.30121,  0.79740])
    """
    estimates, variances = _checked("calibrated_lower", log_estimates, standard_errors)
    if not 0 < level < 1:
        msg = f"calibrated_lower: level must be in (0, 1); got {level}"
        raise InputError(msg)
    lower: Floats = estimates - null.mean - ndtri((1 + level) / 2) * np.sqrt(null.sd**2 + variances)
    return lower


def _checked(
    where: str, log_estimates: ArrayLike, standard_errors: ArrayLike
) -> tuple[Floats, Floats]:
    """Return estimates and the variances of their sampling errors."""
    try:
        estimates = np.atleast_1d(np.asarray(log_estimates, dtype=np.float64))
        errors = np.atleast_1d(np.asarray(standard_errors, dtype=np.float64))
    except (TypeError, ValueError) as error:
        msg = f"{where}: log estimates and standard errors must be numbers; got {error}"
        raise InputError(msg) from error
    if estimates.shape != errors.shape or estimates.ndim != 1:
        msg = f"{where}: each log estimate must have one standard error; got the shapes "
        msg += f"{estimates.shape} and {errors.shape}"
        raise InputError(msg)
    wrong = ~(np.isfinite(estimates) & np.isfinite(errors) & (errors > 0))
    if wrong.any():
        first = int(np.argmax(wrong))
        msg = f"{where}: log estimates must be finite, standard errors finite and more than 0; got "
        msg += f"{estimates[first]} and {errors[first]} at {first}"
        raise InputError(msg)
    return estimates, errors**2


def _mean(sd: float, estimates: Floats, variances: Floats) -> float:
    weights = 1 / (sd**2 + variances)
    return float(weights @ estimates / weights.sum())


def _minus_log_likelihood(sd: float, estimates: Floats, variances: Floats) -> float:
    """Return minus the log likelihood at its best mean, less a constant."""
    total = sd**2 + variances
    residuals = estimates - _mean(sd, estimates, variances)
    return float((np.log(total) + residuals**2 / total).sum() / 2)
