"""Matching of alerts to subscriptions by filters, tier and earlier revisions."""

import json
from datetime import date, timedelta
from typing import Any

import pytest

from schemas.alert import AlertKind, SignalGrade, SignalLevel
from schemas.errors import InputError
from schemas.priority import Priority, PriorityLevel
from schemas.safety_alert import AlertCategory, SafetyAlertKind
from schemas.subscription import Filters, Subscription, Tier
from streams.core.alerts.priority import priority_on
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.matching import (
    fading_of,
    is_on,
    rank_of,
    rank_on,
    require_askable,
    would_send,
)
from tests.support.alerts import copies_of, copy_of, is_for, safety, signal, subscription

ALARM, WIDER = SignalGrade


@pytest.mark.parametrize(
    ("filters", "alert", "expected"),
    [
        ({}, signal(), True),
        ({"categories": ("SDR",)}, signal(), True),
        ({"categories": ("LOT_CLUSTER",)}, signal(), False),
        ({"terms": ("SEPSIS",)}, signal(), True),
        ({"terms": (" sepsis .",)}, signal(), True),
        ({"terms": ("Sepsis (fatal)",)}, signal(), False),
        ({"products": ("FASTURTEC (RASBURICASE)",)}, signal(drug="Rasburicase"), True),
        ({"products": ("Rasburicase /01234501/.",)}, signal(drug="RASBURICASE"), True),
        ({"products": ("FASTURTEC",)}, signal(drug="RASBURICASE"), False),
        ({"products": ("lot:EX117",)}, signal(drug="lot:EX117"), True),
        ({"families": ("malignancy",)}, signal(), False),
        ({"families": ("infection",)}, signal(), True),
        ({"classes": ("msc-supernatant-exosome",)}, safety(), True),  # its parent class
        ({"classes": ("cell-product",)}, safety(), False),
        ({"products": ("aspirin",)}, signal(), False),
        ({"jurisdictions": ("JP",)}, safety(), False),
        ({"jurisdictions": ("US",)}, safety(), True),
        ({"jurisdictions": ("JP",)}, signal(), True),  # an alert without countries
        ({"rules": ("eb05",)}, signal(), False),
        ({"rules": ("mhra",)}, signal(), True),
        ({"windows": ("sliding-365d",)}, signal(), False),
        ({"kinds": ("new",)}, signal(revision=2), False),
        ({"urgent_only": True}, signal(), False),
        ({"urgent_only": True}, safety(), True),
        ({}, signal(grade=WIDER), False),
        ({"grades": (WIDER,)}, signal(grade=WIDER), True),
        ({"grades": (WIDER,)}, signal(), False),
        ({"grades": (ALARM, WIDER)}, signal(grade=WIDER), True),
        ({"grades": (ALARM, WIDER)}, signal(), True),
        ({"grades": ()}, signal(grade=WIDER), True),
        ({"grades": (WIDER,)}, safety(), True),  # it has no grade
    ],
)
def test_filters(filters: dict[str, Any], alert: AnyAlert, expected: bool) -> None:
    assert is_for(subscription(**filters), alert) is expected


def test_a_correction_follows_its_signal_whatever_the_filter() -> None:
    assert is_for(subscription(kinds=("new",)), signal(revision=2), sent_before=True)


def test_a_subscription_stored_before_there_were_grades_is_for_alarms() -> None:
    stored = subscription().model_dump(mode="json")
    del stored["filters"]["grades"]
    restored = Subscription.model_validate_json(json.dumps(stored))
    assert is_for(restored, signal())
    assert not is_for(restored, signal(grade=WIDER))


@pytest.mark.parametrize("tier", Tier)
def test_a_signal_that_was_sent_is_followed_to_its_end_whatever_its_grade(tier: Tier) -> None:
    """From the screening to an alarm and back: who asks for alarms joins at the alarm."""
    history = [
        signal(revision=n, grade=grade)
        for n, grade in enumerate((WIDER, WIDER, ALARM, WIDER, WIDER, WIDER), start=1)
    ]
    history[-1] = history[-1].model_copy(update={"kind": AlertKind.CLOSED, "rules_fired": ()})
    assert would_send(subscription(tier), copies_of(tier, *history[:2])).total() == 0
    # The public sees no grade: to it the signal begins, and ends.
    between = {("SDR", "new"): 1} if tier is Tier.PUBLIC else {("SDR", "strengthened"): 3}
    sent = would_send(subscription(tier), copies_of(tier, *history))
    assert sent == {**between, ("SDR", "closed"): 1}


def test_the_public_gets_no_screening_whatever_its_filter() -> None:
    asks = subscription(Tier.PUBLIC, grades=(ALARM, WIDER))
    assert not is_for(asks, signal(grade=WIDER))
    assert not is_for(asks, signal(grade=WIDER), sent_before=True)


