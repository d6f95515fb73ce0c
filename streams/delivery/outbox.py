"""What is due to each subscriber, on disk: every revision once, those of one signal in order.

An alert and the place it was read from are stored in one transaction, so that a crash neither
loses an alert nor puts it in twice. It leaves the outbox when the receiver has answered.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from schemas.errors import InputError, StateError
from schemas.subscription import Subscription
from streams.delivery.matching import matches
from streams.delivery.reading import AnyAlert
from streams.delivery.schedule import Attempt, Outcome, next_attempt
from streams.delivery.tiers import copy_for

__all__ = ["Due", "Outbox", "Standing", "deliver"]

_FORMAT = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS subscription (
    id TEXT PRIMARY KEY, body TEXT NOT NULL, resting TEXT, failures INTEGER NOT NULL DEFAULT 0,
    next_at REAL
);
CREATE TABLE IF NOT EXISTS told (
    subscription TEXT NOT NULL, signal TEXT NOT NULL, PRIMARY KEY (subscription, signal)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS due (
    number INTEGER PRIMARY KEY AUTOINCREMENT, subscription TEXT NOT NULL, signal TEXT NOT NULL,
    alert_id TEXT NOT NULL, body TEXT NOT NULL, delivered_at REAL, UNIQUE (subscription, alert_id)
);
CREATE INDEX IF NOT EXISTS due_next ON due (subscription, delivered_at, number);
CREATE TABLE IF NOT EXISTS place (source TEXT PRIMARY KEY, next INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Due:
    """One alert that is due to one subscriber now."""

    number: int
    subscription: Subscription
    alert_id: str
    body: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subscription stands.

    Attributes
    ----------
    resting
        Why nothing is sent until somebody resumes it; None while it is active.
    waiting, delivered
        Number of alerts.
    """

    subscription: Subscription
    resting: str | None
    failures: int
    waiting: int
    delivered: int


