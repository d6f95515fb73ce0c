"""Copies of a tier as alerts: the texts made from them are those of the copies."""

import pytest

from schemas.alert import Alert
from schemas.subscription import Tier
from streams.console.frame.tier_alerts import safety_alert_of, signal_of
from streams.core.wording.safety_text import safety_texts
from streams.delivery.tiers import copy_for, is_hidden
from tests.support.safety_desk import story

KEY = b"an installation's secret"


@pytest.mark.parametrize("tier", [Tier.CONSUMER, Tier.AUTHORITY])
def test_texts_made_again_are_those_of_the_copy(tier: Tier) -> None:
    alerts = [one for one in story(with_background=True).published if not is_hidden(tier, one)]
    assert any(isinstance(one, Alert) for one in alerts)
    for alert in alerts:
        copy = copy_for(tier, alert, key=KEY)
        if isinstance(alert, Alert):
            assert signal_of(copy).statistics == alert.statistics
            assert signal_of(copy).restricted == alert.restricted
            assert bool(signal_of(copy).case_ids) is (tier is Tier.AUTHORITY)
        else:
            assert safety_texts(safety_alert_of(copy)).sentence == copy["sentence"]
