"""The priority of an alert is the product of its parts, each worked out here by hand."""

import math
from datetime import date, timedelta

import numpy as np
import pytest
from pydantic import ValidationError

from schemas.alert import Alert, AlertKind, AlertReason, Counts, SignalGrade
from schemas.scrutiny import Burst, ExplainedBy
from streams.core.alerts.priority import (
    evidence,
    is_urgent,
    level_thresholds,
    priority_on,
    priority_rules,
    read_priority_rules,
)
from tests.support.alerts import signal

DAY = date(2024, 1, 1)
BITS = {"ic_adjusted": 2.0, "ic_lower_adjusted": 0.5, "ic": 3.0, "ic_lower": 1.0}


def alert(n=3, statistics=None, **changes):
    """An alarm of three cases, one serious; IC 2 within strata, 21 of 63 cases of the drug new."""
    stated = {"n_serious": 1, "n_drug_recent": 21, "first_alert_on": DAY, "first_alarm_on": DAY}
    found = signal(n)
    values = found.statistics.model_copy(update=BITS | (statistics or {}))
    return found.model_copy(update={"statistics": values, **stated, **changes})


def explaining(*shares):
    """Products that explain the pair, each named by a share of its cases."""
    return tuple(ExplainedBy.model_construct(product="A", share=share) for share in shares)


# 2 bits x (1/2 + 1.5/4) x (1 + 3 x 21/63) x (1/4 + 1) x 1
BASE = 2.0 * 0.875 * 2.0 * 1.25


@pytest.mark.parametrize(
    ("changes", "score"),
    [
        ({}, BASE),
        ({"statistics": {"ic_adjusted": 12.0}}, 6 * BASE),  # evidence does not saturate
        ({"statistics": {"ic_lower_adjusted": 0.0}}, BASE / 2.0 * 0.05),  # the bound of O/E is 1
        ({"statistics": {"ic_lower_adjusted": -2.0}}, BASE / 2.0 * 0.05 / 4),
        ({"statistics": {"ic_adjusted": None, "ic_lower_adjusted": None}}, 1.5 * BASE),
        # eight cases to compare with for each of three; with fewer the crude one counts
        ({"n_comparators": 24}, BASE),
        ({"n_comparators": 23}, 1.5 * BASE),
        ({"n_comparators": None}, BASE),
        ({"n_serious": 0}, BASE / 0.875 * 0.625),
        ({"n_serious": 3}, BASE / 0.875 * 1.375),
        ({"n_drug_recent": 0}, BASE / 2),
        ({"n_drug_recent": 63}, BASE * 2),
        ({"n_drug_recent": None}, BASE / 2),
        ({"grade": SignalGrade.SCREENING}, BASE * priority_rules().grade.screening),
        ({"first_alarm_on": DAY - timedelta(days=90)}, BASE / 1.25 * 0.75),
        # of an alarm the days since it became one count
        ({"first_alert_on": DAY - timedelta(days=90)}, BASE),
        ({"first_alert_on": DAY - timedelta(days=90), "first_alarm_on": None}, BASE / 1.25 * 0.75),
        ({"first_alert_on": None, "first_alarm_on": None}, BASE / 1.25),
        ({"explained_by": ()}, BASE),
        # half the share of the product that most cases name
        ({"explained_by": explaining(0.5, 0.8)}, BASE * 0.6),
        ({"explained_by": explaining(1.0)}, BASE * 0.5),
    ],
)
def test_the_score_is_the_product_of_the_factors(changes, score):
    found = priority_on(alert(**changes), DAY)
    assert found.score == pytest.approx(score, rel=1e-12)
    assert found.total == pytest.approx(score / (1 + score), rel=1e-12)
    assert math.prod(found.factors.values()) == found.score
    assert found.weights == {}
    for name, value in found.parts.items():
        assert value is not None or found.factors[name] == 1, name
    assert found.parts["listed"] is None
    assert (found.parts["explained"] is None) == ("explained_by" not in changes)


def test_evidence_is_unknown_without_either_information_component():
    nothing = dict.fromkeys(BITS)
    table = priority_rules()
    assert evidence(nothing, table, within_strata=True) is None
    assert evidence(nothing | {"ic": 3.0, "ic_lower": 1.0}, table, within_strata=True) == 3.0
    assert evidence(BITS, table, within_strata=False) == 3.0
    # whatever the crude one says
    assert evidence(BITS | {"ic_lower_adjusted": -1.0}, table, within_strata=True) == 0.05 / 2


