"""Signals of lots and facilities, and their context, for each tier."""

import json

import pytest

from schemas.alert import SignalLevel
from schemas.priority import PriorityLevel
from schemas.subscription import Tier
from streams.delivery.matching import matches
from streams.delivery.tiers import copy_for
from streams.demo import PRODUCT_CLASS
from tests.support.alerts import KEY, safety, signal, subscription


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
    sent = {tier.value for tier in Tier if matches(subscription(tier), alert, sent_before=True)}
    assert sent == sees
    for tier in Tier:
        copy = copy_for(tier, alert, key=KEY)
        named = any(word in json.dumps(copy) for word in ("EX117", "C-A"))
        assert named == (tier is Tier.AUTHORITY and level != "class")
        assert (copy["alert_id"] == alert.alert_id) == (tier is Tier.AUTHORITY or level == "class")


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
        found = [matches(subscription(**wanted), each, sent_before=False) for each in alerts]
        assert found == expected, wanted


@pytest.mark.parametrize("tier", [Tier.PUBLIC, Tier.CONSUMER])
def test_copies_below_the_authority_name_no_lot_facility_or_indication(founding_alerts, tier):
    for alert in founding_alerts:
        copy = copy_for(tier, alert, key=b"k" * 32)
        text = json.dumps(copy)
        for name in ("EX117", "C-A", "C-B", "C-T", "Pain", "Lung cancer", "NE-1", "LC-1"):
            assert name not in text, (tier, name)
        law = copy if tier is Tier.PUBLIC else copy["context"]
        assert law["duty"] == list(alert.context.duty)
    whole = json.dumps(copy_for(Tier.AUTHORITY, founding_alerts[0], key=b"k" * 32))
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
        found = [
            matches(subscription(**wanted), each, sent_before=False)
            for each in (sepsis, progression)
        ]
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
        assert matches(asks, alert, sent_before=False) is expected
        urgent = alert.model_copy(update={"urgent": True})
        assert matches(asks, urgent, sent_before=False)
        assert matches(asks, alert, sent_before=True)
    assert matches(subscription(min_priority=least), safety(), sent_before=False)
    without = founding_alerts[0].model_copy(update={"priority": None})
    assert matches(subscription(min_priority=least), without, sent_before=False)
