"""Record of deliveries: what waits and why, the last answer of a receiver, and latencies."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from schemas.digest import HeldBack
from schemas.subscription import Stream, Subscription
from streams.delivery.sending.send_schedule import Attempt
from streams.delivery.subscription_status import Answer, key_of

__all__ = [
    "Latency",
    "WaitReason",
    "Waiting",
    "answer_from",
    "latency_of",
    "record_answer",
    "record_put",
    "waiting_for",
]

_MOST_MEASURED = 10_000  # latest deliveries, of which percentiles are computed


class WaitReason(StrEnum):
    """Why an alert is not delivered yet. The first that applies is given."""

    PAUSED = "paused"  # the subscription is paused
    DIGEST = "digest"  # held for the digest that the subscription asks for
    OVERFLOW = "overflow"  # held for the digest after midnight: the day's budget is used up
    NOT_READ = "not_read"  # the subscriber has not read its stream
    RETRY = "retry"  # an attempt failed; the next one is scheduled
    QUEUED = "queued"  # it is sent at the next round of deliveries


@dataclass(frozen=True, slots=True)
class Waiting:
    """An alert that waits.

    Attributes
    ----------
    body
        Its copy for the tier of the subscription.
    until
        Next attempt, or when it is released; None: as `why` says, without a time.
    """

    alert_id: str
    body: dict[str, Any]
    why: WaitReason
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Latency:
    """Time from storing an alert to its acknowledgement, of alerts sent by themselves [s].

    Attributes
    ----------
    n
        Number of deliveries that it is of.
    """

    n: int
    p50: float
    p90: float
    p99: float
    most: float


def record_put(db: sqlite3.Connection, number: int, now: datetime) -> None:
    """Store when an alert was put into the outbox."""
    db.execute("INSERT INTO put_time VALUES (?, ?)", (number, now.timestamp()))


def record_answer(db: sqlite3.Connection, key: str, attempt: Attempt, now: datetime) -> None:
    """Store the last answer of the receiver of a subscription."""
    db.execute(
        "INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?)",
        (key, now.timestamp(), attempt.outcome.value, attempt.detail),
    )


def answer_from(at: float | None, outcome: str | None, detail: str | None) -> Answer | None:
    """Return the answer of a row; None before the first."""
    if at is None or outcome is None:
        return None
    return Answer(datetime.fromtimestamp(at, UTC), outcome, detail or "")


def waiting_for(db: sqlite3.Connection, subscription: Subscription, most: int) -> Iterator[Waiting]:
    """Yield the alerts that wait for a subscription, in the order of publication."""
    row = db.execute(
        "SELECT resting, next_at, failures FROM subscription WHERE id = ?", (key_of(subscription),)
    ).fetchone()
    paused, next_at, failures = row
    for alert_id, body, held_until, because in db.execute(
        "SELECT alert_id, body, held_until, because FROM due WHERE subscription = ? "
        "AND signal <> '' AND delivered_at IS NULL ORDER BY number LIMIT ?",
        (key_of(subscription), most),
    ):
        why, until = WaitReason.QUEUED, None
        if paused is not None:
            why = WaitReason.PAUSED
        elif held_until is not None:
            overflow = because == HeldBack.OVERFLOW.value
            why = WaitReason.OVERFLOW if overflow else WaitReason.DIGEST
            until = held_until
        elif isinstance(subscription.goes_to, Stream):
            why = WaitReason.NOT_READ
        elif failures:
            why, until = WaitReason.RETRY, next_at
        when = None if until is None else datetime.fromtimestamp(until, UTC)
        yield Waiting(alert_id, json.loads(body), why, when)


def latency_of(db: sqlite3.Connection, subscriber: str | None = None) -> Latency | None:
    """Return the latency of the latest deliveries; None before the first."""
    seconds = sorted(
        found
        for (found,) in db.execute(
            "SELECT delivered_at - put_time.at FROM due JOIN put_time USING (number) "
            "JOIN subscription ON subscription.id = due.subscription "
            "WHERE delivered_at IS NOT NULL AND bundle IS NULL "
            "AND COALESCE(json_extract(subscription.body, '$.channel.kind'), '') <> 'stream' "
            "AND (?1 IS NULL OR json_extract(subscription.body, '$.subscriber') = ?1) "
            "ORDER BY number DESC LIMIT ?2",
            (subscriber, _MOST_MEASURED),
        )
    )
    if not seconds:
        return None
    p50, p90, p99 = (_percentile(seconds, share) for share in (50, 90, 99))
    return Latency(len(seconds), p50, p90, p99, seconds[-1])


def _percentile(ordered: list[float], percent: int) -> float:
    """Return the nearest-rank percentile: the least value with that share at or below it."""
    return ordered[-(-percent * len(ordered) // 100) - 1]
