"""Rates of false alarms, of controls and of nulls: each interval against two other roads to it."""

import numpy as np
import pytest
from scipy.stats import beta, binom, binomtest, ttest_1samp

from detectors.false_alarms import ever_alert_rate, null_alert_rate
from schemas.errors import InputError


@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
@pytest.mark.parametrize(
    ("alerted", "controls"), [(0, 1), (1, 1), (0, 40), (40, 40), (1, 40), (13, 40), (170, 20_000)]
)
def test_the_interval_is_the_exact_one(alerted: int, controls: int, level: float) -> None:
    rate, lower, upper = ever_alert_rate(alerted, controls, level=level)
    assert rate == alerted / controls
    tail = (1 - level) / 2
    least = beta.ppf(tail, alerted, controls - alerted + 1) if alerted else 0.0
    most = beta.isf(tail, alerted + 1, controls - alerted) if alerted < controls else 1.0
    assert (lower, upper) == pytest.approx((least, most), rel=1e-11)
    exact = binomtest(alerted, controls).proportion_ci(level, method="exact")
    assert (lower, upper) == pytest.approx((exact.low, exact.high), rel=1e-9)


def test_the_bounds_are_where_a_tail_has_its_share() -> None:
    _, lower, upper = ever_alert_rate(3, 17, level=0.9)
    assert binom.sf(2, 17, lower) == pytest.approx(0.05, rel=1e-9)
    assert binom.cdf(3, 17, upper) == pytest.approx(0.05, rel=1e-9)


def test_nothing_and_everything_have_closed_bounds() -> None:
    assert ever_alert_rate(0, 4) == (0.0, 0.0, pytest.approx(1 - 0.025**0.25, rel=1e-12))
    assert ever_alert_rate(4, 4) == (1.0, pytest.approx(0.025**0.25, rel=1e-12), 1.0)


@pytest.mark.parametrize(("alerted", "controls"), [(0, 0), (5, 4)])
def test_impossible_numbers_are_refused(alerted: int, controls: int) -> None:
    with pytest.raises(
        InputError,
        match=rf"^ever_alert_rate: 0 <= alerted <= controls, and some control; "
        rf"got {alerted} of {controls}$",
    ):
        ever_alert_rate(alerted, controls)


def test_limits_of_a_null_come_from_the_spread_between_permutations() -> None:
    # By hand: the mean is .013, the standard error .00158114, and t of 3 is 3.18245.
    rate = null_alert_rate([10, 14, 11, 17], [1_000] * 4)
    assert rate.limits == "permutations"
    assert rate[:3] == pytest.approx((0.013, 0.0079681, 0.0180319), rel=1e-5)
    for level in (0.5, 0.99):
        found = null_alert_rate([10, 28, 11], [1_000, 2_000, 900], level=level)
        shares = np.array([10 / 1_000, 28 / 2_000, 11 / 900])
        other = ttest_1samp(shares, 0).confidence_interval(level)
        assert (found.lower, found.upper) == pytest.approx((other.low, other.high), rel=1e-11)


def test_limits_of_a_null_stay_within_0_and_1() -> None:
    assert null_alert_rate([0, 1], [100, 100]).lower == 0.0
    assert null_alert_rate([100, 99], [100, 100]).upper == 1.0


@pytest.mark.parametrize(
    ("alerted", "pairs"), [([7], [50]), ([0, 0, 0], [50, 60, 70]), ([7, 7], [50, 50])]
)
def test_without_a_spread_the_limits_are_those_of_one_permutation(
    alerted: list[int], pairs: list[int]
) -> None:
    rate = null_alert_rate(alerted, pairs)
    assert rate == (*ever_alert_rate(alerted[0], pairs[0]), "Clopper-Pearson")


@pytest.mark.parametrize(("alerted", "pairs"), [([1, 5], [9, 4]), ([0], [0])])
def test_impossible_numbers_of_a_null_are_refused(alerted: list[int], pairs: list[int]) -> None:
    with pytest.raises(
        InputError,
        match=r"^null_alert_rate: 0 <= alerted <= pairs, and some pair, must hold of every "
        rf"permutation; got {alerted[-1]} of {pairs[-1]}$",
    ):
        null_alert_rate(alerted, pairs)


def test_a_null_without_a_permutation_is_refused() -> None:
    with pytest.raises(InputError, match=r"^null_alert_rate: there must be a permutation; got no"):
        null_alert_rate([], [])
