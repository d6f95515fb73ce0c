"""The file that the outbox and the tokens live in: its tables, and their formats."""

from pathlib import Path

from streams.delivery.sqlite_file import Database, Layout

__all__ = ["Ledger"]

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
