"""Read model of the API: alerts and line listings in a file that can be rebuilt."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from schemas.case_line import CaseLine
from schemas.errors import InputError
from schemas.report import Report
from schemas.subscription import Tier
from streams.delivery.alert_sources import AnyAlert, parse_alert
from streams.delivery.api.line_listing import VERSION_TABLE, CaseVersions, KnownVersion
from streams.delivery.matching import fading_of, rank_of, rank_on
from streams.delivery.sqlite_file import Database, Layout
from streams.delivery.tier_copies import PUBLIC_TABLES, TierCopies, known_day
from streams.delivery.tiers import Copy

__all__ = ["Page", "ReadModel", "SignalSort"]

_TABLES = """
CREATE TABLE IF NOT EXISTS copy (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, tier TEXT NOT NULL, alert_id TEXT NOT NULL,
    signal TEXT NOT NULL, revision INTEGER NOT NULL, day TEXT NOT NULL, latest INTEGER NOT NULL,
    priority REAL NOT NULL, fading TEXT, due TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (tier, alert_id)
);
CREATE INDEX IF NOT EXISTS copy_signal ON copy (tier, signal, revision);
CREATE INDEX IF NOT EXISTS copy_latest ON copy (tier, latest, signal);
CREATE INDEX IF NOT EXISTS copy_due ON copy (tier, latest, due);
CREATE INDEX IF NOT EXISTS copy_day ON copy (tier, day);
CREATE TABLE IF NOT EXISTS place (source TEXT PRIMARY KEY, next INTEGER NOT NULL);
"""
# It is rebuilt: of format 2 and 3 with the copies of every tier, of 4 with all versions of cases.
_REBUILT = "DROP TABLE alert; DROP TABLE line; DROP TABLE place;"
_REREAD = (
    "DROP TABLE copy; DROP TABLE line; DROP TABLE place; DROP TABLE public_series; "
    "DROP TABLE public_part;"
)
_LAYOUT = Layout(
    "a read model",
    5,
    _TABLES + VERSION_TABLE + PUBLIC_TABLES,
    upgrades={2: _REBUILT, 3: _REBUILT, 4: _REREAD},
    synchronous="NORMAL",  # transactions lost in a power cut are read again
    remedy=": delete it, and it is rebuilt",
)
_MOST_SCANNED = 2_000  # signals read per page, whatever the filter; the next page continues


class SignalSort(StrEnum):
    """Order of a list of signals."""

    KEY = "key"
    PRIORITY = "priority"  # the highest first; those without one last
    DUE = "due"  # the earliest first; those without one last
    CHANGED = "changed"  # the latest published revision first


@dataclass(frozen=True, slots=True)
class Page:
    """A page of signals.

    Attributes
    ----------
    copies
        The latest revision of each: the copy for the tier.
    after
        Where to continue, by the names that the tier knows; None on the last page.
    """

    copies: tuple[Copy, ...]
    after: str | None


class ReadModel(Database):
    """The copies of alerts for each tier, and line listings.

    All that a tier asks is answered from its own copies, which are made once, when the alert is
    read. Tiers below authority know lots and makers by codes only: a lookup by a true name finds
    nothing, so that guesses are not confirmed.

    Parameters
    ----------
    path
        The file; created if missing. If it is deleted, it is rebuilt from its sources.
    key
        The installation's secret, for `streams.delivery.tier_copies.TierCopies`.

    Raises
    ------
    StateError
        If it is not of this format; delete it.
    """

    def __init__(self, path: Path, *, key: bytes) -> None:
        super().__init__(path, _LAYOUT)
        self._copies = TierCopies(self._db, key=key)
        self._versions = CaseVersions(self._db)
        self._db.create_function("rank_today", 3, _rank_today, deterministic=True)

    def put(self, alert: AnyAlert, *, source: str, position: int) -> None:
        """Store an alert revision; a known one changes nothing."""

        def store() -> None:
            for tier in Tier:
                for copy in self._copies.of(tier, alert):
                    self._store(tier, copy, known_day(tier, alert.evaluated_on))

        self._once(source, position, store)

    def _store(self, tier: Tier, copy: Copy, day: date) -> None:
        self._db.execute(
            "INSERT OR IGNORE INTO copy (tier, alert_id, signal, revision, day, latest, priority, "
            "fading, due, body) VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, ?)",
            (
                tier.value,
                copy["alert_id"],
                copy["signal_key"],
                copy["revision"],
                day.isoformat(),
                rank_of(copy),
                None if (fading := fading_of(copy)) is None else json.dumps(fading),
                copy.get("due") or _NO_DAY,
                json.dumps(copy),
            ),
        )
        self._db.execute(
            "UPDATE copy SET latest = (revision = (SELECT MAX(revision) FROM copy AS other "
            "WHERE other.tier = copy.tier AND other.signal = copy.signal)) "
            "WHERE tier = ? AND signal = ?",
            (tier.value, copy["signal_key"]),
        )

    def put_report(self, report: Report, *, source: str, position: int) -> None:
        """Store a version of a case, in any order; the latest one is listed."""
        self._once(
            source,
            position,
            lambda: self._versions.put(report, source=source, position=position),
        )

    def skip(self, *, source: str, position: int) -> None:
        """Advance past a message that is not stored."""
        self._once(source, position, lambda: None)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Store the messages of the body in one transaction: all of them or none."""
        with self._transaction():
            yield

    def place(self, source: str) -> int:
        """Return the next position to read of a source."""
        row = self._db.execute("SELECT next FROM place WHERE source = ?", (source,)).fetchone()
        return 0 if row is None else int(row[0])

    def signals(
        self,
        tier: Tier,
        *,
        after: str,
        most: int,
        wanted: Callable[[Copy], bool],
        today: date,
        sort: SignalSort = SignalSort.KEY,
    ) -> Page:
        """Return a page of the latest revisions of signals that a tier may see, in an order.

        Parameters
        ----------
        after
            `Page.after` of the page before, in the same order; empty for the first page. By key it
            is a key. In another order it is the id of a revision, so that the page continues there
            even if that signal was revised since.
        today
            Day that the order of priority is of: it falls as a signal ages.

        Raises
        ------
        InputError
            If it must be the id of a revision and the tier knows none of it.
        """
        begin, values = self._begin(tier, after, sort, today)
        rows = self._db.execute(
            f"SELECT {'signal' if sort is SignalSort.KEY else 'alert_id'}, body, "
            "rank_today(priority, fading, ?) AS rank FROM copy "
            f"WHERE tier = ? AND latest = 1 AND {begin} ORDER BY {_ORDERS[sort]} LIMIT ?",
            (today.isoformat(), tier.value, *values, _MOST_SCANNED + 1),
        )
        found: list[Copy] = []
        last = after
        for scanned, (cursor, body, _) in enumerate(rows):
            if len(found) == most or scanned == _MOST_SCANNED:
                return Page(tuple(found), last)
            copy = json.loads(body)
            if wanted(copy):
                found.append(copy)
            last = cursor
        return Page(tuple(found), None)

    def keys(self, tier: Tier, *, begins: str = "") -> list[str]:
        """Return the keys of the signals that a tier may see, as it knows them.

        Parameters
        ----------
        begins
            Text that the keys begin with; by default all are returned.
        """
        rows = self._db.execute(
            "SELECT signal FROM copy WHERE tier = ? AND latest = 1 AND signal >= ? AND signal < ?",
            (tier.value, begins, begins + "\U0010ffff"),
        )
        return [key for (key,) in rows]

    def _begin(
        self, tier: Tier, after: str, sort: SignalSort, today: date
    ) -> tuple[str, tuple[object, ...]]:
        """Return the SQL condition of the rows after a cursor, and its values."""
        if sort is SignalSort.KEY:
            return "signal > ?", (after,)
        if not after:
            return "1", ()
        row = self._db.execute(
            "SELECT sequence, rank_today(priority, fading, ?), due, signal FROM copy "
            "WHERE tier = ? AND alert_id = ?",
            (today.isoformat(), tier.value, after),
        ).fetchone()
        if row is None:
            msg = "after: must be `next` of a page in the same order; got an id that is not known"
            raise InputError(msg)
        sequence, rank, due, key = row
        if sort is SignalSort.CHANGED:
            return "sequence < ?", (sequence,)
        column, value = ("rank", rank) if sort is SignalSort.PRIORITY else ("due", due)
        return f"({column}, signal) > (?, ?)", (value, key)

    def revisions(self, tier: Tier, signal_key: str) -> list[Copy]:
        """Return the revisions of a signal, in order; none if its key is unknown to the tier."""
        return [json.loads(body) for body in self._bodies(tier, signal_key)]

    def alerts_of(self, signal_key: str) -> list[AnyAlert]:
        """Return the revisions of a signal as the authority's alerts, in order."""
        bodies = self._bodies(Tier.AUTHORITY, signal_key)
        return [parse_alert(body.encode(), "read model") for body in bodies]

    def _bodies(self, tier: Tier, signal_key: str) -> list[str]:
        rows = self._db.execute(
            "SELECT body FROM copy WHERE tier = ? AND signal = ? ORDER BY revision",
            (tier.value, signal_key),
        )
        return [body for (body,) in rows]

    def alert(self, tier: Tier, alert_id: str) -> Copy | None:
        """Return a revision by its id in the copies of a tier."""
        row = self._db.execute(
            "SELECT body FROM copy WHERE tier = ? AND alert_id = ?", (tier.value, alert_id)
        ).fetchone()
        return None if row is None else json.loads(row[0])

    def latest_day(self) -> date | None:
        """Return the latest day of evaluation of an alert; None without one."""
        return self._day("SELECT MAX(day) FROM copy WHERE tier = ?", Tier.AUTHORITY)

    def first_day(self, tier: Tier) -> date | None:
        """Return the earliest day of evaluation of a copy, as its tier knows days."""
        return self._day("SELECT MIN(day) FROM copy WHERE tier = ?", tier)

    def last_position(self) -> int:
        """Return the position of the last alert; 0 without one."""
        (last,) = self._db.execute("SELECT COALESCE(MAX(sequence), 0) FROM copy").fetchone()
        return int(last)

    def between(self, tier: Tier, after: int, last: int, *, since: date) -> Iterator[Copy]:
        """Yield the copies after a position up to another, in order, evaluated after a day."""
        for (body,) in self._db.execute(
            "SELECT body FROM copy WHERE tier = ? AND sequence > ? AND sequence <= ? AND day > ? "
            "ORDER BY sequence",
            (tier.value, after, last, since.isoformat()),
        ):
            yield json.loads(body)

    def latest_after(self, tier: Tier, position: int) -> Iterator[tuple[int, date, Copy]]:
        """Yield position, day and copy of the latest revisions after a position, in order."""
        # By position alone: the plus keeps SQLite from an index of all signals.
        for sequence, day, body in self._db.execute(
            "SELECT sequence, day, body FROM copy WHERE sequence > ? AND +tier = ? AND +latest = 1 "
            "ORDER BY sequence",
            (position, tier.value),
        ):
            yield sequence, date.fromisoformat(day), json.loads(body)

    def changed_after(self, tier: Tier, position: int) -> list[tuple[int, str]]:
        """Return position and signal of the revisions after a position, in order."""
        rows = self._db.execute(
            "SELECT sequence, signal FROM copy WHERE sequence > ? AND +tier = ? ORDER BY sequence",
            (position, tier.value),
        )
        return [(int(sequence), str(signal)) for sequence, signal in rows]

    def latest(self, tier: Tier, signal_key: str) -> Copy | None:
        """Return the latest revision of a signal; None if its key is unknown to the tier."""
        return self._one(tier, signal_key, "?", 1)

    def revision(self, tier: Tier, signal_key: str, revision: int) -> Copy | None:
        """Return a revision of a signal; None if there is none of that number."""
        return self._one(tier, signal_key, "revision = ?", revision)

    def revision_on(self, tier: Tier, signal_key: str, day: date) -> Copy | None:
        """Return the last revision evaluated up to a day; None if the first is later."""
        return self._one(tier, signal_key, "day <= ?", day.isoformat())

    def _one(self, tier: Tier, signal_key: str, which: str, value: object) -> Copy | None:
        row = self._db.execute(
            # By signal: without statistics SQLite may choose an index of many signals.
            "SELECT body FROM copy INDEXED BY copy_signal WHERE tier = ? AND signal = ? "
            f"AND {which} ORDER BY revision DESC LIMIT 1",
            (tier.value, signal_key, value),
        ).fetchone()
        return None if row is None else json.loads(row[0])

    def last_seen(self, tier: Tier, position: int) -> str | None:
        """Return the id of the last copy of a tier up to a position."""
        row = self._db.execute(
            "SELECT alert_id FROM copy WHERE tier = ? AND sequence <= ? "
            "ORDER BY sequence DESC LIMIT 1",
            (tier.value, position),
        ).fetchone()
        return None if row is None else str(row[0])

    def place_of(self, tier: Tier, alert_id: str) -> tuple[int, date] | None:
        """Return position and day of evaluation of a copy; None if the tier knows none of it."""
        row = self._db.execute(
            "SELECT sequence, day FROM copy WHERE tier = ? AND alert_id = ?",
            (tier.value, alert_id),
        ).fetchone()
        return None if row is None else (int(row[0]), date.fromisoformat(row[1]))

    def _day(self, query: str, tier: Tier) -> date | None:
        (day,) = self._db.execute(query, (tier.value,)).fetchone()
        return None if day is None else date.fromisoformat(day)

    def lines(self, case_ids: Sequence[str]) -> list[CaseLine]:
        """Return the lines of the known cases among some ids."""
        found = [list(self._versions.of(case_id)) for case_id in case_ids]
        return [versions[-1].line for versions in found if versions]

    def versions(
        self, case_ids: Iterable[str], *, before: Mapping[str, int] | None = None
    ) -> list[KnownVersion]:
        """Return the versions of cases, of each the current one last.

        Parameters
        ----------
        before
            First position that is not known yet, by source; by default all is known.
        """
        return [version for case_id in case_ids for version in self._versions.of(case_id, before)]

    def numbers(self) -> dict[str, int]:
        """Return the numbers of stored alerts, signals and cases."""
        (alerts, signals) = self._db.execute(
            "SELECT COUNT(*), SUM(latest) FROM copy WHERE tier = ?", (Tier.AUTHORITY.value,)
        ).fetchone()
        return {"alerts": alerts, "signals": signals or 0, "cases": self._versions.n_cases()}

    def _once(self, source: str, position: int, store: Callable[[], None]) -> None:
        with nullcontext() if self._db.in_transaction else self.batch():
            if position < self.place(source):
                return
            store()
            self._db.execute(
                "INSERT INTO place VALUES (?, ?) ON CONFLICT DO UPDATE SET next = excluded.next",
                (source, position + 1),
            )


def _rank_today(published: float, fading: str | None, day: str) -> float:
    """Return the rank of a revision on a day, as a function of SQL."""
    return published if fading is None else rank_on(json.loads(fading), date.fromisoformat(day))


_ORDERS = {
    SignalSort.KEY: "signal",
    SignalSort.PRIORITY: "rank, signal",
    SignalSort.DUE: "due, signal",
    SignalSort.CHANGED: "sequence DESC",
}
_NO_DAY = "9999-12-31"  # after every day that is due