def test_filters_read_the_copy_of_the_tier() -> None:
    lot = signal(drug="lot:EX117").model_copy(update={"level": SignalLevel.LOT})
    code = copy_of(Tier.CONSUMER, lot)["drug"]
    for product, expected in (("lot:EX117", False), ("lot:EX118", False), (code, True)):
        assert is_for(subscription(Tier.CONSUMER, products=(product,)), lot) is expected
    # What a copy does not state passes: the answer is the same for every value.
    korean = signal().model_copy(update={"countries": ("KR",)})
    for place in ("KR", "JP"):
        assert is_for(subscription(Tier.PUBLIC, jurisdictions=(place,)), korean)
        assert is_for(subscription(Tier.PUBLIC, jurisdictions=(place,)), safety())
        in_consumer_copy = is_for(subscription(Tier.CONSUMER, jurisdictions=(place,)), korean)
        assert in_consumer_copy is (place == "KR")
    for term in ("Sepsis", "Rash"):
        assert is_for(subscription(Tier.PUBLIC, terms=(term,)), safety())
        assert is_for(subscription(Tier.CONSUMER, terms=(term,)), safety()) is (term == "Sepsis")


@pytest.mark.parametrize("tier", Tier)
def test_whether_a_signal_is_on_is_read_from_the_copy(tier: Tier) -> None:
    closed = {"kind": AlertKind.CLOSED, "rules_fired": ()}
    off = signal(revision=2).model_copy(update=closed)
    assert [is_on(copy) for copy in copies_of(tier, signal(), off)] == [True, False]
    ended = safety(revision=2).model_copy(update={"kind": SafetyAlertKind.RETRACTION})
    assert [is_on(copy) for copy in copies_of(tier, safety(), ended)] == [True, False]


@pytest.mark.parametrize("grades", [(WIDER,), (ALARM, WIDER), ()])
def test_the_public_may_not_ask_by_grade(grades: tuple[SignalGrade, ...]) -> None:
    asked = Filters(grades=grades)
    with pytest.raises(InputError, match=r"^subscription: the public tier may not ask by grades: "):
        require_askable(Tier.PUBLIC, asked)
    require_askable(Tier.CONSUMER, asked)
    require_askable(Tier.PUBLIC, Filters())


def test_a_facility_cluster_is_for_authorities_only() -> None:
    clinic = safety(AlertCategory.FACILITY_CLUSTER, subject="C-A")
    for tier, expected in [(Tier.PUBLIC, False), (Tier.CONSUMER, False), (Tier.AUTHORITY, True)]:
        for told in (False, True):
            assert is_for(subscription(tier), clinic, sent_before=told) is expected


def test_the_order_of_priority_is_by_level_then_total_and_none_comes_last() -> None:
    def ranked(level: str, total: float) -> float:
        priority = Priority(
            total=total, level=PriorityLevel(level), parts={}, weights={}, burst_only=False
        )
        prioritised = signal().model_copy(update={"priority": priority})
        return rank_of(copy_of(Tier.AUTHORITY, prioritised))

    ranks = [
        ranked("high", 1.0), ranked("high", 0.7), ranked("medium", 0.7), ranked("medium", 0.0),
        ranked("low", 0.9), ranked("low", 0.0), rank_of(copy_of(Tier.AUTHORITY, signal())),
    ]  # fmt: skip
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


@pytest.mark.parametrize("days", [0, 1, 30, 90, 400, 4000])
@pytest.mark.parametrize("n_serious", [0, 1, 3])
def test_a_rank_of_a_later_day_is_that_of_the_priority_of_that_day(
    days: int, n_serious: int
) -> None:
    known_on = date(2024, 1, 1)
    alert = signal().model_copy(
        update={"first_alert_on": known_on, "first_alarm_on": known_on, "n_serious": n_serious}
    )
    alert = alert.model_copy(update={"priority": priority_on(alert, known_on)})
    day = known_on + timedelta(days=days)
    fading = fading_of(copy_of(Tier.AUTHORITY, alert))
    assert fading is not None
    later = alert.model_copy(update={"priority": priority_on(alert, day)})
    assert rank_on(fading, day) == pytest.approx(rank_of(copy_of(Tier.AUTHORITY, later)), abs=1e-12)


def test_a_copy_without_freshness_does_not_fade() -> None:
    assert fading_of(copy_of(Tier.AUTHORITY, signal())) is None
    alert = signal()
    alert = alert.model_copy(update={"priority": priority_on(alert, date(2024, 1, 1))})
    assert fading_of(copy_of(Tier.AUTHORITY, alert)) is None  # no first day is known
