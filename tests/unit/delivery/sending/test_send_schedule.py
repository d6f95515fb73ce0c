"""Schedule of sending: at once, in a digest, after a budget, or again after a failure."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.digest import HeldBack
from schemas.safety_alert import SafetyAlertKind
from schemas.subscription import DigestPeriod, Tier
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.sending.send_schedule import (
    RETRY_AFTER,
    AtOnce,
    HeldInDigest,
    lane_of,
    next_attempt,
    next_midnight,
)
from tests.support.alerts import NOW, copy_of, safety, signal, subscription

NOON = datetime(2024, 2, 28, 12, tzinfo=UTC)  # a Wednesday
MIDNIGHT = datetime(2024, 2, 29, tzinfo=UTC)
MONDAY = datetime(2024, 3, 4, tzinfo=UTC)
CALM = safety().model_copy(update={"urgent": False})
UPDATE = CALM.model_copy(update={"kind": SafetyAlertKind.UPDATE})
CORRECTED = safety().model_copy(update={"kind": SafetyAlertKind.UPDATE})


@pytest.mark.parametrize(
    ("fields", "alert", "known", "lane"),
    [
        ({}, signal(), {}, AtOnce(urgent=False)),
        ({"digest": DigestPeriod.DAILY}, signal(), {}, HeldInDigest(MIDNIGHT, HeldBack.DIGEST)),
        ({"digest": DigestPeriod.WEEKLY}, signal(), {}, HeldInDigest(MONDAY, HeldBack.DIGEST)),
        ({"digest": DigestPeriod.DAILY}, safety(), {}, AtOnce(urgent=True)),
        ({"digest": DigestPeriod.DAILY}, UPDATE, {}, HeldInDigest(MIDNIGHT, HeldBack.DIGEST)),
        ({"digest": DigestPeriod.DAILY}, UPDATE, {"urgent_before": True}, AtOnce(urgent=False)),
        (
            {"digest": DigestPeriod.DAILY},
            CALM,
            {"urgent_before": True},
            HeldInDigest(MIDNIGHT, HeldBack.DIGEST),
        ),
        ({"budget_per_day": 2}, signal(), {"sent_today": 1}, AtOnce(urgent=False)),
        (
            {"budget_per_day": 2},
            signal(),
            {"sent_today": 2},
            HeldInDigest(MIDNIGHT, HeldBack.OVERFLOW),
        ),
        ({"budget_per_day": 2}, UPDATE, {"sent_today": 2}, AtOnce(urgent=False)),
        ({"budget_per_day": 2}, safety(), {"sent_today": 2}, AtOnce(urgent=True)),
        ({"urgent_per_day": 2}, safety(), {"urgent_today": 1}, AtOnce(urgent=True)),
        (
            {"urgent_per_day": 2, "digest": DigestPeriod.WEEKLY},
            safety(),
            {"urgent_today": 2, "urgent_before": True},
            HeldInDigest(MIDNIGHT, HeldBack.OVERFLOW),
        ),
        ({"urgent_per_day": 2}, signal(), {"urgent_today": 2}, AtOnce(urgent=False)),
        # the correction of what was sent never waits; of what waits it does
        ({"urgent_per_day": 2}, CORRECTED, {"urgent_today": 2}, AtOnce(urgent=True)),
        (
            {"urgent_per_day": 2},
            CORRECTED,
            {"urgent_today": 2, "held_before": True},
            HeldInDigest(MIDNIGHT, HeldBack.OVERFLOW),
        ),
    ],
)
def test_urgent_alerts_and_their_corrections_bypass_digest_and_budget(
    fields: dict[str, Any],
    alert: AnyAlert,
    known: dict[str, Any],
    lane: AtOnce | HeldInDigest,
) -> None:
    asked = subscription().model_copy(update=fields)
    usual = {"urgent_before": False, "held_before": False, "sent_today": 0, "urgent_today": 0}
    copy = copy_of(Tier.AUTHORITY, alert)
    assert lane_of(asked, copy, now=NOON, **(usual | known)) == lane


def test_a_weekly_digest_of_a_sunday_is_sent_at_midnight() -> None:
    asked = subscription().model_copy(update={"digest": DigestPeriod.WEEKLY})
    sunday = MONDAY - timedelta(seconds=1)
    lane = lane_of(
        asked,
        copy_of(Tier.AUTHORITY, signal()),
        urgent_before=False,
        held_before=False,
        sent_today=0,
        urgent_today=0,
        now=sunday,
    )
    assert lane == HeldInDigest(MONDAY, HeldBack.DIGEST)


def test_midnight_is_that_of_utc_whatever_the_zone() -> None:
    assert next_midnight(MIDNIGHT) == MIDNIGHT + timedelta(days=1)
    tokyo = datetime.fromisoformat("2024-02-29T08:00:00+09:00")
    assert next_midnight(tokyo) == MIDNIGHT


def test_the_published_schedule() -> None:
    hours = [round(wait.total_seconds() / 3600, 4) for wait in RETRY_AFTER]
    assert hours == [0.0014, 0.0833, 0.5, 2, 5, 10, 14, 20, 24]
    assert next_attempt(1, NOW) == NOW + timedelta(seconds=5)
    assert next_attempt(10, NOW) is None
