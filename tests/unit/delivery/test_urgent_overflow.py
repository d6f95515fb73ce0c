"""A budget of urgent alerts: one message reports the overflow; none is lost, the order is kept."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from schemas.digest import UrgentOverflow
from schemas.safety_alert import SafetyAlert
from schemas.subscription import DigestPeriod, Tier
from streams.delivery.channels import deliver
from streams.delivery.digests import MOST_ALERTS, markdown_of
from streams.delivery.outbox import Outbox
from streams.delivery.sending.send_schedule import Attempt, SendOutcome
from streams.delivery.subscription_status import Due
from tests.support.alerts import KEY, NOW, safety, subscription

FLOOD = 700  # more than a digest holds


class Receiver:
    """A subscription with a budget, a clock, and the messages that were sent."""

    def __init__(self, **fields: Any) -> None:
        self.now: datetime = NOW
        self.outbox = Outbox(Path(":memory:"), key=KEY)
        self.outbox.subscribe(subscription().model_copy(update=fields))
        self.position = 0
        self.messages: list[dict[str, Any]] = []

    def put(self, *alerts: SafetyAlert) -> None:
        for alert in alerts:
            self.outbox.put(alert, source="a", position=self.position, now=self.now)
            self.position += 1

    def deliver(self, after: timedelta = timedelta()) -> list[dict[str, Any]]:
        self.now += after
        before = len(self.messages)

        def send(due: Due, now: datetime) -> Attempt:
            self.messages.append(json.loads(due.body))
            return Attempt(SendOutcome.DELIVERED, "x")

        deliver(self.outbox, send, lambda: self.now)
        return self.messages[before:]


def ids(messages: list[dict[str, Any]]) -> list[str]:
    """Return the ids of alerts in the order of receipt, those in digests among them."""
    found: list[str] = []
    for message in messages:
        if "overflow_id" not in message:
            found += message.get("alert_ids") or [message["alert_id"]]
    return found


def test_a_flood_of_urgent_alerts_is_few_messages_and_loses_none() -> None:
    """Before: 700 messages at once. After: the budget, one report, and two digests at midnight."""
    flood = [safety(subject=f"L{n:04}") for n in range(FLOOD)]
    receiver = Receiver(urgent_per_day=10)
    receiver.put(*flood)
    first = receiver.deliver()
    assert len(first) == 11
    (said,) = (message for message in first if "overflow_id" in message)
    overflow = UrgentOverflow.model_validate_json(json.dumps(said))
    assert (overflow.n_held, overflow.budget) == (FLOOD - 10, 10)
    assert overflow.held_until == NOW + timedelta(days=1)
    assert "GET /v1/signals?urgent=true" in overflow.sentence
    assert markdown_of(said).startswith("# Urgent alerts held\n\nMore than 10 urgent alerts on ")
    assert receiver.deliver(timedelta(hours=1)) == []
    rest = receiver.deliver(timedelta(days=1))
    assert [message["n_alerts"] for message in rest] == [MOST_ALERTS, FLOOD - 10 - MOST_ALERTS]
    assert ids(receiver.messages) == [alert.alert_id for alert in flood]


def test_the_overflow_is_reported_once_a_day_and_the_budget_begins_again() -> None:
    receiver = Receiver(urgent_per_day=1)
    receiver.put(safety(subject="A"), safety(subject="B"))
    assert len(receiver.deliver()) == 2
    receiver.put(safety(subject="C"))
    assert receiver.deliver() == []
    digest, again, report = [
        *receiver.deliver(timedelta(days=1)),
        *(receiver.put(safety(subject="D"), safety(subject="E")) or receiver.deliver()),
    ]
    assert ids([digest, again]) == ["LOT_CLUSTER|B-1", "LOT_CLUSTER|C-1", "LOT_CLUSTER|D-1"]
    assert report["n_held"] == 1


def test_revisions_of_one_signal_stay_in_order_across_the_overflow() -> None:
    receiver = Receiver(urgent_per_day=2)
    sent, held = safety(subject="A"), safety(subject="B")
    receiver.put(sent, safety(subject="A", revision=2), held, safety(subject="A", revision=3))
    receiver.put(safety(subject="B", revision=2))
    receiver.deliver()
    receiver.deliver(timedelta(days=1))
    by_signal = {name: [i for i in ids(receiver.messages) if f"|{name}-" in i] for name in "AB"}
    assert by_signal == {
        "A": [f"LOT_CLUSTER|A-{n}" for n in (1, 2, 3)],
        "B": [f"LOT_CLUSTER|B-{n}" for n in (1, 2)],
    }


def test_a_weekly_digest_does_not_hold_urgent_alerts_for_a_week() -> None:
    receiver = Receiver(urgent_per_day=1, digest=DigestPeriod.WEEKLY)
    receiver.put(safety(subject="A"), safety(subject="B"))
    receiver.deliver()
    assert ids(receiver.deliver(timedelta(days=1))) == ["LOT_CLUSTER|B-1"]


@pytest.mark.parametrize("tier", [Tier.AUTHORITY, Tier.CONSUMER])
def test_the_budget_of_one_subscription_is_not_used_by_another(tier: Tier) -> None:
    receiver = Receiver(urgent_per_day=1)
    other = subscription(tier, name="other").model_copy(update={"urgent_per_day": 1})
    receiver.outbox.subscribe(other)
    receiver.put(safety(subject="A"))
    assert len(receiver.deliver()) == 2
