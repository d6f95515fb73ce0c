"""What is due to each subscriber, on disk: every revision once, those of one signal in order.

An alert and the place it was read from are stored in one transaction, so that a crash neither
loses an alert nor puts it in twice. It leaves the outbox when the receiver has answered.

What may go has a turn; urgent alerts go before the others, and take what waits of their signal
with them. What waits for a digest, or beyond a budget, has none until it is released: then its
digest gets one, is put together once, and is the same message at every attempt.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from schemas.digest import HeldBack
from schemas.errors import InputError
from schemas.subscription import Stream, Subscription
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.digests import MOST_ALERTS, digest_of
from streams.delivery.matching import matches
from streams.delivery.send_schedule import (
    AtOnce,
    Attempt,
    HeldInDigest,
    SendOutcome,
    lane_of,
    next_attempt,
)
from streams.delivery.sqlite_file import Ledger
from streams.delivery.subscription_status import Due, SubscriptionStatus
from streams.delivery.tiers import copy_for

__all__ = ["Outbox", "deliver"]


class Outbox(Ledger):
    """Subscriptions and what is due to them. One process delivers at a time; any may put in.

    Parameters
    ----------
    path
        The file; made if missing.
    key
        Secret of the installation, for `streams.delivery.tiers.copy_for`.

    Raises
    ------
    StateError
        If the file is no outbox of this format.
    """

    def __init__(self, path: Path, *, key: bytes) -> None:
        super().__init__(path)
        self._key = key

    def subscribe(self, subscription: Subscription) -> None:
        """Add a subscription, or change the one of that name; what is due to it stays due."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO subscription (id, body) VALUES (?, ?) "
                "ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                (subscription.subscription_id, subscription.model_dump_json()),
            )

    def subscribe_new(self, subscription: Subscription) -> bool:
        """Add a subscription unless there is one of that name; return whether there was none."""
        with self._transaction():
            return bool(
                self._db.execute(
                    "INSERT OR IGNORE INTO subscription (id, body) VALUES (?, ?)",
                    (subscription.subscription_id, subscription.model_dump_json()),
                ).rowcount
            )

    def unsubscribe(self, subscription_id: str) -> None:
        """Forget a subscription and all that was due to it; it must exist."""
        with self._transaction():
            done = self._db.execute("DELETE FROM subscription WHERE id = ?", (subscription_id,))
            self._require(done.rowcount, subscription_id)
            for table in ("due", "told"):
                self._db.execute(f"DELETE FROM {table} WHERE subscription = ?", (subscription_id,))

    def pause(self, subscription_id: str, why: str) -> None:
        """Send nothing to a subscription until it is resumed; it must exist."""
        with self._transaction():
            done = self._db.execute(
                "UPDATE subscription SET resting = ? WHERE id = ?", (why, subscription_id)
            )
            self._require(done.rowcount, subscription_id)

    def resume(self, subscription_id: str) -> None:
        """Send again to a subscription that rests.

        Raises
        ------
        InputError
            If there is none of that name.
        """
        with self._transaction():
            done = self._db.execute(
                "UPDATE subscription SET resting = NULL, failures = 0, next_at = NULL WHERE id = ?",
                (subscription_id,),
            )
            self._require(done.rowcount, subscription_id)

    def put(self, alert: AnyAlert, *, source: str, position: int, now: datetime) -> int:
        """Take in an alert for everybody it is for; return for how many.

        Parameters
        ----------
        source, position
            Where it was read, such as a partition and offset: one that was taken in is passed over.
        now
            The clock that digests and budgets run on.
        """
        taken = 0
        with self._transaction():
            if position < self.place(source):
                return 0
            for subscription in self._subscriptions():
                taken += self._put_for(subscription, alert, now)
            self._db.execute(
                "INSERT INTO place VALUES (?, ?) ON CONFLICT DO UPDATE SET next = excluded.next",
                (source, position + 1),
            )
        return taken

    def place(self, source: str) -> int:
        """Return the next position of a source that is not taken in."""
        row = self._db.execute("SELECT next FROM place WHERE source = ?", (source,)).fetchone()
        return 0 if row is None else int(row[0])

    def release(self, now: datetime) -> int:
        """Put together the digests whose time has come; return how many."""
        made = 0
        while True:
            with self._transaction():
                row = self._db.execute(
                    "SELECT subscription FROM due JOIN subscription ON subscription.id = "
                    "due.subscription WHERE held_until <= ? AND resting IS NULL LIMIT 1",
                    (now.timestamp(),),
                ).fetchone()
                if row is None:
                    return made
                self._bundle(row[0], now)
                made += 1

    def due(self, now: datetime) -> list[Due]:
        """Return the first message of every subscription that may be tried now.

        One at a time to each: so the revisions of a signal arrive in order. Streams are read by
        their subscribers, and not sent.
        """
        found = []
        for subscription in self._subscriptions(
            "WHERE resting IS NULL AND (next_at IS NULL OR next_at <= ?)", now.timestamp()
        ):
            if isinstance(subscription.goes_to, Stream):
                continue
            row = self._db.execute(
                "SELECT number, alert_id, body FROM due WHERE subscription = ? "
                "AND delivered_at IS NULL AND turn IS NOT NULL ORDER BY lane, turn LIMIT 1",
                (subscription.subscription_id,),
            ).fetchone()
            if row is not None:
                number, alert_id, body = row
                found.append(Due(number, subscription, alert_id, body))
        return found

    def streamed(
        self, subscription_id: str, after: str | None, now: datetime, most: int = 100
    ) -> list[tuple[str, str]]:
        """Return what a stream has after a message, as id and body, and note it as delivered.

        Parameters
        ----------
        after
            Id of the last message its reader has; None, and one that is not known: from the first.
        """
        with self._transaction():
            rows = self._db.execute(
                "SELECT number, alert_id, body FROM due WHERE subscription = ? AND turn > COALESCE("
                "(SELECT turn FROM due WHERE subscription = ? AND alert_id = ?), 0) "
                "ORDER BY turn LIMIT ?",
                (subscription_id, subscription_id, after, most),
            ).fetchall()
            for number, _, _ in rows:
                self._delivered(number, now)
        return [(alert_id, body) for _, alert_id, body in rows]

    def record(self, due: Due, attempt: Attempt, now: datetime) -> None:
        """Take note of how an attempt ended, and when the next one is due."""
        name = due.subscription.subscription_id
        with self._transaction():
            if attempt.outcome is SendOutcome.DELIVERED:
                self._delivered(due.number, now)
                self._db.execute(
                    "UPDATE subscription SET failures = 0, next_at = NULL WHERE id = ?", (name,)
                )
                return
            row = self._db.execute(
                "SELECT failures FROM subscription WHERE id = ?", (name,)
            ).fetchone()
            if row is None:  # unsubscribed meanwhile
                return
            failures = 1 + int(row[0])
            again = next_attempt(failures, now)
            resting = None
            if attempt.outcome is not SendOutcome.FAILED:
                resting = f"{attempt.outcome}: {attempt.detail}"
            elif again is None:
                resting = f"failed {failures} times, last: {attempt.detail}"
            self._db.execute(
                "UPDATE subscription SET failures = ?, next_at = ?, "
                "resting = COALESCE(resting, ?) WHERE id = ?",
                (failures, again.timestamp() if again else None, resting, name),
            )

    def next_due(self) -> datetime | None:
        """Return when the next attempt, or digest, is due; None if nothing waits."""
        row = self._db.execute(
            "SELECT MIN(CASE WHEN turn IS NULL THEN held_until ELSE COALESCE(next_at, 0) END) "
            "FROM due JOIN subscription ON subscription.id = due.subscription "
            "WHERE delivered_at IS NULL AND bundle IS NULL AND resting IS NULL AND (turn IS NULL "
            "OR COALESCE(json_extract(subscription.body, '$.channel.kind'), '') <> 'stream')"
        ).fetchone()
        return None if row[0] is None else datetime.fromtimestamp(row[0], UTC)

    def standing(self, name: str | None = None) -> list[SubscriptionStatus]:
        """Return every subscription, or the one of a name, and how it stands, by name."""
        rows = self._db.execute(
            "SELECT subscription.body, resting, failures, "
            "COALESCE(SUM(due.number IS NOT NULL AND delivered_at IS NULL), 0), "
            "COALESCE(SUM(held_until IS NOT NULL), 0), "
            "COUNT(delivered_at) FROM subscription LEFT JOIN due "
            "ON due.subscription = subscription.id AND due.signal <> '' "
            "WHERE subscription.id = COALESCE(?, subscription.id) "
            "GROUP BY subscription.id ORDER BY subscription.id",
            (name,),
        ).fetchall()
        return [
            SubscriptionStatus(Subscription.model_validate_json(body), *numbers)
            for body, *numbers in rows
        ]

    def _put_for(self, subscription: Subscription, alert: AnyAlert, now: datetime) -> int:
        name, key = subscription.subscription_id, alert.signal_key
        told = self._db.execute(
            "SELECT urgent FROM told WHERE subscription = ? AND signal = ?", (name, key)
        ).fetchone()
        if not matches(subscription, alert, sent_before=told is not None):
            return 0
        copy = copy_for(subscription.tier, alert, key=self._key)
        new = self._db.execute(
            "INSERT OR IGNORE INTO due (subscription, signal, alert_id, body) VALUES (?, ?, ?, ?)",
            (name, key, copy["alert_id"], json.dumps(copy)),
        )
        if not new.rowcount:
            return 0
        lane = lane_of(
            subscription,
            alert,
            urgent_before=told is not None and bool(told[0]),
            sent_today=self._sent_on(_day(now), subscription.subscriber),
            now=now,
        )
        self._db.execute(
            "INSERT INTO told VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET urgent = MAX(urgent, excluded.urgent)",
            (name, key, alert.urgent),
        )
        if isinstance(lane, HeldInDigest):
            self._db.execute(
                "UPDATE due SET held_until = ?, because = ? WHERE number = ?",
                (lane.until.timestamp(), lane.because.value, new.lastrowid),
            )
        else:
            self._queue(name, key, lane, now)
        return 1

    def _queue(self, name: str, key: str, lane: AtOnce, now: datetime) -> None:
        """Give a turn to the alerts of a signal that have none: what was held goes first."""
        waiting = self._db.execute(
            "SELECT number FROM due WHERE subscription = ? AND signal = ? AND turn IS NULL "
            "AND bundle IS NULL AND delivered_at IS NULL ORDER BY number",
            (name, key),
        ).fetchall()
        for (number,) in waiting:
            self._db.execute(
                "UPDATE due SET turn = ?, day = ?, held_until = NULL WHERE number = ?",
                (self._next_turn(), _day(now), number),
            )
        if not lane.urgent:
            return
        # A digest that holds an earlier revision goes before it, and so does all that goes before
        # that digest: else a signal in it would be overtaken.
        (last,) = self._db.execute(
            "SELECT COALESCE(MAX(whole.turn), 0) FROM due AS part "
            "JOIN due AS whole ON whole.number = part.bundle "
            "WHERE part.subscription = ? AND part.signal = ? AND part.delivered_at IS NULL",
            (name, key),
        ).fetchone()
        self._db.execute(
            "UPDATE due SET lane = 0 WHERE subscription = ? AND delivered_at IS NULL "
            "AND turn IS NOT NULL AND (signal = ? OR turn <= ?)",
            (name, key, last),
        )

    def _bundle(self, name: str, now: datetime) -> None:
        """Make one message of what is held for a subscription, the first of it."""
        rows = self._db.execute(
            "SELECT number, body, because FROM due WHERE subscription = ? "
            "AND held_until IS NOT NULL ORDER BY number LIMIT ?",
            (name, MOST_ALERTS),
        ).fetchall()
        reasons = {HeldBack(because) for _, _, because in rows}
        because = HeldBack.OVERFLOW if HeldBack.OVERFLOW in reasons else HeldBack.DIGEST
        digest = digest_of(name, [json.loads(body) for _, body, _ in rows], because, now)
        whole = self._db.execute(
            "INSERT INTO due (subscription, signal, alert_id, body, turn) VALUES (?, '', ?, ?, ?)",
            (name, digest.digest_id, digest.model_dump_json(), self._next_turn()),
        ).lastrowid
        self._db.executemany(
            "UPDATE due SET bundle = ?, held_until = NULL WHERE number = ?",
            [(whole, number) for number, _, _ in rows],
        )

    def _delivered(self, number: int, now: datetime) -> None:
        self._db.execute(
            "UPDATE due SET delivered_at = ? "
            "WHERE (number = ? OR bundle = ?) AND delivered_at IS NULL",
            (now.timestamp(), number, number),
        )

    def _next_turn(self) -> int:
        (last,) = self._db.execute("SELECT COALESCE(MAX(turn), 0) FROM due").fetchone()
        return int(last) + 1

    def _sent_on(self, day: str, subscriber: str) -> int:
        (sent,) = self._db.execute(
            "SELECT COUNT(*) FROM due JOIN subscription ON subscription.id = due.subscription "
            "WHERE day = ? AND json_extract(subscription.body, '$.subscriber') = ?",
            (day, subscriber),
        ).fetchone()
        return int(sent)

    def _subscriptions(self, where: str = "", *values: float) -> Iterator[Subscription]:
        found = self._db.execute(f"SELECT body FROM subscription {where}", values).fetchall()
        for (body,) in found:
            yield Subscription.model_validate_json(body)

    def _require(self, found: int, subscription_id: str) -> None:
        if not found:
            msg = f"subscription: must be one that exists; got {subscription_id!r}"
            raise InputError(msg)


def _day(now: datetime) -> str:
    return now.astimezone(UTC).date().isoformat()


def deliver(
    outbox: Outbox,
    send: Callable[[Due, datetime], Attempt],
    now: Callable[[], datetime],
) -> Mapping[SendOutcome, int]:
    """Try everything that may be tried now, and return how many attempts ended how."""
    ended = dict.fromkeys(SendOutcome, 0)
    outbox.release(now())
    while waiting := outbox.due(now()):
        for due in waiting:
            attempt = send(due, now())
            outbox.record(due, attempt, now())
            ended[attempt.outcome] += 1
    return ended
