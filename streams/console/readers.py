"""What each reader of the desk has signed off, and their saved views, in an SQLite file."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from streams.delivery.sqlite_file import Database, Layout

__all__ = ["SEEN", "Reader", "Readers", "SeenRevision"]

SEEN = pl.Schema({"key": pl.String, "seen": pl.Int64})
"""Signals that a reader signed off, and the revision seen of each."""
_TABLES = """
CREATE TABLE IF NOT EXISTS reader (
    name TEXT PRIMARY KEY, known_until TEXT NOT NULL, signed_until TEXT NOT NULL,
    signatures INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (
    reader TEXT NOT NULL, tier TEXT NOT NULL, signal TEXT NOT NULL, revision INTEGER NOT NULL,
    PRIMARY KEY (reader, tier, signal)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS saved_view (
    reader TEXT NOT NULL, name TEXT NOT NULL, query TEXT NOT NULL, PRIMARY KEY (reader, name)
) WITHOUT ROWID;
"""
_LAYOUT = Layout("a file of readers", 1, _TABLES)


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader who has signed off.

    Attributes
    ----------
    known_until
        Revisions evaluated up to this day count as known, of signals that were never signed off.
    signed_until
        Last day that was closed when the reader signed off last.
    signatures
        Number of sign-offs.
    """

    known_until: date
    signed_until: date
    signatures: int


@dataclass(frozen=True, slots=True)
class SeenRevision:
    """A revision that a reader has seen."""

    signal_key: str
    revision: int


class Readers(Database):
    """Sign-offs and saved views by reader; any number of readers.

    Parameters
    ----------
    path
        The file; created if missing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _LAYOUT)

    def find(self, name: str) -> Reader | None:
        """Return a reader; None before the first sign-off."""
        row = self._db.execute(
            "SELECT known_until, signed_until, signatures FROM reader WHERE name = ?", (name,)
        ).fetchone()
        if row is None:
            return None
        return Reader(date.fromisoformat(row[0]), date.fromisoformat(row[1]), int(row[2]))

    def sign_off(
        self,
        name: str,
        tier: str,
        seen: Iterable[SeenRevision],
        *,
        known_until: date,
        signed_until: date,
    ) -> None:
        """Store the revisions that a reader has seen; of each signal the latest one is kept.

        Parameters
        ----------
        tier
            The tier whose revisions were seen: each tier has numbers of its own.
        known_until
            For the first sign-off of a reader; later ones keep it.
        signed_until
            Last day that is closed.
        """
        with self._transaction():
            self._db.execute(
                "INSERT INTO reader VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET "
                "signed_until = excluded.signed_until, signatures = signatures + 1",
                (name, known_until.isoformat(), signed_until.isoformat()),
            )
            self._db.executemany(
                "INSERT INTO seen VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "revision = MAX(revision, excluded.revision)",
                [(name, tier, one.signal_key, one.revision) for one in seen],
            )

    def seen(self, name: str, tier: str) -> pl.DataFrame:
        """Return `SEEN` of a reader."""
        rows = self._db.execute(
            "SELECT signal, revision FROM seen WHERE reader = ? AND tier = ?", (name, tier)
        ).fetchall()
        return pl.DataFrame(rows, schema=SEEN, orient="row")

    def save_view(self, name: str, view: str, query: str) -> None:
        """Save a view under a name; one of the same name is replaced."""
        self._db.execute(
            "INSERT INTO saved_view VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
            "query = excluded.query",
            (name, view, query),
        )

    def delete_view(self, name: str, view: str) -> None:
        """Delete a saved view, if there is one."""
        self._db.execute("DELETE FROM saved_view WHERE reader = ? AND name = ?", (name, view))

    def views(self, name: str) -> dict[str, str]:
        """Return the queries of a reader's saved views by their names, sorted."""
        return dict(
            self._db.execute(
                "SELECT name, query FROM saved_view WHERE reader = ? ORDER BY name", (name,)
            ).fetchall()
        )
