"""Sessions of people who signed in, and sign-ins that wait for an OpenID provider.

A session is bound to the browser and the network that it began in: its cookie is worthless
elsewhere, and the attempt ends it.
"""

import hashlib
import ipaddress
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from schemas.subscription import Tier
from streams.console.access.accounts import SignInRefused
from streams.console.access.openid import PendingSignIn
from streams.delivery.api.tokens import Scope
from streams.delivery.sqlite_file import Database, Layout

__all__ = ["Client", "SessionStore", "SignedIn"]

_TABLES = """
CREATE TABLE IF NOT EXISTS session (
    id TEXT PRIMARY KEY, reader TEXT NOT NULL, tier TEXT NOT NULL, scopes TEXT NOT NULL,
    account INTEGER NOT NULL, browser TEXT NOT NULL, made_at REAL NOT NULL, seen_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pending (
    state TEXT PRIMARY KEY, nonce TEXT NOT NULL, verifier TEXT NOT NULL, browser TEXT NOT NULL,
    back TEXT NOT NULL, made_at REAL NOT NULL
) WITHOUT ROWID;
"""
_LAYOUT = Layout("sessions of the desk", 1, _TABLES)
_LONGEST = timedelta(hours=10)
_IDLE = timedelta(minutes=30)
_PENDING = timedelta(minutes=10)
_MOST_PENDING = 1_000  # a stranger may begin as many as the rate allows
_IPV4_BITS, _IPV6_BITS = 24, 56  # of the network that a session is bound to


@dataclass(frozen=True, slots=True)
class Client:
    """Where a request comes from.

    Attributes
    ----------
    address
        Of the client, as the server or its trusted proxy states it.
    agent
        Its `User-Agent`.
    """

    address: str
    agent: str

    @property
    def browser(self) -> str:
        """Return a hash of the browser and its network."""
        try:
            parsed = ipaddress.ip_address(self.address)
        except ValueError:
            network = self.address
        else:
            bits = _IPV4_BITS if parsed.version == 4 else _IPV6_BITS
            network = str(ipaddress.ip_network(f"{parsed}/{bits}", strict=False))
        return hashlib.sha256(f"{network}\x00{self.agent}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in.

    Attributes
    ----------
    account
        Whether a local account, which may be disabled; else the provider's word.
    """

    reader: str
    tier: Tier
    scopes: frozenset[Scope]
    account: bool


class SessionStore(Database):
    """Sessions and pending sign-ins in an SQLite file.

    Parameters
    ----------
    path
        The file; created if missing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _LAYOUT)

    def begin(self, who: SignedIn, client: Client, now: datetime) -> str:
        """Begin a session; return its secret, for the cookie."""
        secret = secrets.token_urlsafe(32)
        with self._transaction():
            self._db.execute(
                "DELETE FROM session WHERE made_at < ?", ((now - _LONGEST).timestamp(),)
            )
            self._db.execute(
                "INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    _hashed(secret),
                    who.reader,
                    who.tier.value,
                    " ".join(sorted(who.scopes)),
                    who.account,
                    client.browser,
                    now.timestamp(),
                    now.timestamp(),
                ),
            )
        return secret

    def find(self, secret: str, client: Client, now: datetime) -> SignedIn | None:
        """Return who a session is of; None if there is none any more.

        Raises
        ------
        SignInRefused
            If it began in another browser or network: it is ended.
        """
        row = self._db.execute(
            "SELECT reader, tier, scopes, account, browser, made_at, seen_at FROM session "
            "WHERE id = ?",
            (_hashed(secret),),
        ).fetchone()
        if row is None:
            return None
        reader, tier, scopes, account, browser, made_at, seen_at = row
        late = now.timestamp() - made_at > _LONGEST.total_seconds()
        if late or now.timestamp() - seen_at > _IDLE.total_seconds():
            self.end(secret)
            return None
        if not secrets.compare_digest(browser, client.browser):
            self.end(secret)
            msg = f"session of {reader!r}: must stay in its browser and network; it was ended"
            raise SignInRefused(msg)
        if now.timestamp() - seen_at > 60:  # at most one write a minute
            self._db.execute(
                "UPDATE session SET seen_at = ? WHERE id = ?", (now.timestamp(), _hashed(secret))
            )
        found = frozenset(Scope(scope) for scope in scopes.split())
        return SignedIn(reader, Tier(tier), found, bool(account))

    def end(self, secret: str) -> None:
        """End a session; an unknown one is ended already."""
        self._db.execute("DELETE FROM session WHERE id = ?", (_hashed(secret),))

    def begin_pending(self, client: Client, back: str, now: datetime) -> PendingSignIn:
        """Begin a sign-in at a provider.

        Raises
        ------
        SignInRefused
            If too many are pending.
        """
        pending = PendingSignIn(*(secrets.token_urlsafe(32) for _ in range(3)))
        with self._transaction():
            self._db.execute(
                "DELETE FROM pending WHERE made_at < ?", ((now - _PENDING).timestamp(),)
            )
            (number,) = self._db.execute("SELECT COUNT(*) FROM pending").fetchone()
            if number >= _MOST_PENDING:
                msg = f"sign-in: at most {_MOST_PENDING:,} may be pending; try again in minutes"
                raise SignInRefused(msg)
            self._db.execute(
                "INSERT INTO pending VALUES (?, ?, ?, ?, ?, ?)",
                (
                    pending.state,
                    pending.nonce,
                    pending.verifier,
                    client.browser,
                    back,
                    now.timestamp(),
                ),
            )
        return pending

    def take_pending(self, state: str, client: Client, now: datetime) -> tuple[PendingSignIn, str]:
        """Take a pending sign-in, once; return it and the address to go back to.

        Raises
        ------
        SignInRefused
            If it is unknown, was taken, took too long, or began in another browser.
        """
        with self._transaction():
            row = self._db.execute(
                "DELETE FROM pending WHERE state = ? RETURNING nonce, verifier, browser, back, "
                "made_at",
                (state,),
            ).fetchone()
        if row is None:
            msg = "sign-in: the answer must be to a sign-in begun here, and used once"
            raise SignInRefused(msg)
        nonce, verifier, browser, back, made_at = row
        if now.timestamp() - made_at > _PENDING.total_seconds():
            msg = "sign-in: the answer must come within ten minutes"
            raise SignInRefused(msg)
        if not secrets.compare_digest(browser, client.browser):
            msg = "sign-in: the answer must come to the browser that began it"
            raise SignInRefused(msg)
        return PendingSignIn(state, nonce, verifier), back


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
