"""The day by which somebody must decide: from the revisions after the last decision."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from schemas.alert import Alert
from schemas.decision import Assessment, AuditEntry, Decision, SignalState
from streams.core.alerts.assessment import assessed, assessments_after
from streams.core.alerts.undecided import (
    RevisionDay,
    RevisionDays,
    SignalStatus,
    decision_due,
    signal_status,
)
from tests.support.alerts import safety, signal
from tests.support.four_steps import revisions as four_revisions

BEGIN = date(2024, 1, 1)
KEY = signal(3).signal_key


def day(number: int, evaluated: int, due: int, *, on: bool = True) -> RevisionDay:
    """A revision evaluated and due so many days after the first of January."""
    evaluated_on, own_due = BEGIN + timedelta(evaluated), BEGIN + timedelta(due)
    return RevisionDay(f"id-{number}", number, evaluated_on, own_due, is_on=on)


HISTORY = [
    day(1, 0, 30),
    day(2, 10, 40),
    day(3, 12, 15),  # urgent
    day(4, 20, 50),
    day(5, 25, 55, on=False),  # the signal ends
    day(6, 30, 60, on=False),
    day(7, 40, 70),  # it is reopened
]


def decided(alert_id: str | None, at: int) -> Assessment:
    when = datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(days=at)
    return Assessment(
        state=SignalState.MONITORING,
        since=when,
        assignee=None,
        decided_by="bo",
        decided_at=when,
        decided_alert_id=alert_id,
    )


@pytest.mark.parametrize(
    ("assessment", "upto", "expected"),
    [
        (decided(None, -1), 1, 30),
        (decided(None, -1), 2, 30),  # the later revision does not move it
        (decided(None, -1), 3, 15),  # the urgent one brings it nearer
        (decided(None, -1), 4, 15),
        (decided("id-1", 99), 2, 40),  # the second is the first undecided one
        (decided("id-1", 99), 4, 15),
        (decided("id-3", 99), 3, None),
        (decided("id-3", 99), 4, 50),
        (decided("id-4", 99), 6, 55),  # from the end on
        (decided("id-3", 99), 6, 55),
        (decided("id-5", 99), 6, 60),
        (decided("id-6", 99), 7, 70),  # from the reopening on
        (decided(None, -1), 7, 70),
        (decided("id-7", 99), 7, None),
        (decided(None, 12), 4, 50),  # no revision named: those up to its day are decided on
        (decided("of another run", 12), 4, 50),
    ],
)
def test_it_is_the_earliest_day_of_the_undecided_revisions(
    assessment: Assessment, upto: int, expected: int | None
) -> None:
    due = decision_due(HISTORY, assessment, upto=upto)
    assert due == (None if expected is None else BEGIN + timedelta(days=expected))


def _after(*steps: tuple[str, str | None]) -> dict[str, Assessment]:
    """The assessments after steps to a state, each on a revision."""
    fields = {"number": 1, "from": SignalState.DETECTED}
    chain = {"previous_hash": "0" * 64, "hash": "0" * 64}
    entries = []
    for number, (to, alert_id) in enumerate(steps):
        decision = Decision(signal_key=KEY, to=SignalState(to), by="bo", alert_id=alert_id)
        at = datetime(2030, 1, 1 + number, tzinfo=UTC)
        entries.append(
            AuditEntry.model_validate({**fields, **chain, "at": at, "decision": decision})
        )
    return assessments_after(entries)


def _published(number: int, due: date, own_due: date) -> Alert:
    days = {"due": due, "own_due": own_due, "evaluated_on": own_due - timedelta(days=30)}
    days |= {"headline": "h"}
    return signal(3, revision=number).model_copy(update=days)


ALERTS = [
    _published(1, date(2024, 2, 1), date(2024, 2, 1)),
    _published(2, date(2024, 2, 1), date(2024, 3, 1)),
]
FIRST, SECOND = (alert.alert_id for alert in ALERTS)


@pytest.mark.parametrize(
    ("steps", "due"),
    [
        ((), date(2024, 2, 1)),
        ((("under_triage", SECOND),), date(2024, 2, 1)),  # the work begins: nothing is decided
        ((("under_triage", FIRST), ("validated", FIRST)), date(2024, 3, 1)),
        ((("validated", SECOND),), None),
        ((("not_validated", FIRST), ("reopened", SECOND)), date(2024, 3, 1)),
        ((("superseded", FIRST),), None),
    ],
)
def test_an_untouched_signal_becomes_overdue_and_stays_so(
    steps: Sequence[tuple[str, str | None]], due: date | None
) -> None:
    history = RevisionDays()
    for alert in ALERTS:
        history.add(alert)
    history.add(ALERTS[0])  # a repeated delivery
    for today in (date(2024, 1, 1), date(2024, 2, 1), date(2024, 2, 2), date(2031, 1, 1)):
        found = assessed(ALERTS[-1], _after(*steps), history.of, today=today).assessment
        assert found is not None
        assert found.due == due
        assert found.overdue is (due is not None and due < today)


def test_without_a_decision_the_published_day_is_that_of_all_revisions() -> None:
    """The detector and the reader of the log count the same days."""
    history = RevisionDays()
    for alert in four_revisions():
        history.add(alert)
        nobody = decided(None, -9999)
        days = history.of(alert.signal_key)
        assert decision_due(days, nobody, upto=alert.revision) == alert.due


def test_an_alert_of_an_older_version_is_due_on_its_own_day() -> None:
    old = ALERTS[0].model_copy(update={"own_due": None, "headline": ""})
    assert RevisionDay.of(old).own_due == date(2024, 2, 1)


def test_a_safety_alert_is_due_on_its_own_day_after_a_decision() -> None:
    days = {"due": date(2024, 2, 1), "own_due": date(2024, 3, 1), "headline": "h"}
    later = safety().model_copy(update=days)
    assert RevisionDay.of(later).own_due == date(2024, 3, 1)
    found = assessed(later, {}, lambda _: (), today=date(2024, 2, 2)).assessment
    assert found is not None
    assert (found.due, found.overdue) == (date(2024, 2, 1), True)


def test_the_status_is_that_of_the_rules_or_of_the_safety_alert() -> None:
    off = signal(3).model_copy(update={"rules_fired": ()})
    settled = safety().model_copy(update={"kind": "closed"})
    assert [signal_status(one) for one in (signal(3), off, safety(), settled)] == [
        SignalStatus.ON,
        SignalStatus.OFF,
        SignalStatus.ON,
        SignalStatus.OFF,
    ]