def test_a_priority_of_another_day_differs_by_freshness_alone():
    published = alert()
    published = published.model_copy(update={"priority": priority_on(published, DAY)})
    later = priority_on(published, DAY + timedelta(days=180))
    assert later.score == pytest.approx(BASE / 1.25 * 0.5, rel=1e-12)
    assert {**later.parts, "freshness": 1.0} == published.priority.parts
    assert priority_on(published, DAY - timedelta(days=9)) == published.priority  # never fresher


def test_the_total_is_recomputed_from_the_written_alert():
    published = alert(n_drug_recent=17, n_serious=2)
    totals = np.linspace(0, 0.9, 30)
    published = published.model_copy(
        update={"priority": priority_on(published, DAY, level_thresholds(totals))}
    )
    read = Alert.model_validate_json(published.model_dump_json())
    assert priority_on(read, read.evaluated_on) == published.priority


def test_levels_are_shares_of_the_totals_of_the_site():
    totals = [place / 1000 for place in range(100)]
    thresholds = level_thresholds(totals)
    above = [sum(total >= thresholds[name] for total in totals) for name in ("high", "medium")]
    assert above == [10, 40]
    few = level_thresholds(totals[:19])
    assert few == {"high": priority_rules().levels.high, "medium": priority_rules().levels.medium}


@pytest.mark.parametrize(
    ("total", "level"), [(BASE, "high"), (BASE / 2, "medium"), (BASE / 4, "low")]
)
def test_a_level_begins_at_its_threshold(total, level):
    at = {name: BASE * part / (1 + BASE * part) for name, part in (("high", 1), ("medium", 0.5))}
    bits = {"ic_adjusted": 2.0 * total / BASE}
    found = priority_on(alert(statistics=bits), DAY, at)
    assert (found.level.value, found.thresholds) == (level, at)


def test_a_total_of_nothing_is_low_even_if_most_have_none():
    thresholds = level_thresholds([0.0] * 30)
    assert thresholds == {"high": 0.0, "medium": 0.0}
    nothing = alert(statistics={"ic_lower_adjusted": -2000.0})  # too small for a Float64
    assert priority_on(nothing, DAY, thresholds).level == "low"
    assert priority_on(alert(), DAY, thresholds).level == "high"


@pytest.mark.parametrize(
    ("without", "not_asked", "stated", "level"),
    [
        ((), (), True, "low"),
        (("mhra",), (), True, "high"),
        ((), ("safe",), True, "high"),
        ((), (), False, "high"),  # a day of a database that names no senders is no one's day
    ],
)
def test_what_one_source_made_in_a_day_is_of_low_priority(without, not_asked, stated, level):
    burst = Burst(
        source="ONE",
        received=DAY,
        n_cases=4,
        n_by_professional=4,
        counts_without=Counts(n_observed=0, n_drug=1, n_event=1, n_total=9),
        rules_without=without,
        rules_not_asked=not_asked,
        sender_stated=stated,
    )
    found = priority_on(alert(burst=burst), DAY)
    assert (found.level.value, found.burst_only) == (level, level == "low")
    assert found.score == pytest.approx(BASE)


def test_the_table_is_read_from_its_text():
    raw = priority_rules().model_dump()
    text = "\n".join(
        f"[{table}]\n" + "\n".join(f"{name} = {value}" for name, value in values.items())
        for table, values in raw.items()
    )
    assert read_priority_rules(text) == priority_rules()
    with pytest.raises(ValidationError, match="half_life_days"):
        read_priority_rules(text.replace("half_life_days = 90.0", "half_life_days = 0"))


@pytest.mark.parametrize(
    ("kind", "reasons", "n_fatal", "designated", "urgent"),
    [
        ("new", ("first",), 0, False, False),
        ("new", ("first",), 1, False, True),
        ("new", ("first",), 0, True, True),
        ("strengthened", ("more_cases",), 1, True, False),  # both were known before
        ("strengthened", ("more_cases", "first_fatal"), 1, False, True),
        ("strengthened", ("first_designated",), 0, True, True),
        # for most subscribers an alarm that was of the screening before is new
        ("strengthened", ("now_alarm",), 0, False, False),
        ("strengthened", ("now_alarm",), 1, False, True),
        ("strengthened", ("now_alarm",), 0, True, True),
        ("weakened", ("no_longer_alarm",), 1, True, False),
        ("weakened", ("rule_off", "first_fatal"), 1, True, False),
        ("closed", ("no_rule_on",), 1, True, False),
    ],
)
def test_a_first_fatal_case_or_designated_event_is_urgent(
    kind, reasons, n_fatal, designated, urgent
):
    codes = [AlertReason(reason) for reason in reasons]
    assert is_urgent(AlertKind(kind), codes, n_fatal, designated=designated) is urgent
