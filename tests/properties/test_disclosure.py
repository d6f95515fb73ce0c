"""The disclosure attack: over random histories a tier gives away nothing that it withholds."""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from functools import cache

import pytest

from schemas.alert import Alert, AlertKind, SignalGrade, SignalLevel
from schemas.safety_alert import AlertCategory
from schemas.subscription import Filters, Tier
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.matching import passes, require_askable
from streams.delivery.tier_copies import PUBLIC_TABLES, TierCopies
from tests.support.alerts import KEY, copies_of
from tests.support.disclosure import KINDS, Copy, Gained, recovered
from tests.support.disclosure_histories import (
    COUNTRIES,
    DEALER,
    FACILITIES,
    LOTS,
    MAKERS,
    History,
    publish,
    random_history,
)

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


def test_the_histories_reach_every_category_level_kind_and_both_grades() -> None:
    reached = set[object]()
    for seed in range(0, HISTORIES, PARTS):
        for alert in published(seed)[1]:
            reached |= {alert.kind}
            reached |= {alert.level, alert.grade} if isinstance(alert, Alert) else {alert.category}
    wanted = {*AlertCategory, *AlertKind, *SignalLevel, *SignalGrade}
    assert reached >= wanted, wanted - reached


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


def view(tier: Tier, history: History) -> list[str]:
    """Return all that arrives at a tier, with codes of names in place of each other."""
    text = [json.dumps(copy) for copy in gained(tier, publish(history)).copies()]
    numbers: dict[str, str] = {}

    def numbered(code: re.Match[str]) -> str:
        return numbers.setdefault(code[0], f"code {len(numbers)}")

    return [re.sub(r"\b[0-9a-f]{16}\b", numbered, one) for one in text]


OTHER_COUNTRIES = dict(zip(COUNTRIES, (*COUNTRIES[1:], COUNTRIES[0]), strict=True))
OTHER_NAMES = {
    "lot": {lot: lot.replace("LOT0", "LOT5") for lot in LOTS},
    "facility": {name: f"{name}-x" for name in FACILITIES},
    "maker": {name: f"{name} II" for name in MAKERS},
    "dealer": {DEALER: f"{DEALER} II"},
}


@pytest.mark.parametrize("seed", range(8))
def test_values_that_a_tier_withholds_change_nothing_that_arrives(seed: int) -> None:
    """Two histories that differ in names and onsets are one for a consumer, and for the public.

    To the public so are two that differ in countries.
    """
    history = random_history(seed)
    days = {one.onset: one.onset + timedelta(days=3) for one in history.versions}
    twin = history.mapped(onset=days, **OTHER_NAMES)
    for tier in BELOW:
        usual = view(tier, history)
        assert usual
        assert view(tier, twin) == usual
    elsewhere = history.mapped(country=OTHER_COUNTRIES)
    assert view(Tier.PUBLIC, elsewhere) == view(Tier.PUBLIC, history)
