"""`tocsin state`: databases of a state directory, listed without a broker."""

from pathlib import Path

import pytest

from streams.runtime.state.case_store import RocksStore
from tests.support.cli import Run, require_refused
from tests.support.versions import make_version


@pytest.fixture
def state(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOCSIN_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_directory_without_state_is_one_line(run: Run, state: Path) -> None:
    require_refused(run("state inspect"), "state must hold state; got none. Set state_dir")
    require_refused(run("state rebuild --yes"), "state must hold databases; got none. Set state_di")


def test_every_database_is_a_row(run: Run, state: Path) -> None:
    with RocksStore(state / "cases" / "3", "pv.reports[3] of 12") as store:
        store.commit({name: make_version(name) for name in "AB"}, 1_700, b"out")
    ended = run("state inspect")
    assert (ended.code, ended.err) == (0, "")
    (row,) = [line.split() for line in ended.out.splitlines() if "pv.reports[3]" in line]
    assert row[:3] == ["pv.reports[3]", "of", "12"]
    assert row[3:7] == ["1,700", "2", "2", "1"]
