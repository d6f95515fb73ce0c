"""Rows of deliveries: one state each, with who or what is behind it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.subscription import Folder, OwnTopic, Stream, Subscription, Tier, Webhook
from streams.console.subscriptions.delivery_rows import row_of
from streams.delivery.subscription_status import Answer, SubscriptionStatus

AT = datetime(2024, 1, 1, tzinfo=UTC)
FAILED = Answer(AT, "failed", "status 503")


def _status(channel: Any = None, **changes: Any) -> SubscriptionStatus:
    wanted = Subscription(
        subscription_id="s", subscriber="A", tier=Tier.PUBLIC, channel=channel or Stream()
    )
    usual: dict[str, Any] = {"paused": None, "failures": 0, "waiting": 0, "held": 0, "delivered": 0}
    return SubscriptionStatus(wanted, **(usual | changes))


@pytest.mark.parametrize(
    ("changes", "state", "paused_by", "why"),
    [
        ({}, "active", "", ""),
        ({"waiting": 3, "held": 3}, "holding", "", ""),
        ({"waiting": 3, "held": 2}, "active", "", ""),
        ({"failures": 2, "answer": FAILED, "next_attempt": AT}, "retrying", "", "status 503"),
        ({"paused": "paused by the operator"}, "paused", "operator", ""),
        ({"paused": "paused by the subscriber", "failures": 1}, "paused", "subscriber", ""),
        ({"paused": "gone: status 410", "answer": FAILED}, "paused", "", "gone: status 410"),
    ],
)
def test_each_has_one_state_and_its_reason(
    changes: dict[str, Any], state: str, paused_by: str, why: str
) -> None:
    row = row_of(_status(**changes), Path("outbox.db"))
    assert (row.state, row.paused_by, row.why) == (state, paused_by, why)
    assert (row.next_attempt is not None) == (state == "retrying")
    assert ("resume" in row.commands) == (state == "paused") == ("pause" not in row.commands)


@pytest.mark.parametrize(
    ("channel", "address", "rotates"),
    [
        (Stream(), "", False),
        (OwnTopic(topic="alerts"), "alerts", False),
        (Folder(path="/alerts"), "/alerts", False),
        (Webhook(url="https://a.example/"), "https://a.example/", True),
        (Webhook(url="https://a.example/", secrets=("HOOK",)), "https://a.example/", False),
    ],
)
def test_a_channel_has_its_address_and_derived_keys_rotate(
    channel: Any, address: str, rotates: bool
) -> None:
    row = row_of(_status(channel), Path("outbox.db"))
    assert (row.address, row.rotates, "rotate" in row.commands) == (address, rotates, rotates)