class Outbox:
    """Subscriptions and what is due to them, in one SQLite file. One process delivers at a time.

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
        self._key = key
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            (held,) = self._db.execute("PRAGMA user_version").fetchone()
            if held not in (0, _FORMAT):
                msg = f"outbox {path}: must be of format {_FORMAT}; got {held}"
                raise StateError(msg)
            self._db.executescript(_TABLES)
            self._db.execute(f"PRAGMA user_version = {_FORMAT}")
        except sqlite3.DatabaseError as error:
            msg = f"outbox {path}: must be an outbox of Tocsin; got {error}"
            raise StateError(msg) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def subscribe(self, subscription: Subscription) -> None:
        """Add a subscription, or change the one of that name; what is due to it stays due."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO subscription (id, body) VALUES (?, ?) "
                "ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                (subscription.subscription_id, subscription.model_dump_json()),
            )

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
        if not done.rowcount:
            msg = f"subscription: must be one that exists; got {subscription_id!r}"
            raise InputError(msg)

    def put(self, alert: AnyAlert, *, source: str, position: int) -> int:
        """Take in an alert for everybody it is for; return for how many.

        Parameters
        ----------
        source, position
            Where it was read, such as a partition and offset: one that was taken in is passed over.
        """
        if position < self.place(source):
            return 0
        taken = 0
        with self._transaction():
            for name, subscription in self._subscriptions():
                known = self._db.execute(
                    "SELECT 1 FROM told WHERE subscription = ? AND signal = ?",
                    (name, alert.signal_key),
                ).fetchone()
                if not matches(subscription, alert, sent_before=known is not None):
                    continue
                copy = copy_for(subscription.tier, alert, key=self._key)
                self._db.execute(
                    "INSERT OR IGNORE INTO told VALUES (?, ?)", (name, alert.signal_key)
                )
                taken += self._db.execute(
                    "INSERT OR IGNORE INTO due (subscription, signal, alert_id, body) "
                    "VALUES (?, ?, ?, ?)",
                    (name, alert.signal_key, copy["alert_id"], json.dumps(copy)),
                ).rowcount
            self._db.execute(
                "INSERT INTO place VALUES (?, ?) ON CONFLICT DO UPDATE SET next = excluded.next",
                (source, position + 1),
            )
        return taken

    def place(self, source: str) -> int:
        """Return the next position of a source that is not taken in."""
        row = self._db.execute("SELECT next FROM place WHERE source = ?", (source,)).fetchone()
        return 0 if row is None else int(row[0])

    def due(self, now: datetime) -> list[Due]:
        """Return the first undelivered alert of every subscription that may be tried now.

        One at a time to each: so the revisions of a signal arrive in order.
        """
        rows = self._db.execute(
            "SELECT MIN(due.number), subscription.body, due.alert_id, due.body "
            "FROM subscription JOIN due ON due.subscription = subscription.id "
            "WHERE due.delivered_at IS NULL AND resting IS NULL "
            "AND (next_at IS NULL OR next_at <= ?) GROUP BY subscription.id",
            (now.timestamp(),),
        ).fetchall()
        return [
            Due(number, Subscription.model_validate_json(subscription), alert_id, body)
            for number, subscription, alert_id, body in rows
        ]

    def record(self, due: Due, attempt: Attempt, now: datetime) -> None:
        """Take note of how an attempt ended, and when the next one is due."""
        name = due.subscription.subscription_id
        with self._transaction():
            if attempt.outcome is Outcome.DELIVERED:
                self._db.execute(
                    "UPDATE due SET delivered_at = ? WHERE number = ?",
                    (now.timestamp(), due.number),
                )
                self._db.execute(
                    "UPDATE subscription SET failures = 0, next_at = NULL WHERE id = ?", (name,)
                )
                return
            failures = 1 + int(
                self._db.execute(
                    "SELECT failures FROM subscription WHERE id = ?", (name,)
                ).fetchone()[0]
            )
            again = next_attempt(failures, now)
            resting = None
            if attempt.outcome is not Outcome.FAILED:
                resting = f"{attempt.outcome}: {attempt.detail}"
            elif again is None:
                resting = f"failed {failures} times, last: {attempt.detail}"
            self._db.execute(
                "UPDATE subscription SET failures = ?, next_at = ?, resting = ? WHERE id = ?",
                (failures, again.timestamp() if again else None, resting, name),
            )

    def next_due(self) -> datetime | None:
        """Return when the next attempt is due; None if nothing waits."""
        row = self._db.execute(
            "SELECT MIN(COALESCE(next_at, 0)) FROM subscription WHERE resting IS NULL AND EXISTS "
            "(SELECT 1 FROM due WHERE subscription = subscription.id AND delivered_at IS NULL)"
        ).fetchone()
        return None if row[0] is None else datetime.fromtimestamp(row[0], UTC)

    def standing(self) -> list[Standing]:
        """Return every subscription and how it stands, by name."""
        rows = self._db.execute(
            "SELECT subscription.body, resting, failures, "
            "COALESCE(SUM(due.number IS NOT NULL AND delivered_at IS NULL), 0), "
            "COUNT(delivered_at) FROM subscription LEFT JOIN due "
            "ON due.subscription = subscription.id GROUP BY subscription.id ORDER BY 1"
        ).fetchall()
        return [
            Standing(Subscription.model_validate_json(body), *numbers) for body, *numbers in rows
        ]

    def _subscriptions(self) -> Iterator[tuple[str, Subscription]]:
        for name, body in self._db.execute("SELECT id, body FROM subscription").fetchall():
            yield name, Subscription.model_validate_json(body)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")


def deliver(
    outbox: Outbox,
    send: Callable[[Due, datetime], Attempt],
    now: Callable[[], datetime],
) -> Mapping[Outcome, int]:
    """Try everything that may be tried now, and return how many attempts ended how."""
    ended = dict.fromkeys(Outcome, 0)
    while waiting := outbox.due(now()):
        for due in waiting:
            attempt = send(due, now())
            outbox.record(due, attempt, now())
            ended[attempt.outcome] += 1
    return ended
