"""Matching of alerts to subscriptions by filters, tier and earlier revisions."""

from typing import Any

import pytest

from schemas.safety_alert import AlertCategory
from schemas.subscription import Tier
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.matching import matches
from tests.support.alerts import safety, signal, subscription


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
    ],
)
def test_filters(filters: dict[str, Any], alert: AnyAlert, expected: bool) -> None:
    assert matches(subscription(**filters), alert, sent_before=False) is expected


def test_a_correction_follows_its_signal_whatever_the_filter() -> None:
    assert matches(subscription(kinds=("new",)), signal(revision=2), sent_before=True)


def test_a_facility_cluster_is_for_authorities_only() -> None:
    clinic = safety(AlertCategory.FACILITY_CLUSTER, subject="C-A")
    for tier, expected in [(Tier.PUBLIC, False), (Tier.CONSUMER, False), (Tier.AUTHORITY, True)]:
        for told in (False, True):
            assert matches(subscription(tier), clinic, sent_before=told) is expected
