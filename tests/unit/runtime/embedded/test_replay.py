"""A replay: what it rejects, leaves out and evaluates, and what it says at its end."""

from datetime import date, timedelta

import polars as pl
import pytest

from detectors.rules import load_rules
from schemas.alert import Alert
from schemas.delta import CASE_CHANGES
from schemas.rejected import Rejected
from streams.core.counting.windows import WindowSpec
from streams.runtime.embedded.replay import Replay
from tests.support.reports import NULLIFIED, make_report
from tests.support.versions import make_link, make_marker, make_release

FIRST = date(2024, 1, 1)


class Run:
    """A replay of rule mhra, every so many days, up to a day."""

    def __init__(self, *, every: int = 1, until: date | None = None) -> None:
        self.alerts: list[Alert] = []
        self.rejected: list[Rejected] = []
        self.replay = Replay(
            [WindowSpec.parse("cumulative")],
            load_rules("mhra"),
            every=every,
            until=until,
            horizon=FIRST + timedelta(days=99),
            on_alert=self.alerts.append,
            on_rejected=self.rejected.append,
        )

    def feed(self, *items: object) -> "Run":
        assert sum(self.replay.feed("test", enumerate(items, start=1))) == len(items)  # type: ignore[arg-type]
        return self

    def finish(self) -> "Run":
        self.replay.finish()
        return self


def test_what_cannot_be_read_is_given_out_and_the_rest_counts() -> None:
    late = make_report("L", day=FIRST + timedelta(days=100))
    run = Run().feed(make_report("A", day=FIRST), b"{", late).finish()
    assert [(one.source, one.position) for one in run.rejected] == [("test", 2), ("test", 3)]
    assert run.replay.summary.population["counted"] == 1


def test_what_was_received_after_a_day_is_left_out() -> None:
    days = [make_report(f"C{n}", day=FIRST + timedelta(days=n)) for n in range(5)]
    run = Run(until=FIRST + timedelta(days=2)).feed(*days).finish()
    assert run.replay.summary.population["counted"] == 3
    assert run.rejected == []


def test_the_number_of_items_is_stated_at_each_evaluation() -> None:
    days = [0, 0, 0, 1, 3, 3]
    reports = [make_report(f"C{n}", day=FIRST + timedelta(days=day)) for n, day in enumerate(days)]
    replay = Run().replay
    numbers = [
        (number, replay.summary.evaluations)
        for number in replay.feed("test", enumerate([*reports, b"{"], start=1))
    ]
    assert numbers == [(3, 1), (1, 2), (3, 2)]


