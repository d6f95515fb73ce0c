"""A file of SQLite in a format of ours: opened or refused, its transactions."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from schemas.errors import StateError

__all__ = ["Database", "Layout", "Ledger"]


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file of one kind holds.

    Attributes
    ----------
    kind
        What it is, with its article; errors say so.
    version
        Number of its format, as SQLite's `user_version`; 0 is an empty file.
    tables
        Statements that make what is missing.
    upgrades
        Statements to run before those, by the earlier format that they begin at.
    synchronous
        SQLite's setting: ``FULL`` keeps every transaction through a power cut.
    remedy
        What to do about one that is refused; errors end with it.
    """

    kind: str
    version: int
    tables: str
    upgrades: Mapping[int, str] = field(default_factory=dict)
    synchronous: str = "FULL"
    remedy: str = ""


class Database:
    """One file; several processes may have it open.

    Parameters
    ----------
    path
        The file; made if missing, for its owner alone to read.
    layout
        What it holds.

    Raises
    ------
    StateError
        If the file is none of this layout, or of a format that is not known. It is not open then.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        try:
            with ExitStack() as refused:
                self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
                refused.callback(self._db.close)
                self._prepare(path, layout)
                refused.pop_all()
        except sqlite3.DatabaseError as error:
            msg = f"{path}: must be {layout.kind} of Tocsin; got {error}{layout.remedy}"
            raise StateError(msg) from error

    def _prepare(self, path: Path, layout: Layout) -> None:
        self._db.execute(f"PRAGMA synchronous = {layout.synchronous}")
        (held,) = self._db.execute("PRAGMA user_version").fetchone()
        if held == layout.version:
            return
        if held and held not in layout.upgrades:
            msg = f"{path}: must be of format {layout.version}; got {held}{layout.remedy}"
            raise StateError(msg)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(
            f"BEGIN IMMEDIATE; {layout.upgrades.get(held, '')} {layout.tables} "
            f"PRAGMA user_version = {layout.version}; COMMIT;"
        )
        if Path(path).is_file():  # not one in memory
            Path(path).chmod(0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

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
_LAYOUT = Layout("an outbox", 2, _TABLES, upgrades={1: _FROM_1})


class Ledger(Database):
    """What is due to subscribers, and their tokens; parameters and errors as of `Database`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _LAYOUT)
