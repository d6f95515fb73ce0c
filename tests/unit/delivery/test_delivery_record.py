"""What waits and why, the last answer, and latencies, of an outbox that sends by the clock."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.subscription import DigestPeriod, Stream, Subscription, Tier
from streams.delivery.delivery_record import WaitReason
from streams.delivery.outbox import Outbox
from streams.delivery.sending.send_schedule import Attempt, SendOutcome
from tests.support.alerts import KEY, NOW, signal, subscription


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.db", key=KEY) as found:
        yield found


def _put(outbox: Outbox, *drugs: str) -> None:
    for position, drug in enumerate(drugs):
        outbox.put(signal(drug=drug), source="a", position=position, now=NOW)


def _of(**changes: object) -> Subscription:
    return Subscription.model_validate(subscription().model_dump() | changes)


MIDNIGHT = NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("wanted", "why", "until"),
    [
        (subscription(), WaitReason.QUEUED, None),
        (_of(digest=DigestPeriod.DAILY), WaitReason.DIGEST, MIDNIGHT),
        (_of(budget_per_day=1), WaitReason.OVERFLOW, MIDNIGHT),
        (
            _of(url=None, secrets=(), channel=Stream()),
            WaitReason.NOT_READ,
            None,
        ),
    ],
    ids=lambda value: value.value if isinstance(value, WaitReason) else "",
)
def test_what_waits_has_its_reason(
    outbox: Outbox, wanted: Subscription, why: WaitReason, until: object
) -> None:
    outbox.subscribe(wanted)
    _put(outbox, "A", "B")
    first, last = outbox.waiting(wanted)
    assert (last.why, last.until) == (why, until)
    assert (first.body["drug"], last.body["drug"]) == ("A", "B")
    assert len(outbox.waiting(wanted, most=1)) == 1
    outbox.pause("s", "x")
    assert {one.why for one in outbox.waiting(wanted)} == {WaitReason.PAUSED}


def test_a_failure_is_told_with_its_answer_and_the_next_attempt(outbox: Outbox) -> None:
    outbox.subscribe(subscription())
    _put(outbox, "A")
    assert outbox.statuses()[0].answer is None
    outbox.record(outbox.due(NOW)[0], Attempt(SendOutcome.FAILED, "503"), NOW)
    (status,) = outbox.statuses()
    assert status.answer is not None
    assert (status.answer.at, status.answer.outcome, status.answer.detail) == (
        NOW,
        SendOutcome.FAILED.value,
        "503",
    )
    assert status.next_attempt == NOW + timedelta(seconds=5)
    (one,) = outbox.waiting(status.subscription)
    assert (one.why, one.until) == (WaitReason.RETRY, status.next_attempt)
    outbox.record(outbox.due(MIDNIGHT)[0], Attempt(SendOutcome.DELIVERED, "200"), MIDNIGHT)
    (status,) = outbox.statuses()
    assert status.answer is not None
    assert (status.answer.detail, status.next_attempt, status.waiting) == ("200", None, 0)
    assert outbox.waiting(status.subscription) == []


def test_percentiles_are_of_deliveries_by_nearest_rank(outbox: Outbox) -> None:
    outbox.subscribe(subscription())
    assert outbox.latency() is None
    _put(outbox, *(f"drug {number}" for number in range(10)))
    for seconds in range(1, 11):
        at = NOW + timedelta(seconds=seconds)
        outbox.record(outbox.due(NOW)[0], Attempt(SendOutcome.DELIVERED, "200"), at)
    latency = outbox.latency()
    assert latency is not None
    assert latency.n == 10
    got = (latency.p50, latency.p90, latency.p99, latency.most)
    assert got == pytest.approx((5, 9, 10, 10), abs=1e-6)
    assert outbox.latency("PMDA") == latency
    assert outbox.latency("another") is None
    outbox.unsubscribe("s")
    assert outbox.latency() is None


def test_what_is_of_an_outbox_of_the_third_format_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path, key=KEY) as outbox:
        outbox.subscribe(subscription(Tier.PUBLIC))
    with closing(sqlite3.connect(path)) as db:
        db.executescript("DROP TABLE put_time; DROP TABLE answer; PRAGMA user_version = 3")
    with Outbox(path, key=KEY) as outbox:
        _put(outbox, "A")
        assert [status.waiting for status in outbox.statuses()] == [1]
