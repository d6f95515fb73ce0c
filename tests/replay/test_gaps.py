"""Days on which nothing arrives: a moving window empties on its day, and silence costs nothing."""

from collections.abc import Iterator
from datetime import date

from schemas.report import Report
from tests.support.replays import Replayed, replayed
from tests.support.reports import make_report


def _reports(day: date, drug: str, event: str, number: int) -> Iterator[Report]:
    for i in range(number):
        yield make_report(f"{day}-{drug}-{event}-{i}", day=day, drugs=[drug], events=[event])


def _run(*reports: Report) -> Replayed:
    return replayed(reports, rules="ic", window="sliding:7")


def test_a_signal_is_closed_on_the_day_its_cases_leave_the_window() -> None:
    first = date(2024, 1, 1)
    ran = _run(
        *_reports(first, "zinc", "Rash", 6),
        *_reports(first, "iron", "Cough", 60),
        *_reports(date(2024, 3, 1), "iron", "Cough", 1),
    )
    days = [(alert.kind.value, alert.drug, alert.evaluated_on) for alert in ran.alerts]
    assert ("new", "zinc", first) in days
    assert ("closed", "zinc", date(2024, 1, 8)) in days
    assert ran.run.summary.evaluations <= 7 + 3


def test_a_century_of_silence_takes_no_time() -> None:
    ran = _run(
        *_reports(date(1900, 1, 1), "zinc", "Rash", 1), *_reports(date(2024, 1, 1), "iron", "C", 1)
    )
    assert ran.run.summary.evaluations <= 7 + 3
