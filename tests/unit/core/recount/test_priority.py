"""The recounted priority: first days from the revisions in order, parts from other code."""

from datetime import date, timedelta

import polars as pl
import pytest

from schemas.alert import Alert, SignalGrade
from schemas.scrutiny import ExplainedBy
from streams.core.alerts.priority import priority_on
from streams.core.recount.priority import PRIORITY, Priorities
from tests.support.alerts import signal

DAY = date(2024, 1, 1)
TODAY = (DAY - date(1970, 1, 1)).days
_DAYS = [TODAY - 182, TODAY - 181, TODAY, TODAY + 1, *[TODAY] * 24]
CASES = pl.DataFrame(  # 24 of iron: eight to compare with for each of three
    {
        "day": _DAYS,
        "band": 1,
        "sex": "female",
        "drugs": [f"\x1f{drug}\x1f" for drug in (*["zinc"] * 4, *["iron"] * 24)],
        "events": "\x1fSepsis\x1f",
    }
)


def revision(number: int, grade: SignalGrade, first: int, alarm: int | None, day: int) -> Alert:
    """Return a revision, with the days of its first alert and alarm from `DAY` on."""
    on = [None if days is None else DAY + timedelta(days=days) for days in (first, alarm)]
    alert = signal(revision=number, drug="zinc", grade=grade).model_copy(
        update={
            "evaluated_on": DAY + timedelta(days=day),
            "first_alert_on": on[0],
            "first_alarm_on": on[1],
            "n_drug_recent": 2,
            "n_comparators": 24,
        }
    )
    return alert.model_copy(update={"priority": priority_on(alert, alert.evaluated_on)})


def values(recounted: Priorities, alert: Alert) -> dict[str, object]:
    statistics, explained_by = alert.statistics.model_dump(), alert.explained_by
    return recounted.values(alert, CASES, statistics, alert.n_serious, alert.grade, explained_by)


def published(alert: Alert) -> dict[str, object]:
    found: dict[str, object] = {}
    for name in PRIORITY:
        value: object = alert
        for part in name.split("."):
            value = getattr(value, part)
        found[name] = value
    return found


def test_everything_is_recomputed_to_the_last_bit() -> None:
    alert = revision(1, SignalGrade.ALARM, 0, 0, 0)
    assert values(Priorities(), alert) == published(alert)


def test_first_days_follow_from_the_revisions_in_order() -> None:
    recounted = Priorities()
    first = revision(1, SignalGrade.SCREENING, 0, None, 0)
    raised = revision(2, SignalGrade.ALARM, 0, 9, 9)
    lowered = revision(3, SignalGrade.SCREENING, 0, 9, 12)
    for alert in (first, raised, lowered):
        found = values(recounted, alert)
        assert found["first_alert_on"] == alert.first_alert_on
        assert found["first_alarm_on"] == alert.first_alarm_on
        assert found["priority.parts"] == published(alert)["priority.parts"]


def test_a_first_day_that_was_moved_is_found_out() -> None:
    recounted = Priorities()
    values(recounted, revision(1, SignalGrade.ALARM, 0, 0, 0))
    assert values(recounted, revision(2, SignalGrade.ALARM, 5, 5, 9))["first_alert_on"] == DAY
    alone = values(Priorities(), revision(2, SignalGrade.ALARM, 5, 5, 9))
    assert alone["first_alert_on"] == DAY + timedelta(days=5)  # taken as published


def test_with_few_comparators_the_crude_component_counts() -> None:
    alert = revision(1, SignalGrade.ALARM, 0, 0, 0)
    statistics = alert.statistics.model_dump() | {"ic": 2.5}
    for cases, comparators, evidence in (
        (CASES, 24, alert.statistics.ic_adjusted),
        (CASES[:-1], 23, 2.5),
        (CASES[:4], 0, 2.5),
    ):
        found = Priorities().values(alert, cases, statistics, alert.n_serious, alert.grade, None)
        assert found["n_comparators"] == comparators
        assert isinstance(found["priority.parts"], dict)
        assert found["priority.parts"]["evidence"] == evidence


@pytest.mark.parametrize("lower", [1.0, 0.0, -3.0])
def test_evidence_follows_the_lower_bound(lower: float) -> None:
    alert = revision(1, SignalGrade.ALARM, 0, 0, 0)
    statistics = alert.statistics.model_copy(update={"ic_lower_adjusted": lower})
    alert = alert.model_copy(update={"statistics": statistics})
    alert = alert.model_copy(update={"priority": priority_on(alert, DAY)})
    assert values(Priorities(), alert) == published(alert)


@pytest.mark.parametrize("shares", [(), (0.5,), (0.4, 1.0)])
def test_a_product_that_explains_the_pair_lowers_it(shares: tuple[float, ...]) -> None:
    alert = revision(1, SignalGrade.ALARM, 0, 0, 0)
    products = tuple(ExplainedBy.model_construct(share=share) for share in shares)
    alert = alert.model_copy(update={"explained_by": products})
    alert = alert.model_copy(update={"priority": priority_on(alert, DAY)})
    assert values(Priorities(), alert) == published(alert)


def test_an_alert_of_an_older_version_has_nothing_to_compare() -> None:
    assert values(Priorities(), signal()) == {}
