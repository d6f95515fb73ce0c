"""Columns of copies, of each tier; priority on a day as alerts have it."""

from datetime import date, timedelta

import pytest

from schemas.alert import Alert
from schemas.subscription import Tier
from streams.console.worklist.signal_columns import (
    MENTIONS,
    SIGNALS,
    StoredCopy,
    mentions_of,
    priority_columns,
    signals_of,
    story_of,
)
from streams.core.alerts.priority import priority_on
from tests.support.alerts import copies_of, safety, signal
from tests.support.many_signals import LAST_DAY, many_signals


def test_a_row_has_what_its_copy_states() -> None:
    copy = next(iter(many_signals(1)))
    (row,) = signals_of([StoredCopy(7, LAST_DAY, copy)]).iter_rows(named=True)
    assert row.keys() == SIGNALS.keys()
    assert row["key"] == copy["signal_key"]
    assert row["sequence"] == 7
    assert row["n_cases"] == copy["counts"]["n_observed"]
    assert row["ic"] == copy["statistics"]["ic"]
    assert row["due"].isoformat() == copy["due"]
    assert (row["category"], row["is_on"], row["verification"]) == ("SDR", True, "not_stated")
    assert "product 0-0" in row["searched"].splitlines()


def test_a_safety_alert_is_a_row_too() -> None:
    alert = safety()
    copy = alert.model_dump(mode="json")
    (row,) = signals_of([StoredCopy(1, LAST_DAY, copy)]).iter_rows(named=True)
    assert row["category"] == alert.category.value
    assert row["ic"] is None
    assert row["n_cases"] == alert.n_cases
    assert story_of(copy) == alert.signal_key
    assert mentions_of([StoredCopy(1, LAST_DAY, copy)]).is_empty()


@pytest.mark.parametrize("tier", list(Tier))
def test_copies_of_each_tier_have_rows(tier: Tier) -> None:
    alerts = [signal(5), safety()]
    copies = copies_of(tier, *alerts)
    stored = [StoredCopy(place, LAST_DAY, copy) for place, copy in enumerate(copies)]
    rows = signals_of(stored)
    assert len(rows) == len(copies) > 0
    first = rows.row(0, named=True)
    exact = tier is not Tier.PUBLIC
    assert (first["n_cases"], first["ic"] is not None) == ((5, True) if exact else (None, False))
    assert len(mentions_of(stored)) == (5 if tier is Tier.AUTHORITY else 0)


def test_nothing_has_the_columns_of_all() -> None:
    assert signals_of([]).schema == SIGNALS
    assert mentions_of([]).schema == MENTIONS


def test_priority_on_a_day_is_that_of_the_alert() -> None:
    day = LAST_DAY + timedelta(days=40)
    copies = list(many_signals(200))
    alerts = [Alert.model_validate(copy, strict=False) for copy in copies]
    # The parts of the generated alerts are not those of their statistics: those of the day are.
    priced = [
        alert.model_copy(update={"priority": priority_on(alert, alert.evaluated_on)})
        for alert in alerts
    ]
    stored = [
        StoredCopy(place, LAST_DAY, alert.model_dump(mode="json"))
        for place, alert in enumerate(priced)
    ]
    total, level = priority_columns(day)
    found = signals_of(stored).with_columns(total).with_columns(level)
    wanted = [priority_on(alert, day) for alert in priced]
    assert found["priority"].to_list() == pytest.approx([one.total for one in wanted])
    assert found["level"].to_list() == [one.level.value for one in wanted]
    assert len(set(found["level"])) > 1


def test_the_priority_of_a_safety_alert_does_not_fade() -> None:
    copy = safety().model_dump(mode="json") | {
        "priority": {"total": 0.7, "level": "high", "parts": {}, "weights": {}, "burst_only": False}
    }
    total, level = priority_columns(date(2040, 1, 1))
    found = signals_of([StoredCopy(1, LAST_DAY, copy)]).with_columns(total).with_columns(level)
    assert found.select("priority", "level").row(0) == (0.7, "high")
