"""Signals of lots and facilities, and their context, for each tier."""

import json

import pytest

from schemas.alert import SignalLevel
from schemas.priority import PriorityLevel
from schemas.subscription import Tier
from streams.demo import PRODUCT_CLASS
from tests.support.alerts import copies_of, copy_of, is_for, safety, signal, subscription


@pytest.mark.parametrize(
    ("drug", "level", "sees"),
    [
        ("msc-supernatant-exosome", "class", {"public", "consumer", "authority"}),
        ("lot:EX117", "lot", {"consumer", "authority"}),
        ("facility:C-A", "facility", {"authority"}),
    ],
)
def test_lot_signals_are_not_public_and_facility_signals_are_for_authorities(drug, level, sees):
    alert = signal(drug=drug).model_copy(update={"level": SignalLevel(level)})
    sent = {tier.value for tier in Tier if is_for(subscription(tier), alert, sent_before=True)}
    assert sent == sees
    for tier in map(Tier, sees):
        copy = copy_of(tier, alert)
        named = any(word in json.dumps(copy) for word in ("EX117", "C-A"))
        assert named == (tier is Tier.AUTHORITY and level != "class")
        same = tier is Tier.AUTHORITY or (tier is Tier.CONSUMER and level == "class")
        assert (copy["alert_id"] == alert.alert_id) == same


def test_a_subscription_may_filter_by_levels_and_families():
    lot = signal(drug="lot:EX117").model_copy(update={"level": SignalLevel.LOT})
    family = signal(event="family:infection").model_copy(update={"level": SignalLevel.FAMILY})
    for wanted, expected in (
        ({"levels": ("lot",)}, [True, False, False, True]),
        ({"levels": ("class", "product")}, [False, False, True, True]),
        ({"families": ("infection",)}, [True, True, True, True]),
        ({"families": ("toxicity",)}, [False, False, False, False]),
    ):
        alerts = (lot, family, signal(), safety())
        found = [is_for(subscription(**wanted), each) for each in alerts]
        assert found == expected, wanted


@pytest.mark.parametrize("tier", [Tier.PUBLIC, Tier.CONSUMER])
def test_copies_below_the_authority_name_no_lot_facility_or_indication(founding_alerts, tier):
    for alert in founding_alerts:
        copy = copies_of(tier, alert)[0]
        text = json.dumps(copy)
        for name in ("EX117", "C-A", "C-B", "C-T", "Pain", "Lung cancer", "NE-1", "LC-1"):
            assert name not in text, (tier, name)
        if tier is Tier.PUBLIC:
            assert "duty" not in copy  # it would name the countries of the cases
        else:
            assert copy["context"]["duty"] == list(alert.context.duty)
    whole = json.dumps(copy_of(Tier.AUTHORITY, founding_alerts[0]))
    assert "EX117" in whole
    assert "C-A" in whole


def test_a_filter_by_country_and_class_reads_the_context(founding_alerts):
    sepsis, progression = founding_alerts[0], founding_alerts[1]
    for wanted, expected in (
        ({"jurisdictions": ("JP",)}, [False, True]),
        ({"jurisdictions": ("US",)}, [True, False]),
        ({"classes": (PRODUCT_CLASS,)}, [True, True]),
        ({"urgent_only": True}, [False, False]),
    ):
        found = [is_for(subscription(**wanted), each) for each in (sepsis, progression)]
        assert found == expected, wanted


@pytest.mark.parametrize("least", list(PriorityLevel))
def test_a_subscription_may_filter_by_priority(founding_alerts, least):
    """An alert without a priority, or an urgent one, passes the filter."""
    ranks = ["low", "medium", "high"]
    for rank in ranks:
        priority = founding_alerts[0].priority.model_copy(update={"level": PriorityLevel(rank)})
        alert = founding_alerts[0].model_copy(update={"priority": priority})
        expected = ranks.index(rank) >= ranks.index(least.value)
        asks = subscription(min_priority=least)
        assert is_for(asks, alert) is expected
        urgent = alert.model_copy(update={"urgent": True})
        assert is_for(asks, urgent)
        assert is_for(asks, alert, sent_before=True)
    assert is_for(subscription(min_priority=least), safety())
    without = founding_alerts[0].model_copy(update={"priority": None})
    assert is_for(subscription(min_priority=least), without)
