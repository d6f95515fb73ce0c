"""The exosome scenario rings when it should, with the numbers of an independent recount."""

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from detectors.rules import load_rules
from schemas.report import Report
from streams.demo import PRODUCT_CLASS, background, story
from tests.support.replays import Replayed, replayed

PROGRESSION = "Malignant neoplasm progression"

# Source: independent recount of the scenario with scipy, 3 decimals.
# day, kind, event, n, ROR, its bounds, IC025
EXPECTED = [
    ("2019-10-15", "new", "Sepsis", 3, 6.200, 1.924, 19.975, -0.260),
    ("2024-01-17", "new", PROGRESSION, 3, 4.714, 1.468, 15.137, -0.467),
    ("2024-02-02", "strengthened", PROGRESSION, 4, 6.286, 2.266, 17.434, 0.193),
    ("2024-04-02", "weakened", PROGRESSION, 3, 4.714, 1.468, 15.137, -0.467),
    ("2024-05-20", "strengthened", "Sepsis", 4, 7.750, 2.789, 21.536, 0.355),
]
FIRED = [
    ("ema", "mhra"),
    ("ema", "mhra"),
    ("ema", "ic", "mhra"),
    ("ema", "mhra"),
    ("ema", "ic", "mhra"),
]


def _replay(reports: Iterable[Report]) -> Replayed:
    watched = {"additional_monitoring": [PRODUCT_CLASS]}
    return replayed(reports, rules=load_rules(["mhra", "ema", "ic"], lists=watched))


@pytest.fixture(scope="module")
def told() -> list[Report]:
    return [*background(), *(entry.item for entry in story() if isinstance(entry.item, Report))]


@pytest.fixture(scope="module")
def in_order(told: list[Report]) -> Replayed:
    return _replay(told)


def test_the_alerts_are_those_of_the_recount_and_no_others(
    in_order: Replayed,
) -> None:
    alerts = in_order.alerts
    assert not any(rule.held for alert in alerts for rule in alert.rules)
    found = [
        (
            alert.evaluated_on.isoformat(),
            alert.kind.value,
            alert.event,
            alert.counts.n_observed,
            *(
                round(value, 3)
                for value in (
                    alert.statistics.ror,
                    alert.statistics.ror_lower,
                    alert.statistics.ror_upper,
                    alert.statistics.ic_lower,
                )
                if value is not None
            ),
        )
        for alert in alerts
    ]
    assert found == EXPECTED
    assert {alert.drug for alert in alerts} == {PRODUCT_CLASS}
    assert [alert.rules_fired for alert in alerts] == FIRED


# Source: the same recount, among cases of cancer. n, ROR and its bounds.
RESTRICTED = [(3, 3.5, 0.575, 21.304), (4, 4.667, 0.84, 25.938), (3, 3.5, 0.575, 21.304)]


def test_the_cancers_are_not_supported_among_cases_of_cancer(
    in_order: Replayed,
) -> None:
    restricted = [alert.restricted for alert in in_order.alerts if alert.restricted]
    found = [
        (
            each.counts.n_observed,
            *(
                round(value, 3)
                for value in (
                    each.statistics.ror,
                    each.statistics.ror_lower,
                    each.statistics.ror_upper,
                )
                if value is not None
            ),
        )
        for each in restricted
    ]
    assert found == RESTRICTED
    assert [each.supported for each in restricted] == [False] * 3
    assert {alert.event for alert in in_order.alerts if alert.restricted} == {PROGRESSION}
    assert all(
        alert.sentence.endswith(", and no rule is met.") is (alert.restricted is not None)
        for alert in in_order.alerts
    )


def test_what_the_alerts_say_of_who_reported(in_order: Replayed) -> None:
    third, fourth = in_order.alerts[1:3]
    assert (third.n_by_professional, fourth.n_by_professional) == (3, 3)  # LC-4: a relative
    assert (third.countries, fourth.counts.n_observed) == (("JP",), 4)
    assert in_order.alerts[0].countries == ("US",)
    # Sex, age and outcome, and the dose, are not stated; the onset in one of three.
    assert third.completeness == round(100 * 0.5 * 0.7**3 * 0.9)
    assert (third.n_suspected_duplicates, third.burst) == (0, None)


def test_no_alert_comes_of_the_background(told: list[Report]) -> None:
    ran = _replay(told[:20060])
    assert (ran.alerts, ran.run.summary.population["counted"]) == ([], 20060)


def test_what_is_kept_out_is_told_apart(in_order: Replayed) -> None:
    assert {reason: n for reason, n in in_order.run.summary.population.items() if n} == {
        "counted": 20068,
        "duplicate": 1,
        "nullified": 1,
    }


def test_alerts_name_their_cases(in_order: Replayed) -> None:
    alerts = in_order.alerts
    assert alerts[3].case_ids == ("LC-1", "LC-2", "LC-4")
    # Step 15: the rule ic is past its exit of -0.25, the ROR still says a signal.
    assert alerts[3].reason == "1 case withdrawn; a rule no longer met (IC025)"
    assert [reason.value for reason in alerts[3].reasons] == ["cases_retracted", "rule_off"]
    assert alerts[3].previous is not None
    assert (alerts[3].revision, alerts[3].previous.revision) == (3, 2)
    assert alerts[4].case_ids == ("NE-1", "NE-2", "NE-3", "NE-4")
    assert [str(day) for day in (alerts[4].first_received, alerts[4].last_received)] == [
        "2019-10-07",
        "2024-05-20",
    ]


def _counts(ran: Replayed) -> pl.DataFrame:
    return ran.run.detector.all_counts()


def test_order_within_a_day_and_repeats_change_no_count(
    told: list[Report], in_order: Replayed
) -> None:
    by_day: dict[date, list[Report]] = defaultdict(list)
    for report in told:
        by_day[report.latest_received] += [report, report]
    shuffled = []
    chance = random.Random(17)
    for day in sorted(by_day):
        chance.shuffle(by_day[day])
        shuffled += by_day[day]
    ran = _replay(shuffled)
    assert_frame_equal(_counts(ran), _counts(in_order))
    assert ran.run.summary.tally["repeated"] == len(told)
    without_offsets = [alert.model_dump(exclude={"as_of", "snapshot_id"}) for alert in ran.alerts]
    assert without_offsets == [
        alert.model_dump(exclude={"as_of", "snapshot_id"}) for alert in in_order.alerts
    ]


def test_reports_in_reverse_give_the_same_counts(told: list[Report], in_order: Replayed) -> None:
    assert_frame_equal(_counts(_replay(reversed(told))), _counts(in_order))
