"""SQLite files with a format version: opening, upgrades and transactions."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from schemas.errors import StateError
from streams.delivery.tier_copies import PUBLIC_TABLES
from streams.runtime.owner_only import owner_only_file

__all__ = ["Database", "Layout", "Ledger"]


@dataclass(frozen=True, slots=True)
class Layout:
    """Format of a file: its tables, version and upgrades.

    Attributes
    ----------
    kind
        Name of the format with its article, for error messages.
    version
        Number of the format, stored as SQLite's `user_version`; 0 is an empty file.
    tables
        Statements that create missing tables and indexes.
    upgrades
        Statements to run before `tables`, by the earlier format that they upgrade.
    synchronous
        SQLite's setting: with ``FULL`` every transaction survives a power cut.
    remedy
        Advice for a refused file, appended to the error message.
    """

    kind: str
    version: int
    tables: str
    upgrades: Mapping[int, str] = field(default_factory=dict)
    synchronous: str = "FULL"
    remedy: str = ""


class Database:
    """An SQLite file; several processes may open it.

    Parameters
    ----------
    path
        The file; created if missing, readable by its owner only.
    layout
        Its expected format.

    Raises
    ------
    StateError
        If the file is not of this layout, or of an unknown format; it is closed again.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        if str(path) != ":memory:":
            owner_only_file(Path(path))  # as are SQLite's own files beside it
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
        (current,) = self._db.execute("PRAGMA user_version").fetchone()
        if current == layout.version:
            return
        if current and current not in layout.upgrades:
            msg = f"{path}: must be of format {layout.version}; got {current}{layout.remedy}"
            raise StateError(msg)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(
            f"BEGIN IMMEDIATE; {layout.upgrades.get(current, '')} {layout.tables} "
            f"PRAGMA user_version = {layout.version}; COMMIT;"
        )

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
    next_at REAL, made_by TEXT
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
CREATE TABLE IF NOT EXISTS put_time (number INTEGER PRIMARY KEY, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS answer (
    subscription TEXT PRIMARY KEY, at REAL NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS due_queue ON due (subscription, delivered_at, lane, turn);
CREATE INDEX IF NOT EXISTS due_turn ON due (turn);
CREATE INDEX IF NOT EXISTS due_subscription_day ON due (subscription, day);
CREATE INDEX IF NOT EXISTS due_stream ON due (subscription, turn);
CREATE INDEX IF NOT EXISTS due_part ON due (bundle) WHERE bundle IS NOT NULL;
CREATE INDEX IF NOT EXISTS due_held ON due (held_until) WHERE held_until IS NOT NULL;
CREATE INDEX IF NOT EXISTS due_unqueued ON due (subscription, signal)
    WHERE turn IS NULL AND bundle IS NULL AND delivered_at IS NULL;
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
# Signals have the keys of the subscriber's copies; what the public was sent is not known in bands.
_SIGNALS_FROM_2 = f"""
{PUBLIC_TABLES}
INSERT INTO public_series SELECT json_extract(due.body, '$.signal_key'),
    MAX(json_extract(due.body, '$.revision')), ''
    FROM due JOIN subscription ON subscription.id = due.subscription
    WHERE due.signal NOT IN ('', 'rules') AND json_extract(subscription.body, '$.tier') = 'public'
    GROUP BY 1;
INSERT OR IGNORE INTO told SELECT due.subscription, json_extract(due.body, '$.signal_key'),
    told.urgent FROM due JOIN told USING (subscription, signal)
    WHERE due.signal NOT IN ('', 'rules');
UPDATE due SET signal = json_extract(body, '$.signal_key') WHERE signal NOT IN ('', 'rules');
"""
# Keys of subscriptions: subscriber, U+001F, name; see `subscription_status.key_of`.
_KEYS_FROM_2 = """
ALTER TABLE subscription ADD COLUMN made_by TEXT;
UPDATE due SET subscription = (
    SELECT json_extract(subscription.body, '$.subscriber') FROM subscription
    WHERE subscription.id = due.subscription
    ) || char(31) || subscription
    WHERE subscription IN (SELECT id FROM subscription);
UPDATE told SET subscription = (
    SELECT json_extract(subscription.body, '$.subscriber') FROM subscription
    WHERE subscription.id = told.subscription
    ) || char(31) || subscription
    WHERE subscription IN (SELECT id FROM subscription);
DROP INDEX IF EXISTS due_day;
DROP INDEX IF EXISTS due_bundle;
UPDATE subscription SET id = json_extract(body, '$.subscriber') || char(31) || id;
"""
_FROM_2 = _SIGNALS_FROM_2 + _KEYS_FROM_2
_LAYOUT = Layout(
    "an outbox",
    4,
    _TABLES + PUBLIC_TABLES,
    upgrades={1: _FROM_1 + _FROM_2, 2: _FROM_2, 3: ""},  # from 3 on: two more tables
)


class Ledger(Database):
    """File of the outbox and of API tokens; parameters and errors as for `Database`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _LAYOUT)
