"""The rate of false alarms: Clopper and Pearson's interval, against two other roads to it."""

import pytest
from scipy.stats import beta, binom, binomtest

from detectors.false_alarms import ever_alert_rate
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
