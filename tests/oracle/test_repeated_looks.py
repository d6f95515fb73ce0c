"""METHODS table I: sixty looks at null pairs, ten cases expected at the last, share ever flagged.

The simulation is this file's own, so the shares agree within Monte Carlo error: of 20,000 pairs the
standard error of 10% is 0.2 points, and both sides have it.
"""

import numpy as np
import polars as pl
import pytest
from scipy.stats import poisson

from detectors.e_values import poisson_gamma_e_value
from detectors.information_component import information_component
from detectors.maxsprt import maxsprt_critical_value, maxsprt_llr

LOOKS, PAIRS = 60, 20_000
EXPECTED = np.broadcast_to(np.arange(1, LOOKS + 1) / 6, (PAIRS, LOOKS))


@pytest.fixture(scope="module")
def observed() -> np.ndarray:
    return np.random.default_rng(20).poisson(10 / LOOKS, (PAIRS, LOOKS)).cumsum(axis=1)


def _ever(flagged: np.ndarray) -> float:
    return float(flagged.any(axis=1).mean())


def test_the_ic_flags_seven_percent_and_one_and_a_half_at_one_look(observed: np.ndarray) -> None:
    # At look t: t x 1000 x 1000 / 6,000,000 = t/6 cases are expected.
    counts = pl.DataFrame({"n_observed": observed.ravel()}).with_columns(
        n_drug=pl.lit(pl.Series(np.tile(np.arange(1, LOOKS + 1) * 1000, PAIRS))),
        n_event=pl.lit(1000),
        n_total=pl.lit(6_000_000),
    )
    lower = information_component(counts)["ic_lower"].to_numpy().reshape(PAIRS, LOOKS)
    flagged = (lower > 0) & (observed >= 3)
    assert _ever(flagged) == pytest.approx(0.071, abs=0.006)
    assert flagged[:, -1].mean() == pytest.approx(0.015, abs=0.003)


def test_observed_over_expected_with_chi_squared_flags_eleven_percent(
    observed: np.ndarray,
) -> None:
    # With Yates's correction, as the MHRA's rule has it; without it the share is 17%.
    chi2 = np.maximum(np.abs(observed - EXPECTED) - 0.5, 0) ** 2 / EXPECTED
    flagged = (observed >= 2 * EXPECTED) & (chi2 >= 4) & (observed >= 3)
    assert _ever(flagged) == pytest.approx(0.106, abs=0.007)


def test_an_exact_poisson_p_value_flags_sixteen_percent(observed: np.ndarray) -> None:
    flagged = (poisson.sf(observed - 1, EXPECTED) <= 0.05) & (observed >= 3)
    assert _ever(flagged) == pytest.approx(0.158, abs=0.008)


def test_maxsprt_flags_three_percent(observed: np.ndarray) -> None:
    flagged = maxsprt_llr(observed, EXPECTED) >= maxsprt_critical_value(10)
    assert _ever(flagged) == pytest.approx(0.029, abs=0.004)


def test_the_e_value_flags_two_percent(observed: np.ndarray) -> None:
    assert _ever(poisson_gamma_e_value(observed, EXPECTED) >= 20) == pytest.approx(0.017, abs=0.003)
