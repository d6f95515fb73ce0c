"""Budget of urgent alerts: one message a day reports that further ones wait for a digest."""

import hashlib
import json
import sqlite3
from datetime import UTC, datetime

from schemas.digest import UrgentOverflow
from schemas.subscription import Subscription
from streams.delivery.subscription_status import key_of

__all__ = ["report_overflow", "urgent_sent"]

_URGENT_LANE = 0
_ID_DIGITS = 32


def urgent_sent(db: sqlite3.Connection, subscription: Subscription, day: str) -> int:
    """Count the urgent alerts that were queued for a subscription on a day."""
    (sent,) = db.execute(
        "SELECT COUNT(*) FROM due WHERE subscription = ? AND day = ? AND lane = ?",
        (key_of(subscription), day, _URGENT_LANE),
    ).fetchone()
    return int(sent)


def report_overflow(
    db: sqlite3.Connection, subscription: Subscription, until: datetime, now: datetime, turn: int
) -> None:
    """Store the day's message of the overflow, or count one more in it while it is not sent.

    Parameters
    ----------
    until
        When the digest is due that has the deferred alerts.
    turn
        Turn of the message if it is new.
    """
    day = now.astimezone(UTC).date()
    key = key_of(subscription)
    name = hashlib.sha256(json.dumps([key, str(day)]).encode()).hexdigest()[:_ID_DIGITS]
    row = db.execute(
        "SELECT json_extract(body, '$.n_held') FROM due WHERE subscription = ? AND alert_id = ?",
        (key, name),
    ).fetchone()
    n_held = 1 if row is None else 1 + int(row[0])
    body = UrgentOverflow(
        overflow_id=name,
        subscription_id=subscription.subscription_id,
        day=day,
        budget=subscription.urgent_per_day,
        n_held=n_held,
        held_until=until,
        sentence=f"More than {subscription.urgent_per_day} urgent alerts on {day}: at least "
        f"{n_held} are held for the digest of {until:%Y-%m-%d %H:%M} UTC. Read them now over HTTP, "
        "GET /v1/signals?urgent=true, or with tocsin alerts.",
    ).model_dump_json()
    if row is None:
        db.execute(
            "INSERT INTO due (subscription, signal, alert_id, body, turn, lane) "
            "VALUES (?, '', ?, ?, ?, ?)",
            (key, name, body, turn, _URGENT_LANE),
        )
    else:
        db.execute(
            "UPDATE due SET body = ? WHERE subscription = ? AND alert_id = ? "
            "AND delivered_at IS NULL",
            (body, key, name),
        )
