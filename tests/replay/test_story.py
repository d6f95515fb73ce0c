"""The whole scenario on the embedded log: which safety alert comes of which step, and of none."""

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import date

import pytest

from schemas.report import Report
from schemas.safety_alert import SafetyAlert
from streams.demo import PRODUCT_CLASS, background
from tests.support.replays import Replayed, founding_case, replayed

# Source: the table of required outputs per step; kinds of later revisions as documented.
EXPECTED = [
    ("2019-10-09", "LOT_CLUSTER", 1, "new"),  # step 2
    ("2019-10-15", "LOT_CLUSTER", 2, "strengthened"),  # step 4
    ("2023-10-11", "UNVERIFIED_FATAL", 1, "new"),  # step 6; 7 repeats it and says nothing
    ("2023-11-14", "UNVERIFIED_FATAL", 2, "update"),  # step 8: contested
    ("2023-11-28", "CASE_SERIES", 1, "new"),  # step 9
    ("2023-11-30", "ONGOING_EXPOSURE", 1, "new"),  # step 10
    ("2024-01-10", "CASE_SERIES", 2, "strengthened"),  # step 11: 1 verified
    ("2024-01-17", "CASE_SERIES", 3, "strengthened"),  # step 12: 3
    ("2024-02-02", "CASE_SERIES", 4, "strengthened"),  # step 13: 4, of at least 4
    ("2024-03-20", "USAGE_RULE", 1, "new"),  # step 14, three athletes
    ("2024-03-20", "USAGE_RULE", 1, "new"),
    ("2024-03-20", "USAGE_RULE", 1, "new"),
    ("2024-04-02", "CASE_SERIES", 5, "weakened"),  # step 15
    ("2024-05-07", "FATAL_CASE", 1, "new"),  # step 16
    ("2024-05-07", "UNVERIFIED_FATAL", 3, "closed"),
    ("2024-05-20", "LOT_CLUSTER", 3, "strengthened"),  # step 17
]


def said(alerts: Iterable[SafetyAlert]) -> list[tuple[str, str, int, str]]:
    return [
        (str(alert.evaluated_on), alert.category.value, alert.revision, alert.kind.value)
        for alert in alerts
    ]


@pytest.fixture(scope="module")
def told() -> Replayed:
    reports, notices = founding_case()
    return replayed([*background(), *reports], notices=notices)


def test_every_step_says_what_it_must_and_nothing_else(told: Replayed) -> None:
    alerts = told.safety_alerts
    assert said(alerts) == EXPECTED
    by_key: dict[str, list[str]] = defaultdict(list)
    for alert in alerts:
        by_key[alert.signal_key].append(alert.kind.value)
    assert all(kinds.count("new") == 1 for kinds in by_key.values())
    urgent = {alert.category.value for alert in alerts if alert.urgent}
    assert urgent == {"LOT_CLUSTER", "FATAL_CASE"}


def test_no_notice_enters_a_count(told: Replayed) -> None:
    reports, _ = founding_case()
    without = replayed([*background(), *reports])
    counts = told.run.detector.all_counts()
    assert counts.equals(without.run.detector.all_counts())
    pair = counts.filter(drug=PRODUCT_CLASS, event="Death")
    assert pair["n_observed"].to_list() == [1]


def test_the_series_speaks_of_four_patients_and_never_of_eight(told: Replayed) -> None:
    series = [alert for alert in told.safety_alerts if alert.category == "CASE_SERIES"]
    assert [alert.n_verified for alert in series] == [0, 1, 3, 4, 3]
    assert {alert.patients.at_least for alert in series if alert.patients} == {4}
    assert [alert.n_by_professional for alert in series] == [0, 1, 3, 3, 2]
    assert all("indication_confounding" in alert.flags for alert in series)


def test_a_rumour_that_is_refuted_is_closed_for_who_heard_of_it() -> None:
    reports, notices = founding_case(refuted=True)
    ran = replayed(reports, notices=notices)
    alerts = ran.safety_alerts
    assert ("2024-05-07", "UNVERIFIED_FATAL", 3, "closed") in said(alerts)
    assert "FATAL_CASE" not in {alert.category.value for alert in alerts}
    assert ran.run.detector.all_counts().filter(event="Death").height == 0


def test_repeats_and_the_order_within_a_day_change_nothing(told: Replayed) -> None:
    reports, notices = founding_case()
    chance = random.Random(3)
    by_day: dict[date, list[Report]] = defaultdict(list)
    for report in [*reports, *reports]:
        by_day[report.latest_received].append(report)
    for same_day in by_day.values():
        chance.shuffle(same_day)
    twice = [report for day in sorted(by_day) for report in by_day[day]]
    doubled = [*notices, *notices]
    chance.shuffle(doubled)
    alerts = replayed([*background(), *twice], notices=doubled).safety_alerts

    def content(alert: SafetyAlert) -> dict[str, object]:
        return alert.model_dump(exclude={"as_of"})

    assert list(map(content, alerts)) == list(map(content, told.safety_alerts))


@pytest.mark.parametrize("until", ["2019-10-08", "2019-10-10", "2023-11-14", "2024-03-20"])
def test_what_was_known_on_a_day(until: str) -> None:
    reports, notices = founding_case()  # alone: no other product's report makes a safety alert
    last = date.fromisoformat(until)
    known = replayed(reports, notices=notices, until=last).safety_alerts
    assert said(known) == [entry for entry in EXPECTED if entry[0] <= until]
