"""The priority of an alert is the sum of its parts, each worked out here by hand."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from pydantic import ValidationError

from schemas.alert import AlertKind, AlertReason, Counts
from schemas.scrutiny import Burst
from streams.core.alerts.priority import (
    PriorityFacts,
    is_urgent,
    priority_of,
    priority_rules,
    read_priority_rules,
)


def facts(n=4, **changes):
    """Four serious cases by professionals of one country, received on the day, IC025 1.25."""
    fields = {
        "n_observed": n,
        "ic_lower": 1.25,
        "n_serious": n,
        "n_fatal": 0,
        "n_by_professional": n,
        "countries": ("JP",),
        "completeness": 50.0,
        "evaluated_on": date(2024, 1, 1),
        "last_received": date(2024, 1, 1),
        "burst": None,
    }
    return PriorityFacts(**fields | changes)


# 0.25 * 1.25/2 + 0.25 * 0.75 + 0.20 * 1 + 0.10 * 1 + 0.10 * 0 + 0.10 * 0.5
BASE = 0.15625 + 0.1875 + 0.20 + 0.10 + 0.0 + 0.05


@pytest.mark.parametrize(
    ("changes", "total", "level"),
    [
        ({}, BASE, "high"),
        ({"n_fatal": 1}, BASE + 0.0625, "high"),
        ({"n_serious": 1}, BASE - 0.140625, "medium"),
        ({"n_by_professional": 0}, BASE - 0.20, "medium"),
        ({"n_by_professional": None}, BASE - 0.20, "medium"),
        ({"countries": ("JP", "US")}, BASE + 0.05, "high"),
        ({"countries": ("DE", "FR", "JP", "US")}, BASE + 0.10, "high"),
        ({"countries": None}, BASE, "high"),
        ({"completeness": None}, BASE - 0.05, "high"),
        ({"last_received": date(2024, 1, 1) - timedelta(days=90)}, BASE - 0.05, "high"),
        ({"last_received": None}, BASE - 0.10, "medium"),
        ({"ic_lower": -1.0}, BASE - 0.15625, "medium"),
        ({"ic_lower": None}, BASE - 0.15625, "medium"),
        ({"ic_lower": 7.0}, BASE + 0.09375, "high"),
        ({"n_by_professional": 0, "n_serious": 0, "ic_lower": 0.0}, 0.15, "low"),
    ],
)
def test_each_part_adds_its_weight(changes, total, level):
    found = priority_of(facts(**changes))
    assert (found.total, found.level.value) == (pytest.approx(total, abs=1e-12), level)
    shown = [(found.weights[name], value or 0) for name, value in found.parts.items()]
    assert sum(weight * value for weight, value in shown) == pytest.approx(total)
    assert sum(found.weights.values()) == pytest.approx(1)


def test_the_total_is_the_exact_sum_of_its_products_rounded_once():
    """Whatever version of Python adds: its `sum` of floats is not the same in all (3.12 on)."""
    for cases in range(1, 60):  # added one by one, 22 are a digit off
        changes = {"n_by_professional": cases, "n_serious": cases // 2, "ic_lower": cases / 31}
        found = priority_of(facts(61, **changes))
        shown = [found.weights[name] * (value or 0) for name, value in found.parts.items()]
        assert found.total == float(sum(map(Fraction, shown)))


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
        received=date(2024, 1, 1),
        n_cases=4,
        n_by_professional=4,
        counts_without=Counts(n_observed=0, n_drug=1, n_event=1, n_total=9),
        rules_without=without,
        rules_not_asked=not_asked,
        sender_stated=stated,
    )
    found = priority_of(facts(burst=burst))
    assert (found.level.value, found.burst_only) == (level, level == "low")
    assert found.total == pytest.approx(BASE)


def test_weights_that_do_not_sum_to_one_are_refused():
    raw = priority_rules().model_dump()
    text = "\n".join(
        f"[{table}]\n" + "\n".join(f"{name} = {value}" for name, value in values.items())
        for table, values in raw.items()
    )
    assert read_priority_rules(text) == priority_rules()
    with pytest.raises(ValidationError, match="weights must sum to 1"):
        read_priority_rules(text.replace("spread = 0.1", "spread = 0.2"))


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
