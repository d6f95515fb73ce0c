"""METHODS table H, the defining inequality, and e-BH on hand-worked and brute-force cases."""

from collections.abc import Callable
from itertools import pairwise
from math import perm

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import gamma, poisson

from detectors.e_values import (
    e_benjamini_hochberg,
    e_bh_levels,
    poisson_excess_e_value,
    poisson_gamma_e_value,
)
from schemas.errors import InputError

EValue = Callable[..., NDArray[np.float64]]


@pytest.mark.parametrize(
    ("n", "expected", "e_value"),
    [(3, 0.2, 3.5342), (5, 1, 5.0968), (10, 3, 17.3775), (20, 10, 7.2414)],
)
def test_table_h(n: int, expected: float, e_value: float) -> None:
    assert poisson_gamma_e_value(n, expected).item() == pytest.approx(e_value, rel=0, abs=5e-5)


@pytest.mark.parametrize("shape", [0.5, 1.0, 3.0])
def test_it_is_the_likelihood_ratio_averaged_over_the_gamma_distribution(shape: float) -> None:
    def term(ratio: float) -> float:
        weight: float = gamma.pdf(ratio, shape, scale=1 / shape)
        return weight * ratio**7 * float(np.exp(-(ratio - 1) * 2.5))

    assert poisson_gamma_e_value(7, 2.5, shape=shape).item() == pytest.approx(
        quad(term, 0, np.inf)[0], rel=1e-7
    )


@pytest.mark.parametrize("expected", [0.0, 0.3, 4.0])
def test_its_mean_under_the_null_is_one(expected: float) -> None:
    n = np.arange(80)
    assert poisson.pmf(n, expected) @ poisson_gamma_e_value(n, expected) == pytest.approx(1)


def test_it_is_not_clipped_and_it_may_be_unbounded() -> None:
    assert poisson_gamma_e_value(50, 50).item() < 0.2
    assert poisson_gamma_e_value(5000, 1).item() == np.inf


@pytest.mark.parametrize("shape", [0, -1, float("inf"), float("nan")])
@pytest.mark.parametrize("e_value", [poisson_gamma_e_value, poisson_excess_e_value])
def test_the_shape_is_a_positive_number(e_value: EValue, shape: float) -> None:
    with pytest.raises(InputError, match=f"{e_value.__name__}: shape must be a positive number"):
        e_value(1, 1, shape=shape)


@pytest.mark.parametrize(("n", "expected"), [(0, 1), (1, 1), (3, 0.2), (5, 1), (12, 4.5)])
def test_the_excess_e_value_at_shape_1_is_a_sum(n: int, expected: float) -> None:
    """By parts: of (1 + u)^n exp(-(mu + 1) u) over u > 0, the k-th of n + 1 terms."""
    terms = [perm(n, k) / (expected + 1) ** (k + 1) for k in range(n + 1)]
    assert poisson_excess_e_value(n, expected).item() == pytest.approx(sum(terms), rel=1e-12)


@pytest.mark.parametrize("shape", [0.5, 1.0, 3.0])
@pytest.mark.parametrize(("n", "expected"), [(7, 2.5), (2, 6.0), (0, 900.0), (40, 30.0)])
def test_the_excess_e_value_averages_over_ratios_above_1(
    shape: float, n: int, expected: float
) -> None:
    """By numerical integration; Q(n + g, mu + g) is below 1e-300 without a case of 900."""

    def term(above: float) -> float:
        weight: float = gamma.pdf(1 + above, shape, scale=1 / shape)
        return weight * float((1 + above) ** n * np.exp(-above * expected))

    mass = gamma.sf(1, shape, scale=1 / shape)
    scale = (n + 1) / (expected + 1)  # of the ratios that count
    integral = sum(
        quad(term, low, high, epsabs=0)[0]
        for low, high in pairwise([0, scale / 9, scale, 4 * scale, 40 * scale])
    )
    wanted = integral / mass
    assert poisson_excess_e_value(n, expected, shape=shape).item() == pytest.approx(
        wanted, rel=1e-7
    )


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("shape", [0.5, 1.0, 4.0])
def test_the_excess_e_value_is_a_supermartingale_under_every_rate_of_at_most_1(
    rate: float, shape: float
) -> None:
    """Its mean after more time, given what it is now, by the exact Poisson distribution."""
    more = np.arange(120)
    for n, expected, passed in ((0, 0.0, 2.0), (3, 1.0, 0.5), (0, 8.0, 4.0), (30, 9.0, 3.0)):
        now = poisson_excess_e_value(n, expected, shape=shape).item()
        then = poisson_excess_e_value(n + more, expected + passed, shape=shape)
        mean = float(poisson.pmf(more, rate * passed) @ then)
        assert mean <= now * (1 + 1e-10)
        if rate == 1:
            assert mean == pytest.approx(now, rel=1e-10)


