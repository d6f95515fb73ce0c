"""One signal from the screening to an alarm, back and to its end: its history, and who gets it."""

import json
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from detectors.rules import RuleSet, load_rules
from schemas.alert import Alert, SignalGrade
from schemas.report import Report
from schemas.subscription import Tier
from streams.delivery.channels import deliver
from streams.delivery.outbox import Outbox
from streams.delivery.sending.send_schedule import Attempt, SendOutcome
from streams.delivery.subscription_status import Due
from tests.support.alerts import KEY, NOW, subscription
from tests.support.replays import Replayed, replayed
from tests.support.reports import make_report

RULES = """
[{name}]
title = "IC025 > {entry}"
source = "test"
all = [
    {{ statistic = "ic_lower", op = ">", value = {entry}, exit = {exit} }},
    {{ statistic = "n_observed", op = ">=", value = 3 }},
]
"""
# Day of January, number of cases, drug and event.
TOLD = (
    (1, 92, "other", "Itch"),
    (1, 5, "other", "Rash"),
    (1, 3, "zinc", "Rash"),
    (2, 1, "zinc", "Rash"),
    (3, 12, "other", "Rash"),
    (4, 16, "other", "Rash"),
)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    folder: Path = tmp_path_factory.mktemp("rules")
    for name, entry, leave in (("strict", 0.4, 0.15), ("wide", 0.0, -0.25)):
        text = RULES.format(name=name, entry=entry, exit=leave)
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return load_rules(folder / "strict.toml", screening=folder / "wide.toml")


@pytest.fixture(scope="module")
def run(rules: RuleSet) -> Replayed:
    reports: list[Report] = [
        make_report(f"{at}-{n}", day=date(2024, 1, day), drugs=[drug], events=[event])
        for at, (day, number, drug, event) in enumerate(TOLD)
        for n in range(number)
    ]
    return replayed(reports, rules=rules)


@pytest.fixture(scope="module")
def history(run: Replayed) -> list[Alert]:
    return [alert for alert in run.alerts if alert.signal_key == "zinc|rash|cumulative"]


def test_a_signal_has_one_history_across_its_grades(history: list[Alert]) -> None:
    """IC025 by the gamma quantiles .845, 1.35 (n 3, 4) over E + 1/2: .19, .66, .12 and -.29."""
    assert [round(alert.statistics.ic_lower or 9, 2) for alert in history] == [
        *(0.19, 0.66, 0.12, -0.29)
    ]
    assert [(alert.revision, alert.kind.value, alert.grade.value) for alert in history] == [
        (1, "new", "screening"),
        (2, "strengthened", "alarm"),
        (3, "weakened", "screening"),
        (4, "closed", "screening"),
    ]
    assert [[reason.value for reason in alert.reasons] for alert in history] == [
        ["first"],
        ["now_alarm", "further_rule"],
        ["no_longer_alarm", "rule_off"],
        ["no_rule_on"],
    ]
    before = [alert.previous and alert.previous.grade for alert in history]
    assert before == [None, *(alert.grade for alert in history[:-1])]
    assert history[1].reason == ("now an alarm; another rule met (IC025 > 0.4)")
    assert [alert.headline.partition(": ")[2] for alert in history] == [
        "new signal of disproportionate reporting, by screening rules only",
        "now an alarm; another rule met (IC025 > 0.4)",
        "no longer an alarm; a rule no longer met (IC025 > 0.4)",
        "no rule is met any longer",
    ]


def test_the_summary_counts_the_alarms_that_were_raised(run: Replayed) -> None:
    grades: dict[str, str] = {}
    raised = 0
    for alert in run.alerts:
        raised += alert.grade == "alarm" and grades.get(alert.signal_key) != "alarm"
        grades[alert.signal_key] = alert.grade
    assert run.run.summary.alarms == raised == 1
    assert len(run.alerts) > raised


@pytest.mark.parametrize(
    ("tier", "grades", "revisions"),
    [
        (Tier.PUBLIC, (SignalGrade.ALARM,), [1, 2]),  # by band: begins, and ends
        (Tier.CONSUMER, (SignalGrade.ALARM,), [2, 3, 4]),
        (Tier.AUTHORITY, (SignalGrade.ALARM,), [2, 3, 4]),
        (Tier.AUTHORITY, tuple(SignalGrade), [1, 2, 3, 4]),
    ],
)
def test_a_subscriber_follows_it_from_its_grade_to_its_end(
    history: list[Alert], tier: Tier, grades: tuple[SignalGrade, ...], revisions: list[int]
) -> None:
    sent: list[dict[str, Any]] = []
    with closing(Outbox(":memory:", key=KEY)) as outbox:
        outbox.subscribe(subscription(tier, grades=grades))
        for position, alert in enumerate(history):
            outbox.put(alert, source="alerts", position=position, now=NOW)

        def send(due: Due, now: datetime) -> Attempt:
            sent.append(json.loads(due.body))
            return Attempt(SendOutcome.DELIVERED, "x")

        deliver(outbox, send, lambda: NOW)
    assert [copy["revision"] for copy in sent] == revisions
    assert ["grade" in copy for copy in sent] == [tier is not Tier.PUBLIC] * len(revisions)
