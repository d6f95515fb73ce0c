"""Local accounts of the desk: a password and a one-time code, locked after failures.

Passwords are stored as Argon2 hashes. The secrets of one-time codes (RFC 6238) are derived from the
installation's secret and stored nowhere. A code is accepted once.
"""

import base64
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from schemas.errors import InputError
from schemas.subscription import Tier
from streams.delivery.api.tokens import Scope, require_allowed
from streams.delivery.sqlite_file import Database, Layout

__all__ = ["Account", "AccountStore", "Enrolment", "SignInRefused"]

_TABLES = """
CREATE TABLE IF NOT EXISTS account (
    name TEXT PRIMARY KEY, password TEXT NOT NULL, salt BLOB NOT NULL, tier TEXT NOT NULL,
    scopes TEXT NOT NULL, made_at REAL NOT NULL, disabled_at REAL, last_step INTEGER NOT NULL
    DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0, locked_until REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;
"""
_LAYOUT = Layout("accounts of the desk", 1, _TABLES)
_FEWEST_CHARACTERS, _MOST_CHARACTERS = 12, 200
_STEP_SECONDS = 30
_MOST_FAILURES = 5
_LOCKED = timedelta(minutes=15)


class SignInRefused(InputError):
    """A sign-in that is refused: the reason is for the log, never for who tries."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account, without its secrets."""

    name: str
    tier: Tier
    scopes: frozenset[Scope]
    made_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a new account needs once.

    Attributes
    ----------
    uri
        `otpauth` address of the one-time codes, for an authenticator; shown once.
    """

    account: Account
    uri: str


class AccountStore(Database):
    """Accounts in an SQLite file.

    Parameters
    ----------
    path
        The file; created if missing.
    key
        The installation's secret.
    hasher
        Argon2 parameters; tests use cheap ones.
    """

    def __init__(self, path: Path, *, key: bytes, hasher: PasswordHasher | None = None) -> None:
        super().__init__(path, _LAYOUT)
        self._key = key
        self._hasher = hasher or PasswordHasher()
        # An unknown name must take as long as a known one.
        self._nobody = self._hasher.hash(secrets.token_hex(16))

    def add(
        self, name: str, password: str, tier: Tier, scopes: frozenset[Scope], now: datetime
    ) -> Enrolment:
        """Create an account.

        Raises
        ------
        InputError
            If the name exists or is empty, the password is short, or the tier may not have a scope.
        """
        _require_name(name)
        if not _FEWEST_CHARACTERS <= len(password) <= _MOST_CHARACTERS:
            msg = (
                f"account: the password must have {_FEWEST_CHARACTERS} to {_MOST_CHARACTERS} "
                f"characters; got {len(password)}"
            )
            raise InputError(msg)
        if not scopes:
            msg = f"account: must have a scope ({', '.join(Scope)}); got none"
            raise InputError(msg)
        require_allowed(tier, scopes)
        salt = secrets.token_bytes(16)
        with self._transaction():
            done = self._db.execute(
                "INSERT OR IGNORE INTO account (name, password, salt, tier, scopes, made_at) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (
                    name,
                    self._hasher.hash(password),
                    salt,
                    tier.value,
                    " ".join(sorted(scopes)),
                    now.timestamp(),
                ),
            )
        if not done.rowcount:
            msg = f"account: the name must be new; got {name!r}"
            raise InputError(msg)
        account = Account(name, tier, scopes, now, None)
        uri = self._codes(salt).provisioning_uri(name=name, issuer_name="Tocsin")
        return Enrolment(account, uri)

    def accounts(self) -> list[Account]:
        """Return all accounts, disabled ones included, by name."""
        rows = self._db.execute(
            "SELECT name, tier, scopes, made_at, disabled_at FROM account ORDER BY name"
        )
        return [_account(*row) for row in rows]

    def find(self, name: str) -> Account | None:
        """Return an account that is not disabled."""
        row = self._db.execute(
            "SELECT name, tier, scopes, made_at, disabled_at FROM account "
            "WHERE name = ? AND disabled_at IS NULL",
            (name,),
        ).fetchone()
        return None if row is None else _account(*row)

    def disable(self, name: str, now: datetime) -> None:
        """Disable an existing account; its sessions end at their next request."""
        with self._transaction():
            done = self._db.execute(
                "UPDATE account SET disabled_at = COALESCE(disabled_at, ?) WHERE name = ?",
                (now.timestamp(), name),
            )
        if not done.rowcount:
            msg = f"account: must exist; got {name!r}"
            raise InputError(msg)

    def sign_in(self, name: str, password: str, code: str, now: datetime) -> Account:
        """Return the account of a name, its password and a one-time code that was not used yet.

        Raises
        ------
        SignInRefused
            If one of them is wrong, or the account is locked or disabled.
        """
        self._require_password(name, password, now)
        self.sign(name, code, now)
        account = self.find(name)
        assert account is not None
        with self._transaction():
            self._db.execute("UPDATE account SET failures = 0 WHERE name = ?", (name,))
        return account

    def sign(self, name: str, code: str, now: datetime) -> None:
        """Use up a one-time code of an account, as for a signature.

        Raises
        ------
        SignInRefused
            If the code is wrong or was used, or the account is locked or disabled.
        """
        with self._transaction():
            row = self._db.execute(
                "SELECT salt, last_step, locked_until FROM account "
                "WHERE name = ? AND disabled_at IS NULL",
                (name,),
            ).fetchone()
            step = None
            if row is not None and row[2] <= now.timestamp():
                step = self._step_of(row[0], code, now, after=row[1])
            if step is not None:
                self._db.execute("UPDATE account SET last_step = ? WHERE name = ?", (step, name))
        if step is None:
            self._fail(name, now)
            msg = f"sign-in of {name!r}: the one-time code must be current and unused"
            raise SignInRefused(msg)

    def _require_password(self, name: str, password: str, now: datetime) -> None:
        row = self._db.execute(
            "SELECT password, locked_until FROM account WHERE name = ? AND disabled_at IS NULL",
            (name,),
        ).fetchone()
        try:
            self._hasher.verify(self._nobody if row is None else row[0], password)
            matches = row is not None
        except (VerificationError, InvalidHashError):
            matches = False
        if row is not None and row[1] > now.timestamp():
            msg = f"sign-in of {name!r}: the account must not be locked; it is, after failures"
            raise SignInRefused(msg)
        if not matches:
            self._fail(name, now)
            msg = f"sign-in of {name!r}: name and password must match an account in use"
            raise SignInRefused(msg)

    def _fail(self, name: str, now: datetime) -> None:
        """Count a failure; the last one that is allowed locks the account."""
        with self._transaction():
            self._db.execute("UPDATE account SET failures = failures + 1 WHERE name = ?", (name,))
            self._db.execute(
                "UPDATE account SET failures = 0, locked_until = ? "
                "WHERE name = ? AND failures >= ?",
                ((now + _LOCKED).timestamp(), name, _MOST_FAILURES),
            )

    def _codes(self, salt: bytes) -> pyotp.TOTP:
        secret = hmac.new(self._key, b"one-time codes\x00" + salt, sha256).digest()[:20]
        return pyotp.TOTP(base64.b32encode(secret).decode(), interval=_STEP_SECONDS)

    def _step_of(self, salt: bytes, code: str, now: datetime, *, after: int) -> int | None:
        """Return the time step of a code, of now or one beside it, if it is after the last used."""
        codes, current = self._codes(salt), int(now.timestamp()) // _STEP_SECONDS
        for step in (current - 1, current, current + 1):
            if step > after and hmac.compare_digest(
                codes.at(step * _STEP_SECONDS).encode(), code.strip().replace(" ", "").encode()
            ):
                return step
        return None


def _require_name(name: str) -> None:
    if not name.strip() or name != name.strip() or len(name) > 200 or not name.isprintable():
        msg = f"account: the name must be printable, of at most 200 characters; got {name!r}"
        raise InputError(msg)


def _account(
    name: str, tier: str, scopes: str, made_at: float, disabled_at: float | None
) -> Account:
    return Account(
        name,
        Tier(tier),
        frozenset(Scope(scope) for scope in scopes.split()),
        datetime.fromtimestamp(made_at, UTC),
        None if disabled_at is None else datetime.fromtimestamp(disabled_at, UTC),
    )
