"""The file that the outbox and the tokens live in: its tables, their formats, transactions."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from schemas.errors import StateError
from streams.runtime.closable import Closable

__all__ = ["Ledger"]

_FORMAT = 2
_TABLES = """
CREATE TABLE IF NOT EXISTS subscription (
    id TEXT PRIMARY KEY, body TEXT NOT NULL, resting TEXT, failures INTEGER NOT NULL DEFAULT 0,
    next_at REAL
);
CREATE TABLE IF NOT EXISTS told (
    subscription TEXT NOT NULL, signal TEXT NOT NULL, urgent INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (subscription, signal)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS due (
    number INTEGER PRIMARY KEY AUTOINCREMENT, subscription TEXT NOT NULL, signal TEXT NOT NULL,
    alert_id TEXT NOT NULL, body TEXT NOT NULL, delivered_at REAL,
    turn INTEGER, lane INTEGER NOT NULL DEFAULT 1, day TEXT, held_until REAL, because TEXT,
    bundle INTEGER, UNIQUE (subscription, alert_id)
);
CREATE TABLE IF NOT EXISTS place (source TEXT PRIMARY KEY, next INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS token (
    id TEXT PRIMARY KEY, hash TEXT NOT NULL, subscriber TEXT NOT NULL, tier TEXT NOT NULL,
    scopes TEXT NOT NULL, made_at REAL NOT NULL, revoked_at REAL
);
CREATE INDEX IF NOT EXISTS due_queue ON due (subscription, delivered_at, lane, turn);
CREATE INDEX IF NOT EXISTS due_turn ON due (turn);
CREATE INDEX IF NOT EXISTS due_day ON due (day);
CREATE INDEX IF NOT EXISTS due_bundle ON due (bundle);
"""
_FROM_1 = """
ALTER TABLE told ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE due ADD COLUMN turn INTEGER;
ALTER TABLE due ADD COLUMN lane INTEGER NOT NULL DEFAULT 1;
ALTER TABLE due ADD COLUMN day TEXT;
ALTER TABLE due ADD COLUMN held_until REAL;
ALTER TABLE due ADD COLUMN because TEXT;
ALTER TABLE due ADD COLUMN bundle INTEGER;
UPDATE due SET turn = number;
DROP INDEX due_next;
"""


class Ledger(Closable):
    """One SQLite file; several processes may have it open.

    Parameters
    ----------
    path
        The file; made if missing, for its owner alone to read.

    Raises
    ------
    StateError
        If the file is no outbox, or of a later format.
    """

    def __init__(self, path: Path) -> None:
        try:
            with ExitStack() as refused:
                self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
                refused.callback(self._db.close)
                self._db.execute("PRAGMA synchronous = FULL")
                (held,) = self._db.execute("PRAGMA user_version").fetchone()
                if held not in range(_FORMAT + 1):
                    msg = f"outbox {path}: must be of format {_FORMAT}; got {held}"
                    raise StateError(msg)
                if held < _FORMAT:
                    self._db.execute("PRAGMA journal_mode = WAL")
                    upgrade = _FROM_1 if held == 1 else ""
                    self._db.executescript(
                        f"BEGIN IMMEDIATE; {upgrade} {_TABLES} "
                        f"PRAGMA user_version = {_FORMAT}; COMMIT;"
                    )
                    if Path(path).is_file():  # not one in memory
                        Path(path).chmod(0o600)
                refused.pop_all()
        except sqlite3.DatabaseError as error:
            msg = f"outbox {path}: must be an outbox of Tocsin; got {error}"
            raise StateError(msg) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
