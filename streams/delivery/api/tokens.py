"""Access tokens of the HTTP API, stored as hashes; a token is shown once."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from schemas.errors import InputError
from schemas.subscription import Tier
from streams.delivery.sqlite_file import Ledger
from streams.delivery.subscription_status import READ_ALERTS

__all__ = ["Scope", "Token", "TokenStore", "reader_token_id", "require_allowed"]

_TEXT = re.compile(r"^tocsin_([0-9a-f]{16})_([0-9a-f]{64})$")
_NO_HASH = "0" * 64


class Scope(StrEnum):
    """Permissions of a token."""

    ALERTS_READ = READ_ALERTS
    CASES_READ = "cases:read"
    SUBSCRIPTIONS_WRITE = "subscriptions:write"
    DECISIONS_WRITE = "decisions:write"
    VERIFICATIONS_WRITE = "verifications:write"
    OPERATIONS_WRITE = "operations:write"


_OF_AUTHORITIES = {Scope.DECISIONS_WRITE, Scope.VERIFICATIONS_WRITE, Scope.OPERATIONS_WRITE}
_NO_SECRET = "-"  # in place of a hash: no text is the token of a reader


@dataclass(frozen=True, slots=True)
class Token:
    """A token, without its secret.

    Attributes
    ----------
    token_id
        The part of the token that may be shown.
    subscriber
        The person or organisation that uses it.
    """

    token_id: str
    subscriber: str
    tier: Tier
    scopes: frozenset[Scope]
    made_at: datetime
    revoked_at: datetime | None


class TokenStore(Ledger):
    """Store of tokens, in the file of the outbox."""

    def add(self, subscriber: str, tier: Tier, scopes: frozenset[Scope], now: datetime) -> str:
        """Create a token and return it; it cannot be read again.

        Raises
        ------
        InputError
            If it has no scope, a scope that its tier may not have, or no valid subscriber.
        """
        if not scopes:
            msg = f"token: must have a scope ({', '.join(Scope)}); got none"
            raise InputError(msg)
        require_allowed(tier, scopes)
        if not subscriber.strip() or len(subscriber) > 200:
            msg = "token: must name its subscriber in at most 200 characters"
            raise InputError(msg)
        token_id, secret = secrets.token_hex(8), secrets.token_hex(32)
        with self._transaction():
            self._db.execute(
                "INSERT INTO token VALUES (?, ?, ?, ?, ?, ?, NULL)",
                (
                    token_id,
                    _hash(secret),
                    subscriber,
                    tier.value,
                    " ".join(sorted(scopes)),
                    now.timestamp(),
                ),
            )
        return f"tocsin_{token_id}_{secret}"

    def of_reader(
        self, reader: str, tier: Tier, scopes: frozenset[Scope], now: datetime
    ) -> str | None:
        """Return the id of the token that a reader of the desk makes subscriptions by.

        It has no text, so that nobody can use it over HTTP, and the tier and scopes that the reader
        has now: subscriptions beyond them are paused, as those of any token. None if an operator
        revoked it.
        """
        token_id = reader_token_id(reader)
        with self._transaction():
            row = self._db.execute(
                "INSERT INTO token VALUES (?, ?, ?, ?, ?, ?, NULL) ON CONFLICT (id) DO UPDATE "
                "SET tier = excluded.tier, scopes = excluded.scopes RETURNING revoked_at",
                (
                    token_id,
                    _NO_SECRET,
                    reader,
                    tier.value,
                    " ".join(sorted(scopes)),
                    now.timestamp(),
                ),
            ).fetchone()
        return token_id if row[0] is None else None

    def tokens(self) -> list[Token]:
        """Return all tokens, revoked ones included, the oldest first."""
        rows = self._db.execute(
            "SELECT id, subscriber, tier, scopes, made_at, revoked_at FROM token ORDER BY made_at"
        )
        return [_token(*row) for row in rows]

    def revoke(self, token_id: str, now: datetime) -> None:
        """Revoke an existing token."""
        with self._transaction():
            done = self._db.execute(
                "UPDATE token SET revoked_at = COALESCE(revoked_at, ?) WHERE id = ?",
                (now.timestamp(), token_id),
            )
        if not done.rowcount:
            msg = f"token: must be the id of one that exists; got {token_id!r}"
            raise InputError(msg)

    def narrow(
        self, token_id: str, *, tier: Tier | None = None, scopes: frozenset[Scope] | None = None
    ) -> Token:
        """Lower the tier of a token, or take scopes away; return it as it is now.

        Raises
        ------
        InputError
            If no token has that id, or it would get a higher tier or other scopes.
        """
        with self._transaction():
            row = self._db.execute(
                "SELECT id, subscriber, tier, scopes, made_at, revoked_at FROM token WHERE id = ?",
                (token_id,),
            ).fetchone()
            if row is None:
                msg = f"token: must be the id of one that exists; got {token_id!r}"
                raise InputError(msg)
            token, tiers = _token(*row), list(Tier)
            narrower = replace(token, tier=tier or token.tier, scopes=scopes or token.scopes)
            if tiers.index(narrower.tier) > tiers.index(token.tier) or (
                narrower.scopes - token.scopes
            ):
                had = f"{token.tier} and {' '.join(sorted(token.scopes))}"
                msg = f"token: may only be narrowed, from {had}; make another one instead"
                raise InputError(msg)
            require_allowed(narrower.tier, narrower.scopes)
            self._db.execute(
                "UPDATE token SET tier = ?, scopes = ? WHERE id = ?",
                (narrower.tier.value, " ".join(sorted(narrower.scopes)), token_id),
            )
        return narrower

    def find(self, text: str) -> Token | None:
        """Return the token with a text, unless it is unknown or revoked."""
        shape = _TEXT.match(text)
        token_id, secret = shape.groups() if shape else ("", "")
        row = self._db.execute(
            "SELECT hash, id, subscriber, tier, scopes, made_at, revoked_at FROM token "
            "WHERE id = ?",
            (token_id,),
        ).fetchone()
        # The secret has 256 random bits, so that a fast hash suffices. The comparison takes
        # constant time, also for an unknown token.
        matches = hmac.compare_digest(_hash(secret), row[0] if row else _NO_HASH)
        if row is None or not matches:
            return None
        token = _token(*row[1:])
        return token if token.revoked_at is None else None


def reader_token_id(reader: str) -> str:
    """Return the id of the token of a reader of the desk.

    >>> len(reader_token_id("M. Okafor"))
    16
    """
    return hashlib.sha256(f"reader of the desk\x00{reader}".encode()).hexdigest()[:16]


def require_allowed(tier: Tier, scopes: frozenset[Scope]) -> None:
    """Refuse scopes that a tier may not have.

    Raises
    ------
    InputError
        If there is one.
    """
    if tier is not Tier.AUTHORITY and scopes & _OF_AUTHORITIES:
        beyond = ", ".join(sorted(scopes & _OF_AUTHORITIES))
        msg = f"tier: must be of the authority tier for {beyond}; got {tier}"
        raise InputError(msg)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _token(
    token_id: str, subscriber: str, tier: str, scopes: str, made: float, revoked: float | None
) -> Token:
    return Token(
        token_id,
        subscriber,
        Tier(tier),
        frozenset(Scope(scope) for scope in scopes.split()),
        datetime.fromtimestamp(made, UTC),
        None if revoked is None else datetime.fromtimestamp(revoked, UTC),
    )
