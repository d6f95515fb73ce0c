"""METHODS table D: critical values computed by two independent codes, and a check by simulation."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest

from detectors.maxsprt import (
    maxsprt_critical_value,
    maxsprt_crossing_probability,
    maxsprt_llr,
)
from schemas.errors import InputError

# horizon, minimum events, critical value at level 0.05, half a unit of its last printed digit.
# The last digit of both rows with horizon 1 is off in the table: in 50 digits they are
# 2.85393700326127 and 1.77421784631449 (`test_in_fifty_digits`).
TABLE_D = [
    (1, 1, 2.8539371, 5e-7),
    (2, 1, 3.0469775, 5e-8),
    (5, 1, 3.2971828, 5e-8),
    (10, 1, 3.4679516, 5e-8),
    (20, 1, 3.6281230, 5e-8),
    (50, 1, 3.8199027, 5e-8),
    (100, 1, 3.9523209, 5e-8),
    (1, 3, 1.7742181, 5e-7),
    (2, 3, 2.3496793, 5e-8),
    (5, 3, 2.8039548, 5e-8),
    (10, 3, 3.0642480, 5e-8),
    (20, 3, 3.2882157, 5e-8),
    (50, 3, 3.5448262, 5e-8),
    (100, 3, 3.7119932, 5e-8),
    (2, 4, 2.000158, 5e-7),
    (5, 4, 2.623668, 5e-7),
    (10, 4, 2.921561, 5e-7),
    (20, 4, 3.176370, 5e-7),
]


@pytest.mark.parametrize(("horizon", "minimum_events", "expected", "tolerance"), TABLE_D)
def test_critical_values(
    horizon: float, minimum_events: int, expected: float, tolerance: float
) -> None:
    got = maxsprt_critical_value(horizon, minimum_events)
    assert got == pytest.approx(expected, rel=0, abs=tolerance)
    assert maxsprt_crossing_probability(got, horizon, minimum_events) == pytest.approx(
        0.05, abs=1e-12
    )


def in_fifty_digits(critical_value: float, horizon: int, minimum_events: int) -> Decimal:
    """Do the recursion again, with bisection for Lambert's function and Decimal for float."""

    def latest(n: int) -> Decimal:
        low, high = Decimal(10) ** -20, Decimal(n)
        for _ in range(120):
            middle = (low + high) / 2
            excess = n * (n / middle).ln() - (n - middle) > Decimal(critical_value)
            low, high = (middle, high) if excess else (low, middle)
        return min(low, Decimal(horizon))

    def chance(cases: int, mean: Decimal) -> Decimal:
        return (-mean).exp() * mean**cases / math.factorial(cases)

    with localcontext() as context:
        context.prec = 50
        n, at = minimum_events, latest(minimum_events)
        silent = [chance(cases, at) for cases in range(n)]
        while at < horizon:
            n, before, at = n + 1, at, latest(n + 1)
            step = [chance(cases, at - before) for cases in range(n)]
            silent = [
                sum((silent[k] * step[cases - k] for k in range(min(cases, n - 2) + 1)), Decimal(0))
                for cases in range(n)
            ]
        return 1 - sum(silent)


@pytest.mark.parametrize(
    ("critical_value", "horizon", "minimum_events"),
    [(2.85393700326127, 1, 1), (1.77421784631449, 1, 3), (3.04697746282865, 2, 1)],
)
def test_in_fifty_digits(critical_value: float, horizon: int, minimum_events: int) -> None:
    assert maxsprt_critical_value(horizon, minimum_events) == pytest.approx(
        critical_value, rel=1e-12
    )
    crossing = in_fifty_digits(critical_value, horizon, minimum_events)
    assert float(crossing) == pytest.approx(0.05, rel=1e-12)


def test_one_case_can_be_worked_out_by_hand() -> None:
    """Below one expected case at the second event: only the first can reject, if it comes early.

    LLR(1, mu) = -ln mu - 1 + mu = 4 at mu = 0.0069; by T = 0.01 the second case rejects up to
    2 ln(2 / mu) - 2 + mu = 4, mu = 0.101, so any two cases by T reject.
    """
    first = 0.006785  # x e^-x = e^-5: x = e^-5 (1 + x) to first order
    horizon = 0.01
    none = np.exp(-horizon)
    one_late = np.exp(-first) * (horizon - first) * np.exp(-(horizon - first))
    assert maxsprt_crossing_probability(4.0, horizon) == pytest.approx(
        1 - none - one_late, rel=1e-3
    )


@pytest.mark.parametrize(("minimum_events", "level"), [(1, 0.05), (3, 0.01), (2, 0.3)])
def test_simulated_processes_cross_as_often(minimum_events: int, level: float) -> None:
    rng = np.random.default_rng(5)
    horizon, processes = 6.0, 40_000
    critical_value = maxsprt_critical_value(horizon, minimum_events, level)
    arrivals = np.cumsum(rng.exponential(size=(processes, 40)), axis=1)
    n = np.arange(1, 41)
    rejects = (maxsprt_llr(n, arrivals) >= critical_value) & (n >= minimum_events)
    share = float(np.mean((rejects & (arrivals <= horizon)).any(axis=1)))
    assert share == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) / processes))


def test_a_longer_surveillance_costs_more_and_more_events_cost_less() -> None:
    values = [maxsprt_critical_value(horizon) for horizon in (0.5, 5, 50, 300)]
    assert values == sorted(values)
    assert maxsprt_critical_value(50, 4) < maxsprt_critical_value(50, 2)


def test_the_statistic_has_its_limits() -> None:
    got = maxsprt_llr([0, 3, 5, 2, 0], [0.0, 3.0, 1.0, 0.0, 7.0]).tolist()
    assert got == pytest.approx([0, 0, 5 * np.log(5) - 4, np.inf, 0])


@pytest.mark.parametrize("horizon", [0, -1, float("nan"), float("inf")])
def test_the_horizon_is_a_positive_count(horizon: float) -> None:
    message = "horizon must be a positive number of expected cases; got"
    with pytest.raises(InputError, match=f"maxsprt_critical_value: {message}"):
        maxsprt_critical_value(horizon)
    with pytest.raises(InputError, match=f"maxsprt_crossing_probability: {message}"):
        maxsprt_crossing_probability(3.0, horizon)


def test_other_arguments_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="minimum_events must be a whole number, 1 or more; got 0"):
        maxsprt_critical_value(1, 0)
    with pytest.raises(InputError, match=r"level must lie in \(0, 1\); got 1"):
        maxsprt_critical_value(1, level=1)
    with pytest.raises(InputError, match="critical_value must be finite, and more than 0; got 0"):
        maxsprt_crossing_probability(0, 1)


def test_a_level_that_no_critical_value_has_is_refused() -> None:
    """Four cases where one is expected: 1.9%, whatever the critical value."""
    with pytest.raises(InputError, match="4 cases in excess must be likelier than level before"):
        maxsprt_critical_value(1, 4)
