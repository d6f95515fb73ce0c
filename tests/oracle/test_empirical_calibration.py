"""Empirical calibration against closed forms, and the likelihood integrated and recounted."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.stats import norm

from detectors.empirical_calibration import (
    EmpiricalNull,
    calibrated_lower,
    calibrated_p_value,
    fit_empirical_null,
)

NULL = EmpiricalNull(0.4, 0.3, 30)


def drawn(seed: int, size: int, sd: float) -> tuple[list[float], list[float]]:
    rng = np.random.default_rng(seed)
    errors = 1 / np.sqrt(rng.integers(1, 60, size))
    return (rng.normal(0.3, np.sqrt(sd**2 + errors**2))).tolist(), errors.tolist()


@pytest.mark.parametrize("error", [0.05, 0.2, 0.9, 3.0])
def test_of_equal_errors_the_fit_has_a_closed_form(error: float) -> None:
    estimates = [0.1, -0.5, 0.9, 1.6, 0.3, -0.2]
    mean = sum(estimates) / 6
    variance = sum((one - mean) ** 2 for one in estimates) / 6 - error**2
    null = fit_empirical_null(estimates, [error] * 6)
    assert null.mean == pytest.approx(mean, rel=1e-12)
    assert null.sd == pytest.approx(math.sqrt(max(variance, 0)), rel=1e-7)
    assert null.n_controls == 6


@pytest.mark.parametrize(("seed", "size", "sd"), [(1, 5, 0.5), (2, 40, 0.2), (3, 129, 0.7)])
def test_the_fit_is_the_maximum_of_the_product_of_densities(
    seed: int, size: int, sd: float
) -> None:
    estimates, errors = drawn(seed, size, sd)

    def loss(parameters: np.ndarray) -> float:
        mean, log_sd = parameters
        return -sum(
            norm.logpdf(y, mean, math.hypot(math.exp(log_sd), s))
            for y, s in zip(estimates, errors, strict=True)
        )

    found = minimize(
        loss, [0.0, -1.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13}
    )
    null = fit_empirical_null(estimates, errors)
    assert null.mean == pytest.approx(found.x[0], rel=1e-6)
    assert null.sd == pytest.approx(math.exp(found.x[1]), rel=1e-6)


def test_the_likelihood_integrates_over_the_systematic_error_of_each_control() -> None:
    # The paper's integral, of the sampling density times the null, against the density in use.
    estimates, errors = drawn(4, 12, 0.4)
    null = fit_empirical_null(estimates, errors)

    def log_likelihood(mean: float, sd: float) -> float:
        return sum(
            math.log(
                quad(
                    lambda error, y=y, s=s: norm.pdf(y, error, s) * norm.pdf(error, mean, sd),
                    mean - 12 * sd,
                    mean + 12 * sd,
                    points=[y],
                    epsabs=1e-14,
                )[0]
            )
            for y, s in zip(estimates, errors, strict=True)
        )

    best = log_likelihood(null.mean, null.sd)
    for shift in (-0.02, 0.02):
        assert log_likelihood(null.mean + shift, null.sd) < best
        assert log_likelihood(null.mean, null.sd + shift) < best


def test_a_spread_that_chance_explains_gives_no_systematic_error() -> None:
    assert fit_empirical_null([0.1, 0.2, 0.3], [1.0, 1.0, 1.0]) == (pytest.approx(0.2), 0.0, 3)
    assert fit_empirical_null([0.7], [0.1]) == (pytest.approx(0.7), 0.0, 1)
    assert fit_empirical_null([0.7, 0.7], [0.1, 0.2]) == (pytest.approx(0.7), 0.0, 2)


@pytest.mark.parametrize("y", [-2.0, 0.1, 0.4, 1.0, 6.0])
@pytest.mark.parametrize("s", [0.05, 0.8])
def test_a_p_value_is_twice_the_smaller_tail_and_a_bound_where_that_is_5_percent(
    y: float, s: float
) -> None:
    spread = math.sqrt(0.3**2 + s**2)
    upper, lower = norm.cdf((0.4 - y) / spread), norm.cdf((y - 0.4) / spread)  # as calibrateP in R
    (p,) = calibrated_p_value([y], [s], NULL)
    assert p == pytest.approx(2 * min(upper, lower), rel=1e-11)
    (bound,) = calibrated_lower([y], [s], NULL)
    # An estimate lower by the bound is just significant.
    (at_bound,) = calibrated_p_value([y - bound], [s], NULL)
    assert at_bound == pytest.approx(0.05, rel=1e-9)
    (wider,) = calibrated_lower([y], [s], NULL, level=0.99)
    assert calibrated_p_value([y - wider], [s], NULL)[0] == pytest.approx(0.01, rel=1e-9)


def test_without_systematic_error_they_are_the_usual_ones() -> None:
    none = EmpiricalNull(0.0, 0.0, 9)
    assert calibrated_p_value([1.96], [1.0], none)[0] == pytest.approx(0.0499957902964, rel=1e-10)
    assert calibrated_lower([1.0], [0.1], none)[0] == pytest.approx(1 - 0.19599639845400545)
