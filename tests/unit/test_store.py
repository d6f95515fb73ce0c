"""Both stores keep one contract; the one on disk keeps it across restarts."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from schemas.errors import StateError
from schemas.report import Report
from streams.runtime.store import CaseStore, MemoryStore, RocksStore
from streams.topology.cases import CaseVersion, case_version

IDENTITY = "pv.reports[0]"


def _version(case_id: str, version: int = 1) -> CaseVersion:
    day = date(2024, 2, 29)
    return case_version(
        Report(case_id=case_id, version=version, first_received=day, latest_received=day)
    )


def outbox(store: CaseStore) -> list[tuple[int, bytes]]:
    return [(entry.next_offset, entry.outgoing) for entry in store.unpublished()]


@pytest.fixture(params=["memory", "rocks"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CaseStore]:
    if request.param == "memory":
        yield MemoryStore()
        return
    with RocksStore(tmp_path / "deep" / "cases", IDENTITY) as opened:
        yield opened


def test_a_new_store_holds_nothing(store: CaseStore) -> None:
    assert store.next_offset is None
    assert store.get(["A", "B"]) == {}
    assert store.get([]) == {}
    assert store.unpublished() == []
    store.published(7)


def test_what_is_committed_is_held(store: CaseStore) -> None:
    store.commit({"A": _version("A"), "B": _version("B")}, 2, b"first")
    store.commit({"A": _version("A", 2)}, 9, b"second")
    assert store.get(["B", "A", "C"]) == {"A": _version("A", 2), "B": _version("B")}
    assert store.next_offset == 9
    assert outbox(store) == [(2, b"first"), (9, b"second")]


def test_the_outbox_is_emptied_up_to_an_offset(store: CaseStore) -> None:
    for end in (1, 255, 256, 70_000):
        store.commit({}, end, str(end).encode())
    store.published(255)
    assert outbox(store) == [(256, b"256"), (70_000, b"70000")]
    store.published(80_000)
    assert store.unpublished() == []
    assert store.next_offset == 70_000


def test_a_commit_may_have_nothing_to_publish(store: CaseStore) -> None:
    store.commit({"A": _version("A")}, 0, b"")
    assert (store.next_offset, store.unpublished()) == (0, [])
    assert store.get(["A"]) == {"A": _version("A")}


@pytest.mark.parametrize("case_id", ["o", "i", "x", "", "é" * 200, "a\x00b", "日本", "c" * 200])
def test_no_case_id_is_mistaken_for_another_key(store: CaseStore, case_id: str) -> None:
    held = CaseVersion(case_id, 1, 0, False, "", 0, "", "", "", False, False, "", "", "nullified")
    store.commit({case_id: held}, 5, b"out")
    assert store.get([case_id]) == {case_id: held}
    assert (store.next_offset, outbox(store)) == (5, [(5, b"out")])


def test_a_reopened_store_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "cases"
    with RocksStore(path, IDENTITY) as first:
        first.commit({"A": _version("A")}, 4, b"out")
    for _ in range(2):
        with RocksStore(path, IDENTITY) as again:
            assert again.next_offset == 4
            assert again.get(["A"]) == {"A": _version("A")}
            assert outbox(again) == [(4, b"out")]


def test_a_store_that_was_opened_but_never_used_can_be_opened_again(tmp_path: Path) -> None:
    for _ in range(2):
        with RocksStore(tmp_path / "cases", IDENTITY) as store:
            assert store.next_offset is None


def test_the_state_of_another_partition_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cases"
    with RocksStore(path, IDENTITY) as store:
        store.commit({}, 4, b"")
    with pytest.raises(
        StateError,
        match=r"the state must be of '.*pv\.reports\[1\]'; got '.*pv\.reports\[0\]'\. Point "
        r"state_dir elsewhere, or move this folder away to rebuild$",
    ):
        RocksStore(path, "pv.reports[1]")
    with RocksStore(path, IDENTITY) as store:
        assert store.next_offset == 4


def test_state_of_nobody_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cases"
    with RocksStore(path, IDENTITY) as store:
        store.commit({}, 4, b"")
        store._db.delete(b"i")
    with pytest.raises(StateError, match=r"got 'nothing'\. Point state_dir elsewhere"):
        RocksStore(path, IDENTITY)


def test_a_database_that_does_not_open_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cases"
    path.write_text("not a folder", encoding="utf-8")
    with pytest.raises(StateError, match=rf"^store {path}: the database must open; got "):
        RocksStore(path, IDENTITY)


def test_two_workers_cannot_share_a_store(tmp_path: Path) -> None:
    with (
        RocksStore(tmp_path / "cases", IDENTITY),
        pytest.raises(StateError, match=r"the database must open; got .*(?i:lock)"),
    ):
        RocksStore(tmp_path / "cases", IDENTITY)
