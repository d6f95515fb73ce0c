"""The exact test against every assignment of the pooled values, and SciPy's without ties."""

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from scipy.stats import ks_2samp

from detectors.kolmogorov_smirnov import kolmogorov_smirnov
from schemas.errors import InputError


def _distance(one: list[int], other: list[int]) -> Fraction:
    """The definition: the empirical distributions compared at every value."""
    return max(
        abs(
            Fraction(sum(value <= at for value in one), len(one))
            - Fraction(sum(value <= at for value in other), len(other))
        )
        for at in {*one, *other}
    )


def _written_out(one: list[int], other: list[int]) -> tuple[float, float]:
    """The statistic, and the share of all assignments with one as large."""
    pooled, wanted = one + other, _distance(one, other)
    found = total = 0
    for chosen in combinations(range(len(pooled)), len(one)):
        first = [pooled[place] for place in chosen]
        rest = [value for place, value in enumerate(pooled) if place not in chosen]
        found += _distance(first, rest) >= wanted
        total += 1
    return float(wanted), found / total


SAMPLES = [
    ([0, 0, 0, 1], [0, 1, 1, 2, 2]),
    ([0, 0, 0, 0, 0], [0, 0, 0, 1, 1]),
    ([3, 3, 9], [3, 3, 3, 9, 9, 9, 10]),
    ([1, 2, 2, 4, 7], [2, 4, 4, 8, 8, 8]),
    ([5], [1, 5, 5, 9]),
    ([0, 1, 1, 3, 5, 5], [0, 0, 2, 2, 5]),
]


@pytest.mark.parametrize(("one", "other"), SAMPLES)
def test_it_is_the_share_of_all_assignments(one: list[int], other: list[int]) -> None:
    wanted = _written_out(one, other)
    assert kolmogorov_smirnov(one, other) == pytest.approx(wanted, rel=1e-12)
    assert kolmogorov_smirnov(other, one) == pytest.approx(wanted, rel=1e-12)


def test_ten_on_one_day_against_five_and_five() -> None:
    """The distance is 1/2 or more if all or five of the ten are on day 0: 2 C(15, 10) of them."""
    statistic, p = kolmogorov_smirnov([0] * 10, [0] * 5 + [1] * 5)
    assert statistic == 0.5
    assert p == pytest.approx(2 * comb(15, 10) / comb(20, 10), rel=1e-12)


def test_all_on_one_day_are_alike() -> None:
    assert kolmogorov_smirnov([4] * 6, [4] * 9) == (0.0, 1.0)


def test_a_chance_far_out_keeps_its_digits() -> None:
    """Of all ways to choose 30 of 60 distinct values, two separate them."""
    p = kolmogorov_smirnov(np.arange(30), np.arange(30, 60))[1]
    assert p == pytest.approx(2 / comb(60, 30), rel=1e-12)


@pytest.mark.parametrize("sizes", [(5, 8), (30, 51), (3, 4_000), (1_000, 1_000)])
def test_without_ties_it_is_scipys_exact_test(sizes: tuple[int, int]) -> None:
    random = np.random.default_rng(3)
    one, other = random.normal(0, size=sizes[0]), random.normal(0.3, size=sizes[1])
    theirs = ks_2samp(one, other, method="exact")
    assert kolmogorov_smirnov(one, other) == pytest.approx(
        (theirs.statistic, theirs.pvalue), rel=1e-9
    )


def test_above_a_million_paths_it_is_asymptotic() -> None:
    random = np.random.default_rng(1)
    one, other = (np.floor(scale * random.weibull(1, 1_001)) for scale in (20, 21))
    theirs = ks_2samp(one, other, method="asymp")
    ours = kolmogorov_smirnov(one, other)
    assert ours == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-12)
    # At the limit itself it is exact, and with ties smaller than without.
    at_limit = kolmogorov_smirnov(one[:-1], other[:-1])[1]
    assert at_limit < 0.99 * ks_2samp(one[:-1], other[:-1], method="exact").pvalue


def test_its_p_value_is_below_5_percent_as_often_as_it_says() -> None:
    """2,000 nulls of days: at most 5%, and more than the 1.5% or so of the test without ties."""
    random = np.random.default_rng(33)
    days = random.geometric(0.4, (2_000, 24))
    exact = np.array([kolmogorov_smirnov(row[:12], row[12:])[1] for row in days])
    without = np.array([ks_2samp(row[:12], row[12:], method="exact").pvalue for row in days])
    assert np.mean(exact <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2_000)
    assert np.mean(exact <= 0.05) > 1.5 * np.mean(without <= 0.05)
    assert np.all(exact <= without * (1 + 1e-9))


@pytest.mark.parametrize("bad", [[], [float("nan")], [1, float("inf")]])
def test_samples_of_anything_but_numbers_are_refused(bad: list[float]) -> None:
    message = "^kolmogorov_smirnov: each sample must hold finite numbers, one or more; got "
    for samples in ((bad, [1, 2]), ([1, 2], bad)):
        with pytest.raises(InputError, match=message):
            kolmogorov_smirnov(*samples)
