"""Outbox of alerts per subscription: every revision once, those of one signal in order.

An alert and its source position are stored in one transaction, so that a crash neither loses an
alert nor stores it twice. It stays due until the receiver has acknowledged it.

A message that may be sent has a turn. Urgent alerts are sent before the others, together with the
pending alerts of their signal. An alert held for a digest, or beyond a budget, has no turn until it
is released: then its digest is assembled once, gets a turn, and is the same at every attempt.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from schemas.digest import HeldBack
from schemas.rules_change import RulesChange
from schemas.subscription import Stream, Subscription, Tier
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.delivery_record import record_answer, record_put
from streams.delivery.digests import MOST_ALERTS, digest_of
from streams.delivery.matching import matches
from streams.delivery.sending.send_schedule import (
    AtOnce,
    Attempt,
    HeldInDigest,
    SendOutcome,
    lane_of,
    next_attempt,
)
from streams.delivery.subscription_book import SubscriptionBook
from streams.delivery.subscription_status import Due, key_of
from streams.delivery.tier_copies import TierCopies
from streams.delivery.tiers import Copy
from streams.delivery.urgent_overflow import report_overflow, urgent_sent

__all__ = ["Outbox"]


class Outbox(SubscriptionBook):
    """Subscriptions and their due messages. Several processes may add alerts; one delivers.

    Parameters
    ----------
    path
        The file; created if missing.
    key
        Secret of the installation, for `streams.delivery.tier_copies.TierCopies`.

    Raises
    ------
    StateError
        If the file is not an outbox of a known format.
    """

    def __init__(self, path: Path, *, key: bytes) -> None:
        super().__init__(path)
        self._copies = TierCopies(self._db, key=key)

    def subscribe_new(
        self,
        subscription: Subscription,
        now: datetime,
        earlier: Iterable[Copy] = (),
        *,
        made_by: str | None = None,
    ) -> Subscription | None:
        """Add a subscription unless its subscriber has one of that name; return it as stored.

        Parameters
        ----------
        earlier
            Copies for its tier of alerts that are published already; they are for it if they match.
            It is read while no alert can be put, so that none is missing between these and later
            ones.
        made_by
            Id of the token that makes it; None: the operator.

        Raises
        ------
        InputError
            If the token has made as many as one may.
        """
        with self._transaction():
            added = self._add(subscription, made_by)
            if added is not None:
                for copy in earlier:
                    self._put_for(added, copy, json.dumps(copy), now)
            return added

    def put(self, alert: AnyAlert, *, source: str, position: int, now: datetime) -> int:
        """Store an alert for every matching subscription; return the number of messages.

        Parameters
        ----------
        source, position
            Where it was read, such as a partition and offset. A position before the stored one is
            skipped.
        now
            Clock time, for digests and budgets.
        """
        if position < self.place(source):  # another process was first: no lock is needed
            return 0
        matched = 0
        with self._transaction():
            if position < self.place(source):
                return 0
            subscriptions = list(self._subscriptions())
            # The public's revisions are counted whether or not anybody subscribes to them.
            tiers = {Tier.PUBLIC, *(subscription.tier for subscription in subscriptions)}
            copies = {
                tier: [(copy, json.dumps(copy)) for copy in self._copies.of(tier, alert)]
                for tier in tiers
            }
            for subscription in subscriptions:
                for copy, body in copies[subscription.tier]:
                    matched += self._put_for(subscription, copy, body, now)
            self._advance(source, position)
        return matched

    def put_rules_change(self, change: RulesChange, *, source: str, position: int) -> None:
        """Store a change of rules, due at once, for every subscription: `put` says where from."""
        with self._transaction():
            if position < self.place(source):
                return
            for subscription in self._subscriptions():
                name, body = key_of(subscription), change.model_dump_json()
                self._db.execute(
                    "INSERT OR IGNORE INTO due (subscription, signal, alert_id, body, turn) "
                    "VALUES (?, 'rules', ?, ?, ?)",
                    (name, change.change_id, body, self._next_turn()),
                )
            self._advance(source, position)

    def _advance(self, source: str, position: int) -> None:
        self._db.execute(
            "INSERT INTO place VALUES (?, ?) ON CONFLICT DO UPDATE SET next = excluded.next",
            (source, position + 1),
        )

    def place(self, source: str) -> int:
        """Return the next position to read of a source."""
        row = self._db.execute("SELECT next FROM place WHERE source = ?", (source,)).fetchone()
        return 0 if row is None else int(row[0])

    def places(self) -> dict[str, int]:
        """Return the next position to read of every source."""
        return dict(self._db.execute("SELECT source, next FROM place").fetchall())

    def release(self, now: datetime) -> int:
        """Assemble the digests that are due; return their number."""
        assembled = 0
        while True:
            with self._transaction():
                row = self._db.execute(
                    "SELECT subscription FROM due JOIN subscription ON subscription.id = "
                    "due.subscription WHERE held_until <= ? AND resting IS NULL LIMIT 1",
                    (now.timestamp(),),
                ).fetchone()
                if row is None:
                    return assembled
                self._bundle(row[0], now)
                assembled += 1

    def due(self, now: datetime) -> list[Due]:
        """Return the first due message of every subscription that may be attempted now.

        A subscription gets one message at a time, so that revisions of a signal arrive in order.
        Streams are left out: their subscribers read them. Subscriptions of tokens that were
        revoked or narrowed are paused first.
        """
        self.pause_unauthorised()
        found = []
        for subscription in self._subscriptions(
            "WHERE resting IS NULL AND (next_at IS NULL OR next_at <= ?)", now.timestamp()
        ):
            if isinstance(subscription.goes_to, Stream):
                continue
            row = self._db.execute(
                "SELECT number, alert_id, body FROM due WHERE subscription = ? "
                "AND delivered_at IS NULL AND turn IS NOT NULL ORDER BY lane, turn LIMIT 1",
                (key_of(subscription),),
            ).fetchone()
            if row is not None:
                number, alert_id, body = row
                found.append(Due(number, subscription, alert_id, body))
        return found

    def streamed(
        self,
        subscription_id: str,
        after: str | None,
        now: datetime,
        most: int = 100,
        *,
        subscriber: str | None = None,
    ) -> list[tuple[str, str]]:
        """Return the messages of a stream after an id, as id and body, and mark them as delivered.

        Parameters
        ----------
        after
            Id of the last message that the reader received; None or an unknown id: from the first.
        """
        with self._transaction():
            key = self._require_key(subscription_id, subscriber)
            rows = self._db.execute(
                "SELECT number, alert_id, body FROM due WHERE subscription = ? AND turn > COALESCE("
                "(SELECT turn FROM due WHERE subscription = ? AND alert_id = ?), 0) "
                "ORDER BY turn LIMIT ?",
                (key, key, after, most),
            ).fetchall()
            for number, _, _ in rows:
                self._delivered(number, now)
        return [(alert_id, body) for _, alert_id, body in rows]

    def record(self, due: Due, attempt: Attempt, now: datetime) -> None:
        """Record the outcome of an attempt, and schedule the next one."""
        self.record_all([(due, attempt)], now)

    def record_all(self, ended: Iterable[tuple[Due, Attempt]], now: datetime) -> None:
        """Record the outcomes of attempts in one transaction, and schedule the next ones."""
        with self._transaction():
            for due, attempt in ended:
                self._record(due, attempt, now)

    def _record(self, due: Due, attempt: Attempt, now: datetime) -> None:
        name = key_of(due.subscription)
        record_answer(self._db, name, attempt, now)
        if attempt.outcome is SendOutcome.DELIVERED:
            self._delivered(due.number, now)
            self._db.execute(
                "UPDATE subscription SET failures = 0, next_at = NULL WHERE id = ?", (name,)
            )
            return
        row = self._db.execute("SELECT failures FROM subscription WHERE id = ?", (name,)).fetchone()
        if row is None:  # unsubscribed meanwhile
            return
        failures = 1 + int(row[0])
        again = next_attempt(failures, now)
        paused = None
        if attempt.outcome is not SendOutcome.FAILED:
            paused = f"{attempt.outcome}: {attempt.detail}"
        elif again is None:
            paused = f"failed {failures} times, last: {attempt.detail}"
        self._db.execute(
            "UPDATE subscription SET failures = ?, next_at = ?, "
            "resting = COALESCE(resting, ?) WHERE id = ?",
            (failures, again.timestamp() if again else None, paused, name),
        )

    def next_due(self) -> datetime | None:
        """Return when the next attempt or digest is due; None if nothing is pending."""
        row = self._db.execute(
            "SELECT MIN(CASE WHEN turn IS NULL THEN held_until ELSE COALESCE(next_at, 0) END) "
            "FROM due JOIN subscription ON subscription.id = due.subscription "
            "WHERE delivered_at IS NULL AND bundle IS NULL AND resting IS NULL AND (turn IS NULL "
            "OR COALESCE(json_extract(subscription.body, '$.channel.kind'), '') <> 'stream')"
        ).fetchone()
        return None if row[0] is None else datetime.fromtimestamp(row[0], UTC)

    def _put_for(self, subscription: Subscription, copy: Copy, body: str, now: datetime) -> int:
        name, key = key_of(subscription), copy["signal_key"]
        sent = self._db.execute(
            "SELECT urgent FROM told WHERE subscription = ? AND signal = ?", (name, key)
        ).fetchone()
        if not matches(subscription, copy, sent_before=sent is not None):
            return 0
        new = self._db.execute(
            "INSERT OR IGNORE INTO due (subscription, signal, alert_id, body) VALUES (?, ?, ?, ?)",
            (name, key, copy["alert_id"], body),
        )
        if not new.rowcount or new.lastrowid is None:
            return 0
        record_put(self._db, new.lastrowid, now)
        lane = lane_of(
            subscription,
            copy,
            urgent_before=sent is not None and bool(sent[0]),
            held_before=self._holds(name, key),
            sent_today=self._sent_today(subscription, now),
            urgent_today=urgent_sent(self._db, subscription, _day(now)) if copy["urgent"] else 0,
            now=now,
        )
        self._db.execute(
            "INSERT INTO told VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET urgent = MAX(urgent, excluded.urgent)",
            (name, key, copy["urgent"]),
        )
        if isinstance(lane, HeldInDigest):
            self._db.execute(
                "UPDATE due SET held_until = ?, because = ? WHERE number = ?",
                (lane.until.timestamp(), lane.because.value, new.lastrowid),
            )
            if copy["urgent"]:
                report_overflow(self._db, subscription, lane.until, now, self._next_turn())
        else:
            self._queue(name, key, lane, now)
        return 1

    def _holds(self, name: str, key: str) -> bool:
        """Return whether an alert of a signal waits for a digest."""
        row = self._db.execute(
            "SELECT 1 FROM due WHERE subscription = ? AND signal = ? AND turn IS NULL "
            "AND held_until IS NOT NULL LIMIT 1",
            (name, key),
        ).fetchone()
        return row is not None

    def _queue(self, name: str, key: str, lane: AtOnce, now: datetime) -> None:
        """Give the pending alerts of a signal their turns, in order: held ones go first."""
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
        # A digest with an earlier revision must be sent first, and so must all messages before that
        # digest: otherwise revisions of its other signals would arrive out of order.
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
        """Assemble a digest of the first alerts that are held for a subscription."""
        rows = self._db.execute(
            "SELECT number, body, because FROM due WHERE subscription = ? "
            "AND held_until IS NOT NULL ORDER BY number LIMIT ?",
            (name, MOST_ALERTS),
        ).fetchall()
        reasons = {HeldBack(because) for _, _, because in rows}
        because = HeldBack.OVERFLOW if HeldBack.OVERFLOW in reasons else HeldBack.DIGEST
        named = name.rpartition("\x1f")[2]
        digest = digest_of(named, [json.loads(body) for _, body, _ in rows], because, now)
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

    def _sent_today(self, subscription: Subscription, now: datetime) -> int:
        """Count the alerts that were queued for a subscriber today, if it has a budget."""
        if subscription.budget_per_day is None:
            return 0
        (sent,) = self._db.execute(
            "SELECT COUNT(*) FROM due WHERE day = ? AND subscription IN (SELECT id FROM "
            "subscription WHERE json_extract(body, '$.subscriber') = ?)",
            (_day(now), subscription.subscriber),
        ).fetchone()
        return int(sent)


def _day(now: datetime) -> str:
    return now.astimezone(UTC).date().isoformat()