def test_the_two_sided_e_value_rises_with_a_deficit_and_the_excess_one_falls() -> None:
    assert poisson_gamma_e_value(0, 100).item() > 20
    assert poisson_excess_e_value(0, 100).item() < 0.02
    n = np.arange(200)
    assert np.all(np.diff(poisson_excess_e_value(n, 40.0)) > 0)
    with_time = poisson_excess_e_value(5, np.linspace(0, 5_000, 2_001))
    assert np.all(np.isfinite(with_time))
    assert np.all(np.diff(with_time) < 0)
    assert poisson_excess_e_value(5_000, 1).item() == np.inf


@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_the_excess_e_value_seldom_reaches_20_at_any_time(rate: float) -> None:
    """4,000 courses of 60 looks: by Ville's inequality 5% at most, 1 in 1,000 above 6.1%."""
    random = np.random.default_rng(6)
    expected = np.linspace(0.2, 12, 60)
    n = random.poisson(0.2 * rate, (4_000, 60)).cumsum(axis=1)
    ever = (poisson_excess_e_value(n, expected) >= 20).any(axis=1).mean()
    assert ever < 0.061
    assert ever > 0.005 or rate < 1


def test_e_bh_flags_the_largest_set_that_supports_itself() -> None:
    """Against the definition, tried for every k."""
    rng = np.random.default_rng(2)
    flags = 0
    for _ in range(200):
        size = int(rng.integers(1, 9))
        e = np.exp(rng.normal(3, 2, size)).round(1)
        tested = size + int(rng.integers(0, 5))
        ordered = np.sort(e)[::-1]
        most = max(
            (k for k in range(1, size + 1) if ordered[k - 1] >= tested / (k * 0.1)), default=0
        )
        expected = e >= ordered[most - 1] if most else np.zeros(size, dtype=bool)
        got = e_benjamini_hochberg(e, 0.1, n_hypotheses=tested)
        np.testing.assert_array_equal(got, expected)
        flags += int(got.sum())
    assert flags > 200


def test_e_bh_levels_at_the_edges() -> None:
    assert e_bh_levels([]).tolist() == []
    assert e_bh_levels([np.inf, 0.0]).tolist() == [0, np.inf]
    assert e_bh_levels([10.0, 10.0]).tolist() == [0.1, 0.1]


def test_impossible_e_values_are_refused() -> None:
    with pytest.raises(InputError, match=r"e_bh_levels: e-values must be 0 or more; got .+-1"):
        e_bh_levels([1.0, -1.0])
    with pytest.raises(InputError, match=r"e_bh_levels: e-values must be 0 or more; got .+nan"):
        e_bh_levels([1.0, float("nan")])
    with pytest.raises(InputError, match="n_hypotheses must be 2 e-values or more; got 1"):
        e_bh_levels([1.0, 1.0], n_hypotheses=1)
    with pytest.raises(
        InputError, match=r"e_benjamini_hochberg: level must lie in \(0, 1\); got 0"
    ):
        e_benjamini_hochberg([1.0], 0)
