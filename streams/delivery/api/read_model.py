"""What the API answers from: every alert, and lines of cases, in a file that can be made anew."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from schemas.case_line import CaseLine
from schemas.report import Report
from schemas.subscription import Tier
from streams.delivery.alert_sources import AnyAlert, parse_alert
from streams.delivery.api.line_listing import case_line
from streams.delivery.sqlite_file import Database, Layout
from streams.delivery.tiers import copy_for, is_hidden

__all__ = ["Page", "ReadModel"]

_TABLES = """
CREATE TABLE IF NOT EXISTS alert (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, alert_id TEXT NOT NULL UNIQUE,
    coded_id TEXT NOT NULL UNIQUE, signal TEXT NOT NULL, coded_signal TEXT NOT NULL,
    revision INTEGER NOT NULL, lowest_tier INTEGER NOT NULL, day TEXT NOT NULL,
    latest INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS alert_signal ON alert (signal, revision);
CREATE INDEX IF NOT EXISTS alert_coded ON alert (coded_signal, revision);
CREATE INDEX IF NOT EXISTS alert_latest ON alert (latest, signal);
CREATE INDEX IF NOT EXISTS alert_latest_coded ON alert (latest, coded_signal);
CREATE INDEX IF NOT EXISTS alert_day ON alert (day);
CREATE TABLE IF NOT EXISTS line (
    case_id TEXT PRIMARY KEY, version INTEGER NOT NULL, received TEXT NOT NULL,
    nullified INTEGER NOT NULL, message TEXT NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS place (source TEXT PRIMARY KEY, next INTEGER NOT NULL);
"""
_LAYOUT = Layout(
    "a read model",
    2,
    _TABLES,
    synchronous="NORMAL",  # what a power cut takes is read again
    remedy=": delete it, it is made anew",
)
_MOST_LOOKED_AT = 2_000  # signals for one page, whatever the filter; the next page goes on


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the signals, by key.

    Attributes
    ----------
    alerts
        The latest revision of each.
    after
        Key to go on after, as the tier has it; None at the end.
    """

    alerts: tuple[AnyAlert, ...]
    after: str | None


class ReadModel(Database):
    """Alerts and lines of cases, by the names that each tier has for them.

    Whoever is below the authority tier knows lots and makers by codes: true names are then no
    names at all, so that nobody learns of a lot by guessing it.

    Parameters
    ----------
    path
        The file; made if missing. It can be deleted: it is filled again from its sources.
    key
        The installation's secret, for `streams.delivery.tiers.copy_for`.

    Raises
    ------
    StateError
        If it is not of this format and secret; delete it.
    """

    def __init__(self, path: Path, *, key: bytes) -> None:
        super().__init__(path, _LAYOUT)
        self._key = key

    def put(self, alert: AnyAlert, *, source: str, position: int) -> None:
        """Take in a revision; one that is known changes nothing."""
        coded = copy_for(Tier.CONSUMER, alert, key=self._key)

        def store() -> None:
            self._db.execute(
                "INSERT OR IGNORE INTO alert (alert_id, coded_id, signal, coded_signal, revision, "
                "lowest_tier, day, latest, body) VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)",
                (
                    alert.alert_id,
                    coded["alert_id"],
                    alert.signal_key,
                    coded["signal_key"],
                    alert.revision,
                    _lowest_tier(alert),
                    alert.evaluated_on.isoformat(),
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
        """Take in a version of a case; the latest holds, in whatever order they come."""
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
        """Pass over what is nothing to keep."""
        self._once(source, position, lambda: None)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Take in what the body puts in one transaction: all of it, or none."""
        with self._transaction():
            yield

    def place(self, source: str) -> int:
        """Return the next position of a source that is not taken in."""
        row = self._db.execute("SELECT next FROM place WHERE source = ?", (source,)).fetchone()
        return 0 if row is None else int(row[0])

    def signals(
        self, tier: Tier, *, after: str, most: int, wanted: Callable[[AnyAlert], bool]
    ) -> Page:
        """Return the latest revision of signals that a tier may see, by key."""
        name = _signal_name(tier)
        rows = self._db.execute(
            f"SELECT {name}, body FROM alert WHERE latest = 1 AND {name} > ? AND "
            f"{_visible(tier)} ORDER BY {name} LIMIT ?",
            (after, _MOST_LOOKED_AT + 1),
        )
        found: list[AnyAlert] = []
        last = after
        for looked_at, (key, body) in enumerate(rows):
            if len(found) == most or looked_at == _MOST_LOOKED_AT:
                return Page(tuple(found), last)
            alert = parse_alert(body.encode(), "read model")
            if wanted(alert):
                found.append(alert)
            last = key
        return Page(tuple(found), None)

    def revisions(self, tier: Tier, signal_key: str) -> list[AnyAlert]:
        """Return every revision of a signal, in order; none if the tier knows no such key."""
        name = _signal_name(tier)
        rows = self._db.execute(
            f"SELECT body FROM alert WHERE {name} = ? AND {_visible(tier)} ORDER BY revision",
            (signal_key,),
        )
        return [parse_alert(body.encode(), "read model") for (body,) in rows]

    def alert(self, tier: Tier, alert_id: str) -> AnyAlert | None:
        """Return one revision, by the id that the tier has for it."""
        name = "alert_id" if tier is Tier.AUTHORITY else "coded_id"
        row = self._db.execute(
            f"SELECT body FROM alert WHERE {name} = ? AND {_visible(tier)}", (alert_id,)
        ).fetchone()
        return None if row is None else parse_alert(row[0].encode(), "read model")

    def recent(self, days: int) -> Iterator[AnyAlert]:
        """Yield the alerts of the last days before the latest of them, in order."""
        (last,) = self._db.execute("SELECT MAX(day) FROM alert").fetchone()
        if last is None:
            return
        first = (date.fromisoformat(last) - timedelta(days=days)).isoformat()
        for (body,) in self._db.execute(
            "SELECT body FROM alert WHERE day > ? ORDER BY sequence", (first,)
        ):
            yield parse_alert(body.encode(), "read model")

    def lines(self, case_ids: Sequence[str]) -> list[CaseLine]:
        """Return the lines of cases, those that are known."""
        found = []
        for case_id in case_ids:
            row = self._db.execute("SELECT body FROM line WHERE case_id = ?", (case_id,)).fetchone()
            if row is not None:
                found.append(CaseLine.model_validate_json(row[0]))
        return found

    def numbers(self) -> dict[str, int]:
        """Return how many alerts, signals and cases it holds."""
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


_TIERS = tuple(Tier)  # each sees what those before it see


def _lowest_tier(alert: AnyAlert) -> int:
    return next(rank for rank, tier in enumerate(_TIERS) if not is_hidden(tier, alert))


def _visible(tier: Tier) -> str:
    return f"lowest_tier <= {_TIERS.index(tier)}"
