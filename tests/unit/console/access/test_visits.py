"""The log of visits: rows are added, and neither changed nor removed."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streams.console.access.visits import VisitKind, VisitLog

AT = datetime(2026, 6, 1, tzinfo=UTC)


def _add(log: VisitLog, subject: str) -> None:
    log.add(
        VisitKind.VIEWED, at=AT, reader="A", tier="authority", subject=subject, client="192.0.2.1"
    )


def test_the_latest_rows_come_first_and_page_back(tmp_path: Path) -> None:
    with VisitLog(tmp_path / "visits.db") as log:
        for number in range(5):
            _add(log, f"/desk/{number}")
        first = list(log.latest(2))
        assert [row.subject for row in first] == ["/desk/4", "/desk/3"]
        rest = list(log.latest(9, before=first[-1].number))
        assert [row.subject for row in rest] == ["/desk/2", "/desk/1", "/desk/0"]
        assert (rest[0].kind, rest[0].at, rest[0].client) == (VisitKind.VIEWED, AT, "192.0.2.1")


@pytest.mark.parametrize("statement", ["DELETE FROM visit", "UPDATE visit SET reader = 'B'"])
def test_rows_stay(tmp_path: Path, statement: str) -> None:
    with VisitLog(tmp_path / "visits.db") as log:
        _add(log, "/desk")
    with (
        closing(sqlite3.connect(tmp_path / "visits.db")) as other,
        pytest.raises(sqlite3.IntegrityError, match="never"),
    ):
        other.execute(statement)