@pytest.mark.parametrize("every", [1, 2, 7])
def test_it_evaluates_as_days_close(every: int) -> None:
    signal = [make_report(f"S{n}", day=FIRST, events=["Sepsis"]) for n in range(3)]
    others = [
        make_report(f"R{n}", day=FIRST + timedelta(days=n // 3), drugs=["iron"]) for n in range(40)
    ]
    run = Run(every=every).feed(*signal, *others).finish()
    fired = [alert for alert in run.alerts if alert.drug == "zinc"]
    assert fired, "it fires at its last evaluation at the latest"
    for alert in run.alerts:
        closes = (alert.evaluated_on - date(1970, 1, 1)).days + 1
        assert closes % every == 0 or alert.evaluated_on == others[-1].latest_received


def test_a_link_takes_its_case_out() -> None:
    link = make_link(decided_on=FIRST).model_dump_json().encode()
    run = Run().feed(make_report("A", day=FIRST), link).finish()
    population = {name: n for name, n in run.replay.summary.population.items() if n}
    assert population == {"duplicate": 1}


def test_a_release_takes_out_what_it_no_longer_has() -> None:
    run = Run().feed(
        make_report("A", day=FIRST, release=make_release(1)),
        make_report("B", day=FIRST, release=make_release(1)),
        make_report("B", day=FIRST, release=make_release(2)),
        make_marker(2),
        make_marker(2).model_dump_json().encode(),  # a line of a file
    )
    population = {name: n for name, n in run.finish().replay.summary.population.items() if n}
    assert population == {"counted": 1, "withdrawn": 1}
    assert run.replay.summary.tally["released"] == 1
    assert run.replay.summary.tally["repeated_release"] == 1
    assert run.rejected == []


def test_a_marker_is_no_day_of_receipt() -> None:
    run = Run(until=FIRST).feed(make_report("A", day=FIRST), make_marker(2)).finish()
    assert run.replay.summary.after_until == 0
    assert run.replay.summary.tally["released"] == 1
    assert run.replay.detector.watermark == (FIRST - date(1970, 1, 1)).days


def test_a_marker_alone_is_nothing_to_evaluate() -> None:
    assert Run().feed(make_marker(2)).finish().replay.summary.evaluations == 0


def test_counted_cases_are_the_latest_versions_that_count() -> None:
    run = Run().feed(
        make_report("B", day=FIRST, drugs=["iron"]),
        make_report("A", day=FIRST),
        make_report("B", day=FIRST, drugs=["gold"], version=2),
        make_report("gone", day=FIRST),
        make_report("gone", day=FIRST, version=2, revision=NULLIFIED),
        make_report("twin", day=FIRST),
        make_link(case_id="twin", decided_on=FIRST).model_dump_json().encode(),
        make_report("early", day=FIRST - timedelta(days=1)),
    )
    cases = run.replay.counted_cases()
    assert cases.schema == pl.Schema(CASE_CHANGES)
    assert cases.select("case_id", "drugs", "n").rows() == [
        ("early", ["zinc"], 1),
        ("A", ["zinc"], 1),
        ("B", ["gold"], 1),
    ]


@pytest.mark.parametrize("every", [1, 7])
def test_counted_cases_run_through_the_detector_as_their_reports_do(every: int) -> None:
    reports = [
        make_report(
            f"C{n:02}",
            day=FIRST + timedelta(days=n // 3 + n // 20 * 9),
            drugs=["zinc" if n % 4 else "iron"],
            events=["Rash" if n % 4 else "Fever"],
        )
        for n in range(40)
    ]
    direct = Run(every=every).feed(*reports).finish()
    cases, again = direct.replay.counted_cases(), Run(every=every)
    assert sum(again.replay.feed_cases(cases)) == len(reports)
    again.finish()
    assert direct.alerts
    assert again.alerts == direct.alerts
    assert again.replay.summary.evaluations == direct.replay.summary.evaluations


def test_reports_and_deltas_are_given_before_the_evaluation_that_counts_them() -> None:
    """Reports as sent and as read, and no link, marker, reject or report after the last day."""
    said: list[tuple[str, object]] = []
    last = FIRST + timedelta(days=5)
    run = Replay(
        [WindowSpec.parse("cumulative")],
        load_rules("mhra"),
        every=1,
        until=last,
        horizon=FIRST + timedelta(days=99),
        on_alert=lambda alert: said.append(("alert", alert.as_of[0].next_offset)),
        on_rejected=lambda rejected: None,
        on_report=lambda offset, report: said.append(("report", (offset, report.case_id))),
        on_delta=lambda delta: said.append(("delta", delta.next_offset)),
    )
    items = [
        make_report("A", day=FIRST),
        make_report("B", day=FIRST).model_dump_json().encode(),
        b"{",
        make_link(case_id="B").model_dump_json().encode(),
        *(make_report(f"C{day}", day=FIRST + timedelta(days=day)) for day in range(1, 5)),
        *(make_report(f"D{n}", day=last, drugs=("iron",), events=("Fever",)) for n in range(6)),
        make_report("Z", day=last + timedelta(days=1)),
    ]
    assert sum(run.feed("test", enumerate(items))) == len(items)
    run.finish()
    reports = [one for kind, one in said if kind == "report"]
    assert reports[:6] == [(0, "A"), (1, "B"), (4, "C1"), (5, "C2"), (6, "C3"), (7, "C4")]
    assert reports[6:] == [(8 + n, f"D{n}") for n in range(6)]
    assert [one for kind, one in said if kind == "delta"][-1] == len(items)
    assert "alert" in {kind for kind, _ in said}
    known = 0
    for kind, one in said:
        if kind == "delta":
            assert isinstance(one, int)
            known = one
        elif kind == "alert":
            assert one == known
