"""Who signed in and who saw what: rows that are added and never changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from streams.delivery.sqlite_file import Database, Layout

__all__ = ["Visit", "VisitKind", "VisitLog"]

_TABLES = """
CREATE TABLE IF NOT EXISTS visit (
    number INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, kind TEXT NOT NULL,
    reader TEXT NOT NULL, tier TEXT NOT NULL, subject TEXT NOT NULL, client TEXT NOT NULL
);
CREATE TRIGGER IF NOT EXISTS visit_stays BEFORE UPDATE ON visit
BEGIN SELECT RAISE(ABORT, 'a visit is never changed'); END;
CREATE TRIGGER IF NOT EXISTS visit_remains BEFORE DELETE ON visit
BEGIN SELECT RAISE(ABORT, 'a visit is never removed'); END;
"""
_LAYOUT = Layout("a log of visits", 1, _TABLES, synchronous="NORMAL")


class VisitKind(StrEnum):
    """What a reader did."""

    SIGNED_IN = "signed_in"
    SIGNED_OUT = "signed_out"
    REFUSED = "refused"
    SESSION_ENDED = "session_ended"
    VIEWED = "viewed"
    CHANGED = "changed"  # a subscription, a delivery or a reject; decisions have their own log


@dataclass(frozen=True, slots=True)
class Visit:
    """One row.

    Attributes
    ----------
    subject
        Address of the page, or the reason of a refusal.
    client
        Address that the request came from.
    """

    number: int
    at: datetime
    kind: VisitKind
    reader: str
    tier: str
    subject: str
    client: str


class VisitLog(Database):
    """Log of visits in an SQLite file.

    Parameters
    ----------
    path
        The file; created if missing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _LAYOUT)

    def add(
        self, kind: VisitKind, *, at: datetime, reader: str, tier: str, subject: str, client: str
    ) -> None:
        """Add a row."""
        self._db.execute(
            "INSERT INTO visit (at, kind, reader, tier, subject, client) VALUES (?, ?, ?, ?, ?, ?)",
            (at.timestamp(), kind.value, reader, tier, subject[:2000], client),
        )

    def latest(
        self,
        most: int,
        *,
        before: int | None = None,
        reader: str | None = None,
        kind: VisitKind | None = None,
        about: str = "",
    ) -> Iterator[Visit]:
        """Yield the latest rows, those of smaller numbers than `before`, the latest first.

        Parameters
        ----------
        reader, kind
            Only rows of this reader, and of this kind.
        about
            Only rows with this text in their subject.
        """
        for number, at, kind_name, *rest in self._db.execute(
            "SELECT number, at, kind, reader, tier, subject, client FROM visit "
            "WHERE number < ?1 AND (?2 IS NULL OR reader = ?2) AND (?3 IS NULL OR kind = ?3) "
            "AND instr(subject, ?4) > 0 ORDER BY number DESC LIMIT ?5",
            (before or 2**62, reader, kind, about, most),
        ):
            yield Visit(number, datetime.fromtimestamp(at, UTC), VisitKind(kind_name), *rest)
