"""Facts of one pair's pictures, from a replay of its reports."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest

from schemas.alert import Alert
from schemas.vocabulary import VerificationState
from streams.core.explanation.case_lanes import case_lanes
from streams.core.explanation.neighbours import neighbours_with_and_without
from streams.core.explanation.over_time import daily_evidence
from streams.core.explanation.strata_forest import strata_forest
from streams.core.explanation.trend import daily_trend
from streams.figures.facts.pairs import (
    evidence_facts,
    forest_facts,
    neighbours_facts,
    onset_facts,
    swimlane_facts,
    trend_facts,
)
from streams.figures.forest import RowKind, forest
from streams.figures.trend import DatedMark, trend
from tests.support.explained import explained_run, population, run
from tests.support.pictures import entries_of, intervals_in

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Given:
    """Rows of one pair."""

    daily: list[Row]
    cases: list[Row]
    forest: list[Row]
    neighbours: list[Row]
    evidence: list[Row]
    alerts: list[Alert]
    last_day: date


def _tested(alert: Alert) -> Alert:
    """Return an alert with the evidence that a rule on it would have asked for."""
    statistics = alert.statistics.model_copy(update={"log_e_value_blocked": 0.5 * alert.revision})
    return alert.model_copy(update={"statistics": statistics})


@pytest.fixture(scope="module")
def given() -> Given:
    done = run()
    explained, around = explained_run(done), population(done)
    return Given(
        daily=daily_trend(around).to_dicts(),
        cases=case_lanes(explained.view, "zinc", "rash", explained.last_day).to_dicts(),
        forest=strata_forest(around).to_dicts(),
        neighbours=neighbours_with_and_without(around).to_dicts(),
        evidence=daily_evidence(
            around, explained.view, explained.last_day, by_sex=False
        ).to_dicts(),
        alerts=[
            _tested(each)
            for each in explained.alerts
            if (each.drug, each.event) == ("zinc", "rash")
        ],
        last_day=date(1970, 1, 1) + timedelta(days=explained.last_day),
    )


def of_trend(given: Given, last_day: date | None = None, **other: Any) -> Any:
    return trend_facts(
        given.daily,
        given.cases,
        given.alerts,
        drug="zinc",
        event="rash",
        last_day=last_day or given.last_day,
        **other,
    )


def test_the_trend_has_the_rows_and_revisions_as_they_are(given: Given) -> None:
    facts = of_trend(given)
    assert [point.n_observed for point in facts.points][-1] == 10
    assert sum(each.n for each in facts.received) == 10
    for revision, alert in zip(facts.revisions, given.alerts, strict=True):
        assert (revision.number, revision.day) == (alert.revision, alert.evaluated_on)
        assert revision.estimate.value == alert.statistics.ic
        assert revision.estimate.lower == alert.statistics.ic_lower
        # The detector and the daily counts agree.
        (row,) = [row for row in given.daily if row["day"] == alert.evaluated_on]
        assert row["n_observed"] == alert.counts.n_observed
        assert row["ic"] == pytest.approx(alert.statistics.ic)
    last = given.daily[-1]
    assert intervals_in(entries_of(trend(facts))[len(facts.revisions)])
    assert facts.points[-1].estimate.value == last["ic"]


def test_the_trend_knows_nothing_after_its_day(given: Given) -> None:
    day = given.alerts[1].evaluated_on
    later = day + timedelta(days=1)
    marks = [DatedMark(day, "known"), DatedMark(later, "unknown")]
    facts = of_trend(given, day, notices=marks, decisions=marks)
    assert max(point.day for point in facts.points) <= day
    assert [revision.number for revision in facts.revisions] == [1, 2]
    assert all(each.day <= day for each in facts.received)
    assert [mark.label for mark in (*facts.notices, *facts.decisions)] == ["known", "known"]
    assert "unknown" not in trend(facts)


def test_a_long_history_begins_shortly_before_the_first_case(given: Given) -> None:
    long_ago = {**given.daily[0], "day": date(2014, 5, 5)}
    facts = trend_facts(
        [long_ago, *given.daily], given.cases, [], drug="z", event="r", last_day=given.last_day
    )
    first = given.cases[0]["received"]
    assert facts.first_day == (first - timedelta(days=60)).replace(day=1)
    assert facts.points[0].day == facts.first_day
    assert facts.points[0].n_observed == long_ago["n_observed"]


def test_a_pair_without_rows_has_an_empty_trend() -> None:
    facts = trend_facts([], [], [], drug="z", event="r", last_day=date(2024, 5, 5))
    assert (facts.first_day, facts.points) == (date(2024, 5, 1), [])


def test_the_forest_has_labels_in_words(given: Given) -> None:
    facts = forest_facts(given.forest, drug="zinc", event="rash")
    labels = [row.label for row in facts.rows]
    assert labels[:2] == ["All reports", "Adjusted for strata"]
    assert {"female", "male", "18 to under 45 y"} <= set(labels)
    assert [row.kind for row in facts.rows[:3]] == [
        RowKind.ALL,
        RowKind.ADJUSTED,
        RowKind.STRATUM,
    ]
    japanese = forest_facts(given.forest, drug="zinc", event="rash", language="ja")
    assert {"全報告", "女性", "18歳以上45歳未満"} <= {row.label for row in japanese.rows}


def test_numbers_of_the_drawn_forest_are_those_of_the_rows(given: Given) -> None:
    entries = entries_of(forest(forest_facts(given.forest, drug="zinc", event="rash")))
    for entry, row in zip(entries, given.forest, strict=True):
        wanted = tuple(round(row[name], 2) for name in ("ic", "ic_lower", "ic_upper"))
        assert intervals_in(entry) == [wanted]
        assert f"{row['n_observed']} case" in entry


def test_a_subgroup_without_a_name_of_its_own_keeps_its_name() -> None:
    row = {
        **{"factor": "region", "subgroup": "US", "n_observed": 1, "expected": 0.5},
        **{"ic": 1.0, "ic_lower": 0.0, "ic_upper": 2.0},
    }
    unknown = {**row, "subgroup": "unknown"}
    rows = forest_facts([row, unknown], drug="z", event="r").rows
    assert [each.label for each in rows] == ["US", "Region not stated"]


def test_neighbours_have_both_estimates(given: Given) -> None:
    facts = neighbours_facts(
        given.neighbours, given.forest[0], drug="zinc", event="rash", names={"iron": "Iron (FE)"}
    )
    (iron,) = facts.rows
    assert (iron.label, iron.n_shared) == ("Iron (FE)", 6)
    assert (iron.everything.n_observed, iron.without.n_observed) == (7, 1)
    assert iron.without.estimate.value == given.neighbours[0]["ic_without"]
    assert facts.pair.n_observed == 10


def test_lanes_say_what_is_stated(given: Given) -> None:
    facts = swimlane_facts(given.cases, drug="zinc", event="rash")
    for lane, row in zip(facts.cases, given.cases, strict=True):
        assert (lane.case_id, lane.onset_days) == (row["case_id"], row["onset_days"])
        assert row["sex"] in lane.patient
        assert lane.state is (VerificationState.VALID_ICSR if row["by_professional"] else None)
    silent = {**given.cases[0], "age_group": "unknown", "sex": "unknown"}
    (lane,) = swimlane_facts([silent], drug="zinc", event="rash").cases
    assert lane.patient == ""


@pytest.mark.parametrize(
    ("stated", "outcome", "is_grave"),
    [
        ({"fatal": True, "life_threatening": True, "serious": True}, "fatal", True),
        ({"life_threatening": True, "serious": True}, "life-threat.", True),
        ({"serious": True}, "serious", False),
        ({}, "", False),
    ],
)
def test_the_gravest_outcome_is_named(
    given: Given, stated: dict[str, bool], outcome: str, is_grave: bool
) -> None:
    (lane,) = swimlane_facts([{**given.cases[0], **stated}], drug="z", event="r").cases
    assert (lane.outcome, lane.is_grave) == (outcome, is_grave)


def test_the_evidence_has_the_published_values_and_the_days_between(given: Given) -> None:
    facts = evidence_facts(
        given.evidence, given.alerts, drug="zinc", event="rash", last_day=given.last_day
    )
    published = {point.revision: point for point in facts.points if point.revision is not None}
    for alert in given.alerts:
        point = published[alert.revision]
        assert point.day == alert.evaluated_on
        assert point.log_e_value == alert.statistics.log_e_value_blocked
    days = {row["day"] for row in given.evidence}
    assert days <= {point.day for point in facts.points}
    assert [point.day for point in facts.points] == sorted(point.day for point in facts.points)


@pytest.mark.parametrize(
    ("by_professional", "state"), [(True, VerificationState.VALID_ICSR), (False, None)]
)
def test_a_counted_case_is_never_said_to_be_confirmed(
    by_professional: bool, state: VerificationState | None, given: Given
) -> None:
    cases = [{**row, "by_professional": by_professional} for row in given.cases]
    lanes = swimlane_facts(cases, drug="z", event="r").cases
    boxes = onset_facts(cases, subject="z").cases
    received = trend_facts(
        given.daily, cases, [], drug="z", event="r", last_day=given.last_day
    ).received
    assert {each.state for each in (*lanes, *boxes, *received)} == {state}


def test_an_onset_is_the_stated_day_else_that_of_receipt(given: Given) -> None:
    silent = {**given.cases[0], "onset": None}
    facts = onset_facts([silent, given.cases[1]], subject="x", letters={silent["case_id"]: "A"})
    assert [(case.day, case.is_onset) for case in facts.cases] == [
        (silent["received"], False),
        (given.cases[1]["onset"], True),
    ]
    assert [case.letter for case in facts.cases] == ["A", ""]
