"""The day by which the next step on a signal is due."""

from datetime import date

import pytest

from schemas.alert import AlertKind, AlertReason, Previous
from streams.core.alerts.next_steps import due_day, running_due, step_days

TODAY = date(2024, 2, 29)


def test_a_step_is_due_after_the_days_of_its_kind() -> None:
    assert set(step_days().kinds) == set(AlertKind)
    for kind in AlertKind:
        assert due_day(kind, (), urgent=False, evaluated_on=TODAY) == date(2024, 3, 30)


def test_an_urgent_step_is_due_in_three_days_whatever_its_kind() -> None:
    for kind in AlertKind:
        assert due_day(kind, (), urgent=True, evaluated_on=TODAY) == date(2024, 3, 3)


@pytest.mark.parametrize(
    ("before", "was_on", "is_on", "expected"),
    [
        (date(2024, 3, 10), True, True, date(2024, 3, 10)),  # runs on
        (date(2024, 4, 10), True, True, date(2024, 3, 30)),  # is brought nearer
        (date(2024, 3, 10), True, False, date(2024, 3, 30)),  # the signal ended
        (date(2024, 3, 10), False, True, date(2024, 3, 30)),  # it is reopened
        (date(2024, 3, 10), False, False, date(2024, 3, 10)),  # it is off, and corrected
        (None, True, True, date(2024, 3, 30)),  # published by an older version
    ],
)
def test_the_due_day_runs_from_the_first_revision_of_a_signal_that_is_on_or_off(
    before: date | None, was_on: bool, is_on: bool, expected: date
) -> None:
    previous = Previous(
        revision=1,
        kind=AlertKind.NEW,
        evaluated_on=date(2024, 2, 9),
        n_observed=3,
        ror_lower=1.0,
        ic_lower=0.0,
        rules_fired=("mhra",) if was_on else (),
        due=before,
    )
    assert running_due(date(2024, 3, 30), previous, is_on=is_on) == expected
    assert running_due(date(2024, 3, 30), None, is_on=is_on) == date(2024, 3, 30)
    runs_on = before is not None and was_on == is_on
    assert running_due(None, previous, is_on=is_on) == (before if runs_on else None)


def test_a_rule_that_goes_off_asks_for_nothing_by_itself() -> None:
    off, more = AlertReason.RULE_OFF, AlertReason.MORE_CASES
    weakened = AlertKind.WEAKENED
    assert due_day(weakened, (off,), urgent=False, evaluated_on=TODAY) is None
    assert due_day(weakened, (off, more), urgent=False, evaluated_on=TODAY) == date(2024, 3, 30)
    assert due_day(AlertKind.CLOSED, (off,), urgent=False, evaluated_on=TODAY) is not None
