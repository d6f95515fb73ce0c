"""Days on which nothing arrives: a moving window empties on its day, and silence costs nothing."""

from collections.abc import Iterator
from datetime import date

from detectors.rules import load_rules
from schemas.alert import Alert
from schemas.product import Product
from schemas.report import Reaction, Report
from streams.core.counting.windows import WindowSpec
from streams.runtime.embedded.replay import Replay


def _reports(day: date, drug: str, event: str, number: int) -> Iterator[Report]:
    for i in range(number):
        yield Report(
            case_id=f"{day}-{drug}-{event}-{i}",
            first_received=day,
            latest_received=day,
            products=(Product(substances=(drug,)),),
            reactions=(Reaction(term=event),),
        )


def _run(*reports: Report) -> tuple[Replay, list[Alert]]:
    alerts: list[Alert] = []
    replay = Replay(
        [WindowSpec.parse("sliding:7")],
        load_rules("ic"),
        every=1,
        until=None,
        horizon=date(2030, 1, 1),
        on_alert=alerts.append,
        on_rejected=lambda rejected: None,
    )
    for _ in replay.feed("test", enumerate(reports, start=1)):
        pass
    replay.finish()
    return replay, alerts


def test_a_signal_is_closed_on_the_day_its_cases_leave_the_window() -> None:
    first = date(2024, 1, 1)
    replay, alerts = _run(
        *_reports(first, "zinc", "Rash", 6),
        *_reports(first, "iron", "Cough", 60),
        *_reports(date(2024, 3, 1), "iron", "Cough", 1),
    )
    days = [(alert.kind.value, alert.drug, alert.evaluated_on) for alert in alerts]
    assert ("new", "zinc", first) in days
    assert ("closed", "zinc", date(2024, 1, 8)) in days
    assert replay.summary.evaluations <= 7 + 3


def test_a_century_of_silence_takes_no_time() -> None:
    replay, _ = _run(
        *_reports(date(1900, 1, 1), "zinc", "Rash", 1), *_reports(date(2024, 1, 1), "iron", "C", 1)
    )
    assert replay.summary.evaluations <= 7 + 3
