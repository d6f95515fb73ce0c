"""Stored subscriptions: added, replaced, paused and resumed, and the tokens that made them."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from schemas.errors import InputError
from schemas.subscription import Subscription, Tier, Webhook
from streams.delivery.delivery_record import Latency, Waiting, answer_from, latency_of, waiting_for
from streams.delivery.sqlite_file import Ledger
from streams.delivery.subscription_status import READ_ALERTS, SubscriptionStatus, key_of

__all__ = ["MOST_OF_A_TOKEN", "SubscriptionBook"]

MOST_OF_A_TOKEN = 20
"""Subscriptions that a token may have made: each is compared with every alert."""
_SALT_BYTES = 16


class SubscriptionBook(Ledger):
    """Subscriptions by subscriber and name.

    Where a method takes a name and no subscriber, the name must be that of one subscriber only.
    """

    def subscribe(self, subscription: Subscription) -> Subscription:
        """Add a subscription of the operator, or replace its earlier form; return it as stored.

        Due messages are kept, and so are the derived signing keys of a webhook.
        """
        with self._transaction():
            stored = _salted(subscription, self._stored(key_of(subscription)))
            self._db.execute(
                "INSERT INTO subscription (id, body) VALUES (?, ?) "
                "ON CONFLICT (id) DO UPDATE SET body = excluded.body, made_by = NULL",
                (key_of(stored), stored.model_dump_json()),
            )
        return stored

    def _add(self, subscription: Subscription, made_by: str | None) -> Subscription | None:
        """Add a subscription within a transaction unless it exists; return it as stored."""
        (number,) = self._db.execute(
            "SELECT COUNT(*) FROM subscription WHERE made_by = ?", (made_by,)
        ).fetchone()
        if number >= MOST_OF_A_TOKEN:
            msg = f"subscription: a token may have made {MOST_OF_A_TOKEN}; got one more: delete one"
            raise InputError(msg)
        stored = _salted(subscription, None)
        added = self._db.execute(
            "INSERT OR IGNORE INTO subscription (id, body, made_by) VALUES (?, ?, ?)",
            (key_of(stored), stored.model_dump_json(), made_by),
        ).rowcount
        return stored if added else None

    def rotate_key(self, subscription_id: str, subscriber: str | None = None) -> Subscription:
        """Give a webhook with derived keys the next key besides the newest; return it as stored.

        Raises
        ------
        InputError
            If it has no derived key, or no subscription has that name.
        """
        with self._transaction():
            key = self._require_key(subscription_id, subscriber)
            current = self._stored(key)
            channel = current.goes_to if current else None
            if current is None or not isinstance(channel, Webhook) or channel.secrets:
                msg = f"subscription: must have a derived key to rotate; got {subscription_id!r}"
                raise InputError(msg)
            newest = channel.generations[0]
            channel = channel.model_copy(update={"generations": (newest + 1, newest)})
            changed = current.model_copy(update={"channel": channel})
            self._db.execute(
                "UPDATE subscription SET body = ? WHERE id = ?", (changed.model_dump_json(), key)
            )
        return changed

    def unsubscribe(self, subscription_id: str, subscriber: str | None = None) -> None:
        """Delete an existing subscription and its due messages."""
        with self._transaction():
            key = self._require_key(subscription_id, subscriber)
            self._db.execute("DELETE FROM subscription WHERE id = ?", (key,))
            self._db.execute(
                "DELETE FROM put_time WHERE number IN "
                "(SELECT number FROM due WHERE subscription = ?)",
                (key,),
            )
            for table in ("due", "told", "answer"):
                self._db.execute(f"DELETE FROM {table} WHERE subscription = ?", (key,))

    def pause(self, subscription_id: str, why: str, subscriber: str | None = None) -> None:
        """Pause an existing subscription: nothing is sent until it is resumed."""
        with self._transaction():
            key = self._require_key(subscription_id, subscriber)
            self._db.execute("UPDATE subscription SET resting = ? WHERE id = ?", (why, key))

    def resume(
        self, subscription_id: str, subscriber: str | None = None, *, token_id: str | None = None
    ) -> None:
        """Resume a paused subscription.

        Parameters
        ----------
        token_id
            Token that resumes it; it replaces the one that made the subscription, if any did.

        Raises
        ------
        InputError
            If no subscription has that name.
        """
        with self._transaction():
            key = self._require_key(subscription_id, subscriber)
            self._db.execute(
                "UPDATE subscription SET resting = NULL, failures = 0, next_at = NULL, "
                "made_by = CASE WHEN made_by IS NULL THEN NULL ELSE COALESCE(?, made_by) END "
                "WHERE id = ?",
                (token_id, key),
            )

    def pause_unauthorised(self) -> None:
        """Pause every subscription whose token may no longer make it, with the reason."""
        rows = self._db.execute(
            "SELECT subscription.id, json_extract(subscription.body, '$.tier'), made_by, "
            "token.tier, token.scopes, token.revoked_at FROM subscription "
            "LEFT JOIN token ON token.id = made_by "
            "WHERE made_by IS NOT NULL AND resting IS NULL"
        ).fetchall()
        for key, tier, made_by, *token in rows:
            lost = _lost_right(Tier(tier), *token)
            if lost:
                with self._transaction():
                    self._db.execute(
                        "UPDATE subscription SET resting = ? WHERE id = ? AND resting IS NULL",
                        (f"the token {made_by} that made it {lost}", key),
                    )

    def statuses(
        self, name: str | None = None, subscriber: str | None = None
    ) -> list[SubscriptionStatus]:
        """Return the status of every subscription, by subscriber and name.

        Parameters
        ----------
        name, subscriber
            Only subscriptions of that name, or of that subscriber.
        """
        self.pause_unauthorised()
        rows = self._db.execute(
            "SELECT answer.at, answer.outcome, answer.detail, next_at, "
            "subscription.body, resting, failures, "
            "COALESCE(SUM(due.number IS NOT NULL AND delivered_at IS NULL), 0), "
            "COALESCE(SUM(held_until IS NOT NULL), 0), "
            "COUNT(delivered_at) FROM subscription LEFT JOIN due "
            "ON due.subscription = subscription.id AND due.signal <> '' "
            "LEFT JOIN answer ON answer.subscription = subscription.id "
            "WHERE (?1 IS NULL OR json_extract(subscription.body, '$.subscription_id') = ?1) "
            "AND (?2 IS NULL OR json_extract(subscription.body, '$.subscriber') = ?2) "
            "GROUP BY subscription.id ORDER BY subscription.id",
            (name, subscriber),
        ).fetchall()
        return [
            SubscriptionStatus(
                Subscription.model_validate_json(body),
                paused,
                failures,
                waiting,
                held,
                delivered,
                next_attempt=None if next_at is None else datetime.fromtimestamp(next_at, UTC),
                answer=answer_from(at, outcome, detail),
            )
            for (
                at,
                outcome,
                detail,
                next_at,
                body,
                paused,
                failures,
                waiting,
                held,
                delivered,
            ) in rows
        ]

    def waiting(self, subscription: Subscription, most: int = 100) -> list[Waiting]:
        """Return the first alerts that wait for a subscription, each with its reason."""
        return list(waiting_for(self._db, subscription, most))

    def latency(self, subscriber: str | None = None) -> Latency | None:
        """Return the latency of the latest deliveries, of one subscriber or of all."""
        return latency_of(self._db, subscriber)

    def _subscriptions(self, where: str = "", *values: float) -> Iterator[Subscription]:
        found = self._db.execute(f"SELECT body FROM subscription {where}", values).fetchall()
        for (body,) in found:
            yield Subscription.model_validate_json(body)

    def _stored(self, key: str) -> Subscription | None:
        row = self._db.execute("SELECT body FROM subscription WHERE id = ?", (key,)).fetchone()
        return None if row is None else Subscription.model_validate_json(row[0])

    def _require_key(self, subscription_id: str, subscriber: str | None) -> str:
        """Return the key of an existing subscription."""
        found: list[tuple[str, Any]] = self._db.execute(
            "SELECT id, json_extract(body, '$.subscriber') FROM subscription "
            "WHERE json_extract(body, '$.subscription_id') = ?1 "
            "AND (?2 IS NULL OR json_extract(body, '$.subscriber') = ?2)",
            (subscription_id, subscriber),
        ).fetchall()
        if not found:
            msg = f"subscription: must be one that exists; got {subscription_id!r}"
            raise InputError(msg)
        if len(found) > 1:
            owners = ", ".join(sorted(str(owner) for _, owner in found))
            msg = (
                f"subscription: must be of one subscriber; got {subscription_id!r} of {owners}: "
                "name the subscriber"
            )
            raise InputError(msg)
        return found[0][0]


def _salted(wanted: Subscription, stored: Subscription | None) -> Subscription:
    """Return a subscription whose derived keys are those it has, or were never any other's.

    A name that is deleted and used again gets other keys, also if the subscriber is the same.
    """
    channel, before = wanted.channel, stored.goes_to if stored else None
    if not isinstance(channel, Webhook) or channel.secrets:
        return wanted
    kept: dict[str, object] = {"key_salt": secrets.token_hex(_SALT_BYTES)}
    if isinstance(before, Webhook) and not before.secrets:
        kept = {"key_salt": before.key_salt, "generations": before.generations}
    return wanted.model_copy(update={"channel": channel.model_copy(update=kept)})


def _lost_right(
    tier: Tier, now_tier: str | None, scopes: str | None, revoked_at: float | None
) -> str | None:
    """Return why a token may not make a subscription of a tier any more; None if it may."""
    tiers = list(Tier)
    if now_tier is None or scopes is None or revoked_at is not None:
        day = f" on {datetime.fromtimestamp(revoked_at, UTC):%Y-%m-%d}" if revoked_at else ""
        return f"was revoked{day}"
    if tiers.index(Tier(now_tier)) < tiers.index(tier):
        return f"is of the {now_tier} tier now"
    if READ_ALERTS not in scopes.split():
        return f"no longer has the scope {READ_ALERTS}"
    return None
