"""The order of a worklist, and the signals that are on it."""

from datetime import date, timedelta
from typing import Any

import pytest

from schemas.alert import Alert, SignalGrade
from streams.core.alerts.priority import priority_on
from streams.delivery.worklist import latest_revisions, worklist
from tests.support.alerts import signal

DAY = date(2024, 1, 1)


def listed(drug: str, *, first: int = 0, received: int = 0, **changes: Any) -> Alert:
    """Return an alarm that began, and had its last case, so many days ago."""
    stated = {
        "first_alert_on": DAY - timedelta(days=first),
        "last_received": DAY - timedelta(days=received),
    }
    return signal(drug=drug).model_copy(update=stated | changes)


def names(*alerts: Alert, **asked: Any) -> list[str]:
    return [one.alert.drug for one in worklist(alerts, DAY, **asked)]


def test_the_freshest_of_equal_signals_is_the_first() -> None:
    known, new, middle = listed("known", first=400), listed("new"), listed("middle", first=80)
    found = worklist([known, new, middle], DAY)
    assert [(one.rank, one.alert.drug) for one in found] == [
        (1, "new"),
        (2, "middle"),
        (3, "known"),
    ]
    assert [one.priority for one in found] == [
        priority_on(alert, DAY) for alert in (new, middle, known)
    ]


@pytest.mark.parametrize(
    ("changes", "is_listed"),
    [
        ({}, True),
        ({"received": 89}, True),
        ({"received": 90}, False),
        ({"rules_fired": ()}, False),
        ({"last_received": None}, False),
    ],
)
def test_a_signal_is_on_and_has_a_case_of_the_last_days(
    changes: dict[str, Any], is_listed: bool
) -> None:
    assert names(listed("zinc", **changes)) == ["zinc"] * is_listed


def test_a_grade_leaves_out_the_other() -> None:
    alarm, wider = listed("a"), listed("b", grade=SignalGrade.SCREENING)
    assert names(wider, alarm) == ["a", "b"]
    assert names(wider, alarm, grade=SignalGrade.SCREENING) == ["b"]


def test_equal_totals_are_ordered_by_the_crude_bound_then_by_key() -> None:
    statistics = signal().statistics
    lower = {"statistics": statistics.model_copy(update={"ic_lower": 1.0})}
    assert names(listed("b"), listed("c"), listed("a", **lower)) == ["b", "c", "a"]


def test_the_latest_revision_stands_for_a_signal() -> None:
    first, second = signal(revision=1), signal(revision=2)
    assert list(latest_revisions([second, first])) == [second]
