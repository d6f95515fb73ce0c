"""Order of work on safety alerts: every category, comparable with signals, urgent ones first."""

from datetime import date

import pytest

from schemas.priority import PriorityLevel
from schemas.safety_alert import AlertCategory
from streams.core.safety.work_order import due_day, priority_of_category, work_order

URGENT = {
    AlertCategory.LOT_CLUSTER,
    AlertCategory.FACILITY_CLUSTER,
    AlertCategory.MANUFACTURER_CLUSTER,
    AlertCategory.DISTRIBUTOR_CLUSTER,
    AlertCategory.FATAL_CASE,
}
DAY = date(2024, 3, 1)


def test_the_table_has_every_category_and_levels_in_order() -> None:
    assert set(work_order().categories) == set(AlertCategory)
    assert 1 > work_order().levels.high > work_order().levels.medium > 0


@pytest.mark.parametrize("category", sorted(URGENT))
@pytest.mark.parametrize("ended", [False, True])
def test_what_is_urgent_is_high_and_due_in_three_days(category: AlertCategory, ended: bool) -> None:
    found = priority_of_category(category, ended=ended, urgent=True)
    assert found.level is PriorityLevel.HIGH
    assert (found.parts, found.weights) == ({"category": found.total}, {"category": 1.0})
    assert due_day(category, DAY, ended=ended, urgent=True) == date(2024, 3, 4)


@pytest.mark.parametrize(
    ("category", "level", "due"),
    [
        (AlertCategory.ONGOING_EXPOSURE, "high", date(2024, 3, 8)),
        (AlertCategory.UNVERIFIED_FATAL, "medium", date(2024, 3, 31)),
        (AlertCategory.CASE_SERIES, "medium", date(2024, 3, 31)),
        (AlertCategory.FOLLOW_UP_OVERDUE, "medium", date(2024, 3, 15)),
        (AlertCategory.USAGE_RULE, "low", date(2024, 3, 31)),
    ],
)
def test_what_is_not_urgent_goes_by_category_and_is_low_once_ended(
    category: AlertCategory, level: str, due: date
) -> None:
    assert priority_of_category(category, ended=False, urgent=False).level == level
    assert due_day(category, DAY, ended=False, urgent=False) == due
    assert priority_of_category(category, ended=True, urgent=False).level is PriorityLevel.LOW
    assert due_day(category, DAY, ended=True, urgent=False) == date(2024, 3, 31)
