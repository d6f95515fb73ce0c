"""METHODS table H, the defining inequality, and e-BH on hand-worked and brute-force cases."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import gamma, poisson

from detectors.e_values import (
    e_benjamini_hochberg,
    e_bh_levels,
    poisson_gamma_e_value,
)
from schemas.errors import InputError


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
def test_the_shape_is_a_positive_number(shape: float) -> None:
    with pytest.raises(InputError, match="poisson_gamma_e_value: shape must be a positive number"):
        poisson_gamma_e_value(1, 1, shape=shape)


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
