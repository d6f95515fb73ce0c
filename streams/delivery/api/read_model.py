"""Read model of the API: alerts and line listings in a file that can be rebuilt."""

from collections.abc import Callable, Iterator, Sequence
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
from streams.delivery.api.line_listing import case_line
from streams.delivery.matching import rank_of
from streams.delivery.sqlite_file import Database, Layout
from streams.delivery.tiers import copy_for, is_correction_only, is_hidden

__all__ = ["Page", "ReadModel", "SignalSort"]

_TABLES = """
CREATE TABLE IF NOT EXISTS alert (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, alert_id TEXT NOT NULL UNIQUE,
    coded_id TEXT NOT NULL UNIQUE, signal TEXT NOT NULL, coded_signal TEXT NOT NULL,
    revision INTEGER NOT NULL, lowest_tier INTEGER NOT NULL, day TEXT NOT NULL,
    latest INTEGER NOT NULL, priority REAL NOT NULL, due TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS alert_signal ON alert (signal, revision);
CREATE INDEX IF NOT EXISTS alert_coded ON alert (coded_signal, revision);
CREATE INDEX IF NOT EXISTS alert_latest ON alert (latest, signal);
CREATE INDEX IF NOT EXISTS alert_latest_coded ON alert (latest, coded_signal);
CREATE INDEX IF NOT EXISTS alert_priority ON alert (latest, priority);
CREATE INDEX IF NOT EXISTS alert_due ON alert (latest, due);
CREATE INDEX IF NOT EXISTS alert_day ON alert (day);
CREATE TABLE IF NOT EXISTS line (
    case_id TEXT PRIMARY KEY, version INTEGER NOT NULL, received TEXT NOT NULL,
    nullified INTEGER NOT NULL, message TEXT NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS place (source TEXT PRIMARY KEY, next INTEGER NOT NULL);
"""
_FROM_2 = "DROP TABLE alert; DROP TABLE line; DROP TABLE place;"  # it is rebuilt
_LAYOUT = Layout(
    "a read model",
    3,
    _TABLES,
    upgrades={2: _FROM_2},
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
    alerts
        The latest revision of each.
    after
        Where to continue, by the names that the tier knows; None on the last page.
    """

    alerts: tuple[AnyAlert, ...]
    after: str | None


class ReadModel(Database):
    """Alerts and line listings, by the names that each tier knows.

    Tiers below authority know lots and makers by codes only: a lookup by a true name finds nothing,
    so that guesses are not confirmed.

    Parameters
    ----------
    path
        The file; created if missing. If it is deleted, it is rebuilt from its sources.
    key
        The installation's secret, for `streams.delivery.tiers.copy_for`.

    Raises
    ------
    StateError
        If it is not of this format; delete it.
    """

    def __init__(self, path: Path, *, key: bytes) -> None:
        super().__init__(path, _LAYOUT)
        self._key = key

    def put(self, alert: AnyAlert, *, source: str, position: int) -> None:
        """Store an alert revision; a known one changes nothing."""
        coded = copy_for(Tier.CONSUMER, alert, key=self._key)

        def store() -> None:
            self._db.execute(
                "INSERT OR IGNORE INTO alert (alert_id, coded_id, signal, coded_signal, revision, "
                "lowest_tier, day, latest, priority, due, body) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)",
                (
                    alert.alert_id,
                    coded["alert_id"],
                    alert.signal_key,
                    coded["signal_key"],
                    alert.revision,
                    _lowest_tier(alert),
                    alert.evaluated_on.isoformat(),
                    rank_of(alert),
                    _due_order(alert),
                    alert.model_dump_json(),
                ),
            )
            self._db.execute(
                "UPDATE alert SET latest = (revision = (SELECT MAX(revision) FROM alert AS other "
                "WHERE other.signal = alert.signal)) WHERE signal = ?",
                (alert.signal_key,),
            )

        self._once(source, position, store)

    def put_report(self, report: Report, *, source: str, position: int) -> None:
        """Store a version of a case, in any order; the latest one is listed."""
        line = case_line(report)

        def store() -> None:
            self._db.execute(
                "INSERT INTO line VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "version = excluded.version, received = excluded.received, "
                "nullified = excluded.nullified, message = excluded.message, body = excluded.body "
                "WHERE (excluded.version, excluded.received, excluded.nullified, excluded.message) "
                "> (version, received, nullified, message)",
                (
                    line.case_id,
                    line.version,
                    line.latest_received.isoformat(),
                    line.nullified,
                    report.message_id,
                    line.model_dump_json(),
                ),
            )

        self._once(source, position, store)

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
        wanted: Callable[[AnyAlert], bool],
        sort: SignalSort = SignalSort.KEY,
    ) -> Page:
        """Return a page of the latest revisions of signals that a tier may see, in an order.

        Parameters
        ----------
        after
            `Page.after` of the page before, in the same order; empty for the first page. By key it
            is a key. In another order it is the id of a revision, so that the page continues there
            even if that signal was revised since.

        Raises
        ------
        InputError
            If it must be the id of a revision and the tier knows none of it.
        """
        name, named = _signal_name(tier), _id_name(tier)
        begin, values = self._begin(tier, after, sort)
        rows = self._db.execute(
            f"SELECT {name if sort is SignalSort.KEY else named}, body FROM alert "
            f"WHERE latest = 1 AND {begin} AND {_visible(tier)} "
            f"ORDER BY {_ORDERS[sort].format(name=name)} LIMIT ?",
            (*values, _MOST_SCANNED + 1),
        )
        found: list[AnyAlert] = []
        last = after
        for scanned, (cursor, body) in enumerate(rows):
            if len(found) == most or scanned == _MOST_SCANNED:
                return Page(tuple(found), last)
            alert = parse_alert(body.encode(), "read model")
            if wanted(alert):
                found.append(alert)
            last = cursor
        return Page(tuple(found), None)

    def keys(self, tier: Tier) -> list[str]:
        """Return the keys of all signals that a tier may see, as it knows them."""
        name = _signal_name(tier)
        rows = self._db.execute(f"SELECT {name} FROM alert WHERE latest = 1 AND {_visible(tier)}")
        return [key for (key,) in rows]

    def _begin(self, tier: Tier, after: str, sort: SignalSort) -> tuple[str, tuple[object, ...]]:
        """Return the SQL condition of the rows after a cursor, and its values."""
        name = _signal_name(tier)
        if sort is SignalSort.KEY:
            return f"{name} > ?", (after,)
        if not after:
            return "1", ()
        row = self._db.execute(
            f"SELECT sequence, priority, due, {name} FROM alert "
            f"WHERE {_id_name(tier)} = ? AND {_visible(tier)}",
            (after,),
        ).fetchone()
        if row is None:
            msg = "after: must be `next` of a page in the same order; got an id that is not known"
            raise InputError(msg)
        sequence, priority, due, key = row
        if sort is SignalSort.CHANGED:
            return "sequence < ?", (sequence,)
        column, value = ("priority", priority) if sort is SignalSort.PRIORITY else ("due", due)
        return f"({column}, {name}) > (?, ?)", (value, key)

    def revisions(self, tier: Tier, signal_key: str) -> list[AnyAlert]:
        """Return the revisions of a signal, in order; none if its key is unknown to the tier."""
        name = _signal_name(tier)
        rows = self._db.execute(
            f"SELECT body FROM alert WHERE {name} = ? AND {_visible(tier)} ORDER BY revision",
            (signal_key,),
        )
        return [parse_alert(body.encode(), "read model") for (body,) in rows]

    def alert(self, tier: Tier, alert_id: str) -> AnyAlert | None:
        """Return a revision by its id in the copies of a tier."""
        row = self._db.execute(
            f"SELECT body FROM alert WHERE {_id_name(tier)} = ? AND {_visible(tier)}", (alert_id,)
        ).fetchone()
        return None if row is None else parse_alert(row[0].encode(), "read model")

    def latest_day(self) -> date | None:
        """Return the latest day of evaluation of an alert; None without one."""
        return self._day("SELECT MAX(day) FROM alert")

    def first_day(self) -> date | None:
        """Return the earliest day of evaluation of an alert; None without one."""
        return self._day("SELECT MIN(day) FROM alert")

    def last_position(self) -> int:
        """Return the position of the last alert; 0 without one."""
        (last,) = self._db.execute("SELECT COALESCE(MAX(sequence), 0) FROM alert").fetchone()
        return int(last)

    def between(self, after: int, last: int, *, since: date) -> Iterator[AnyAlert]:
        """Yield the alerts after a position up to another, in order, evaluated after a day."""
        for (body,) in self._db.execute(
            "SELECT body FROM alert WHERE sequence > ? AND sequence <= ? AND day > ? "
            "ORDER BY sequence",
            (after, last, since.isoformat()),
        ):
            yield parse_alert(body.encode(), "read model")

    def last_seen(self, tier: Tier, position: int) -> str | None:
        """Return the id, in a tier's copies, of the last alert up to a position that it sees."""
        row = self._db.execute(
            f"SELECT {_id_name(tier)} FROM alert WHERE sequence <= ? AND {_visible(tier)} "
            "ORDER BY sequence DESC LIMIT 1",
            (position,),
        ).fetchone()
        return None if row is None else str(row[0])

    def place_of(self, tier: Tier, alert_id: str) -> tuple[int, date] | None:
        """Return position and day of evaluation of an alert; None if the tier knows none of it."""
        row = self._db.execute(
            f"SELECT sequence, day FROM alert WHERE {_id_name(tier)} = ? AND {_visible(tier)}",
            (alert_id,),
        ).fetchone()
        return None if row is None else (int(row[0]), date.fromisoformat(row[1]))

    def _day(self, query: str) -> date | None:
        (day,) = self._db.execute(query).fetchone()
        return None if day is None else date.fromisoformat(day)

    def lines(self, case_ids: Sequence[str]) -> list[CaseLine]:
        """Return the lines of the known cases among some ids."""
        found = []
        for case_id in case_ids:
            row = self._db.execute("SELECT body FROM line WHERE case_id = ?", (case_id,)).fetchone()
            if row is not None:
                found.append(CaseLine.model_validate_json(row[0]))
        return found

    def numbers(self) -> dict[str, int]:
        """Return the numbers of stored alerts, signals and cases."""
        (alerts, signals) = self._db.execute("SELECT COUNT(*), SUM(latest) FROM alert").fetchone()
        (cases,) = self._db.execute("SELECT COUNT(*) FROM line").fetchone()
        return {"alerts": alerts, "signals": signals or 0, "cases": cases}

    def _once(self, source: str, position: int, store: Callable[[], None]) -> None:
        with nullcontext() if self._db.in_transaction else self.batch():
            if position < self.place(source):
                return
            store()
            self._db.execute(
                "INSERT INTO place VALUES (?, ?) ON CONFLICT DO UPDATE SET next = excluded.next",
                (source, position + 1),
            )


def _signal_name(tier: Tier) -> str:
    return "signal" if tier is Tier.AUTHORITY else "coded_signal"


def _id_name(tier: Tier) -> str:
    return "alert_id" if tier is Tier.AUTHORITY else "coded_id"


_ORDERS = {
    SignalSort.KEY: "{name}",
    SignalSort.PRIORITY: "priority, {name}",
    SignalSort.DUE: "due, {name}",
    SignalSort.CHANGED: "sequence DESC",
}
_NO_DAY = "9999-12-31"  # after every day that is due


def _due_order(alert: AnyAlert) -> str:
    due: date | None = getattr(alert, "due", None)
    return due.isoformat() if due else _NO_DAY


_TIERS = tuple(Tier)  # each sees what those before it see


def _lowest_tier(alert: AnyAlert) -> int:
    """Return the lowest tier that sees an alert although it saw no earlier revision."""
    return next(
        rank
        for rank, tier in enumerate(_TIERS)
        if not is_hidden(tier, alert) and not is_correction_only(tier, alert)
    )


def _visible(tier: Tier) -> str:
    """Return the SQL condition that a tier sees an alert, or saw an earlier revision of it."""
    return (
        "EXISTS (SELECT 1 FROM alert AS seen WHERE seen.signal = alert.signal "
        f"AND seen.revision <= alert.revision AND seen.lowest_tier <= {_TIERS.index(tier)})"
    )
