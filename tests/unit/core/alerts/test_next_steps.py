"""The day by which the next step on a signal is due."""

from datetime import date

from schemas.alert import AlertKind
from streams.core.alerts.next_steps import due_day, step_days

TODAY = date(2024, 2, 29)


def test_a_step_is_due_after_the_days_of_its_kind() -> None:
    assert set(step_days().kinds) == set(AlertKind)
    for kind in AlertKind:
        assert due_day(kind, urgent=False, evaluated_on=TODAY) == date(2024, 3, 30)


def test_an_urgent_step_is_due_in_three_days_whatever_its_kind() -> None:
    for kind in AlertKind:
        assert due_day(kind, urgent=True, evaluated_on=TODAY) == date(2024, 3, 3)
