"""Cursors of a preview name no day and no hidden alert, and are refused when they are too old."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from schemas.errors import InputError
from schemas.safety_alert import AlertCategory
from schemas.subscription import Tier
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.api.read_model import ReadModel
from streams.delivery.api.subscriptions.preview_cursors import (
    BEGINNING,
    Start,
    cursor_after_last,
    cursor_before_first,
    day_before,
    start_at,
)
from tests.support.alerts import KEY, copy_of, safety, signal

CLINIC = safety(AlertCategory.FACILITY_CLUSTER, subject="C-A")
FLOOR = date(2023, 7, 5)  # 180 days before the alert of 2024-01-01


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ReadModel]:
    with ReadModel(tmp_path / "signals.db", key=KEY) as model:
        yield model


def put(model: ReadModel, *alerts: AnyAlert) -> None:
    for alert in alerts:
        model.put(alert, source="a", position=model.place("a"))


def test_a_day_is_a_code_that_leads_back_to_it(model: ReadModel) -> None:
    put(model, signal())
    since = date(2023, 10, 3)
    cursor = cursor_before_first(since, key=KEY)
    assert "2023" not in cursor
    assert start_at(cursor, model, Tier.PUBLIC, key=KEY) == Start(0, since)
    assert cursor_before_first(None, key=KEY) == BEGINNING
    for wrong in (
        cursor_before_first(since, key=b"another"),
        cursor_before_first(FLOOR, key=KEY),
        "2023-10-03",
        "é",
        "",
    ):
        with pytest.raises(InputError, match="after: must be a cursor of a preview"):
            start_at(wrong, model, Tier.PUBLIC, key=KEY)


@pytest.mark.parametrize("tier", [Tier.PUBLIC, Tier.CONSUMER])
def test_a_cursor_names_no_alert_that_the_tier_does_not_see(model: ReadModel, tier: Tier) -> None:
    assert start_at(BEGINNING, model, tier, key=KEY).position == 0
    again = CLINIC.model_copy(update={"revision": 2, "alert_id": "second"})
    recent = {"evaluated_on": date(2024, 1, 1)}
    put(model, *(alert.model_copy(update=recent) for alert in (CLINIC, signal(), again)))
    seen = copy_of(tier, signal())["alert_id"]
    assert cursor_after_last(model, tier, 1) == BEGINNING
    assert cursor_after_last(model, tier, model.last_position()) == seen
    start = start_at(seen, model, tier, key=KEY)
    assert start.since == FLOOR
    assert list(model.between(tier, 0, start.position, since=FLOOR)) == [copy_of(tier, signal())]
    with pytest.raises(InputError, match="after: must be a cursor"):
        start_at("second", model, tier, key=KEY)
    last = model.last_position()
    assert start_at("second", model, Tier.AUTHORITY, key=KEY) == Start(last, FLOOR)


def test_the_preview_of_the_public_begins_before_a_whole_month() -> None:
    """Else its numbers on successive days would tell the day of each revision."""
    days = [date(2024, 2, day) for day in (1, 14, 29)]
    assert {day_before(Tier.PUBLIC, day) for day in days} == {date(2024, 1, 31)}
    assert [day_before(Tier.CONSUMER, day) for day in days] == days


def test_a_cursor_that_would_leave_alerts_out_is_refused(model: ReadModel) -> None:
    old = signal(drug="iron").model_copy(update={"evaluated_on": FLOOR})
    put(model, old)
    assert start_at(BEGINNING, model, Tier.PUBLIC, key=KEY).position == 0
    put(model, signal())
    for cursor in (BEGINNING, old.alert_id):
        with pytest.raises(InputError, match="of the last 90 days"):
            start_at(cursor, model, Tier.PUBLIC, key=KEY)
