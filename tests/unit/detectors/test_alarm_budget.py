"""Entry threshold of the alarm, by hand."""

import pytest

from detectors.alarm_budget import FLOOR, START, entry_threshold
from detectors.rules import load_rules


@pytest.mark.parametrize(
    ("n_new_pairs", "n_cases", "days_of_data", "threshold"),
    [
        (1_000, 10_000, 731, 13.5),  # 135 x 1,000 / 10,000
        (1_600, 10_000, 2_000, 21.6),  # a launch
        (160, 1_000, 2_000, 21.6),  # a database of a tenth of the size
        (592, 10_000, 731, 8.0),  # 7.992: the least
        (593, 10_000, 731, 135 * 593 / 10_000),
        (0, 10_000, 731, 8.0),
        (0, 0, 5_000, 8.0),  # a year without a case
        (0, 10, 1, 12.0),  # at the start whatever is new
        (9_000, 10, 730, 12.0),
        (9_000, 10, 731, 121_500.0),
    ],
)
def test_the_threshold_by_hand(
    n_new_pairs: int, n_cases: int, days_of_data: int, threshold: float
) -> None:
    found = entry_threshold(n_new_pairs, n_cases, days_of_data)
    assert found == pytest.approx(threshold, rel=1e-15)


def test_the_alarm_asks_for_the_scale_that_the_statistic_has() -> None:
    """`e_value_budgeted` is 8 / T times the e-value: other numbers in the preset would be wrong."""
    (rule,) = load_rules("tocsin").rules
    parts = {part.statistic: part for part in rule.comparisons}
    assert parts["e_value_budgeted"].value == parts["e_value_blocked"].value == FLOOR
    assert parts["e_value_budgeted"].exit == 0
    assert START == 2 * 365
