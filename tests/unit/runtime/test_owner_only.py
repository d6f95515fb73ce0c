"""Files with patient data are their owner's only, whatever the umask and the mode before."""

import logging
import os
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from schemas.decision import Decision, SignalState
from schemas.notice import Notice, NoticeKind
from schemas.vocabulary import ReporterKind
from streams.delivery.api.service import FileNotices
from streams.delivery.sqlite_file import Ledger
from streams.runtime.operations.audit_log import AuditLog
from streams.runtime.owner_only import owner_only_file, owner_only_folder
from streams.runtime.state.rocksdb import open_database
from streams.runtime.state.snapshot import write_frozen

NOTICE = Notice(
    notice_id="n",
    subject_id="s",
    kind=NoticeKind.MEDIA,
    received=date(2024, 1, 1),
    source="a paper",
    reporter=ReporterKind.UNKNOWN,
)


@pytest.fixture(autouse=True)
def open_to_all() -> Iterator[None]:
    """The widest umask: every bit that is asked for is given."""
    mask = os.umask(0)
    yield
    os.umask(mask)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _audit(path: Path) -> None:
    under_triage = Decision(signal_key="k", to=SignalState.UNDER_TRIAGE, by="a.assessor")
    AuditLog(path).decide(under_triage, datetime(2024, 1, 1, tzinfo=UTC))


def _ledger(path: Path) -> None:
    Ledger(path).close()


def _database(path: Path) -> None:
    open_database(path).close()


class _NoCases:
    def rows(self) -> pl.DataFrame:
        return pl.DataFrame({"case_id": ["1"]})


def _snapshot(path: Path) -> None:
    write_frozen(path, _NoCases(), {}, topic="t", next_offset=0)


WRITERS: dict[str, Callable[[Path], None]] = {
    "audit log": _audit,
    "notices": lambda path: FileNotices(path).put(NOTICE),
    "outbox": _ledger,
    "database": _database,
    "snapshot": _snapshot,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_made_is_its_owners_only(tmp_path: Path, kind: str) -> None:
    made = tmp_path / "made"
    WRITERS[kind](made)
    assert mode(made) & 0o077 == 0
    for beside in tmp_path.iterdir():  # as the journal of SQLite
        assert mode(beside) & 0o077 == 0, beside.name


@pytest.mark.parametrize("kind", ["audit log", "notices", "outbox", "database"])
def test_what_is_wider_is_narrowed_and_said_once(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = tmp_path / "made"
    WRITERS[kind](made)
    made.chmod(0o775 if made.is_dir() else 0o664)
    with caplog.at_level(logging.WARNING):
        if kind == "audit log":
            owner_only_file(made)  # a second step to the same state would be refused
        else:
            WRITERS[kind](made)
    assert mode(made) == (0o700 if made.is_dir() else 0o600)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"{made}: may hold patient data: was 0")


def test_a_folder_gets_its_missing_parents(tmp_path: Path) -> None:
    owner_only_folder(tmp_path / "a" / "b")
    assert mode(tmp_path / "a" / "b") == 0o700


def test_a_device_stays_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    owner_only_file(Path(os.devnull))
    assert not caplog.records
