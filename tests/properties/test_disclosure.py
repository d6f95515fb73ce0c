"""The disclosure attack: over random histories a tier gives away nothing that it withholds."""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from functools import cache

import pytest

from schemas.subscription import Filters, Tier
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.matching import passes, require_askable
from streams.delivery.tier_copies import PUBLIC_TABLES, TierCopies
from tests.support.alerts import KEY, copies_of
from tests.support.disclosure import KINDS, Copy, Gained, recovered
from tests.support.disclosure_histories import History, publish, random_history

BELOW = (Tier.PUBLIC, Tier.CONSUMER)
HISTORIES = 200
PARTS = 8


@cache
def published(seed: int) -> tuple[History, list[AnyAlert]]:
    history = random_history(seed)
    return history, publish(history)


def gained(tier: Tier, alerts: Sequence[AnyAlert]) -> Gained:
    """Return what a reader of a tier has: the copies in order, and answers from the latest ones."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.executescript(PUBLIC_TABLES)
    copies = TierCopies(db, key=KEY)
    arrivals = [copies.of(tier, alert) for alert in alerts]
    db.close()
    latest = {copy["signal_key"]: copy for arrived in arrivals for copy in arrived}

    def answer(asked: Filters) -> list[Copy]:
        require_askable(tier, asked, grades=())
        return [copy for copy in latest.values() if passes(asked, copy)]

    return Gained(arrivals, answer)


@pytest.mark.parametrize("part", range(PARTS))
def test_the_attack_recovers_nothing_that_a_tier_withholds(part: int) -> None:
    for seed in range(part, HISTORIES, PARTS):
        history, alerts = published(seed)
        for tier in BELOW:
            found = recovered(tier, history, alerts, gained(tier, alerts))
            assert not +found, (seed, tier, +found)


def whole_alerts(alerts: Sequence[AnyAlert]) -> list[list[Copy]]:
    return [[alert.model_dump(mode="json")] for alert in alerts]


def every_revision(alerts: Sequence[AnyAlert]) -> list[list[Copy]]:
    """Return a public copy of each revision, as if nothing was published before it."""
    return [copies_of(Tier.PUBLIC, alert) for alert in alerts]


def test_the_attack_recovers_every_kind_from_copies_that_give_it_away() -> None:
    found = Counter[str]()
    for seed in range(3):
        history, alerts = published(seed)
        for disclose in (whole_alerts, every_revision):
            arrivals = disclose(alerts)
            latest = {copy["signal_key"]: copy for one in arrivals for copy in one}

            def answer(asked: Filters, latest: dict[str, Copy] = latest) -> list[Copy]:
                return [copy for copy in latest.values() if passes(asked, copy)]

            found += recovered(Tier.PUBLIC, history, alerts, Gained(arrivals, answer))
    assert set(found) == set(KINDS), found
