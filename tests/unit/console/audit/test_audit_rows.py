"""Rows of both logs, merged by time and paged without loss."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.decision import AuditEntry
from streams.console.access.visits import VisitKind, VisitLog
from streams.console.audit.audit_rows import AuditFilter, rows_page
from tests.support.assessments import decided

DAY = datetime(2024, 1, 1, tzinfo=UTC)
_MOST_PAGES = 50  # three times as many as rows


def _log(path: Path, hours: list[int]) -> None:
    with VisitLog(path) as visits:
        for hour in hours:
            visits.add(
                VisitKind.VIEWED,
                at=DAY + timedelta(hours=hour),
                reader="A",
                tier="authority",
                subject="/desk",
                client="",
            )


def _paged(path: Path, entries: list[AuditEntry], most: int) -> list[tuple[str, int, datetime]]:
    found: list[tuple[str, int, datetime]] = []
    before_visit = before_decision = None
    with VisitLog(path) as visits:
        for _ in range(_MOST_PAGES):
            page = rows_page(
                visits,
                entries,
                AuditFilter(),
                most=most,
                before_visit=before_visit,
                before_decision=before_decision,
            )
            found += [(row.log, row.number, row.at) for row in page.rows]
            before_visit, before_decision = page.before_visit, page.before_decision
            if before_visit is None:
                return found
    msg = f"more than {_MOST_PAGES} pages"
    raise AssertionError(msg)


@settings(derandomize=True, max_examples=25, deadline=None)
@given(
    hours=st.lists(st.integers(0, 90), max_size=12).map(sorted),
    most=st.integers(1, 7),
)
def test_pages_of_any_size_hold_each_row_once_in_order(hours: list[int], most: int) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        _log(folder / "visits.db", hours)
        entries = decided(folder / "audit.jsonl")
        found = _paged(folder / "visits.db", entries, most)
    assert len(found) == len(set(found)) == len(hours) + len(entries)
    assert [at for _, _, at in found] == sorted((at for _, _, at in found), reverse=True)


def test_without_a_log_of_visits_there_are_the_decisions(tmp_path: Path) -> None:
    entries = decided(tmp_path / "audit.jsonl")
    page = rows_page(None, entries, AuditFilter(), most=9, before_visit=None, before_decision=None)
    assert [row.number for row in page.rows] == [3, 2, 1]
    assert page.before_visit is None
