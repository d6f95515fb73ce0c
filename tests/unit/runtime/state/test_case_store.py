"""Both stores keep one contract; the one on disk keeps it across restarts."""

import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import StateError
from streams.core.cases.transitions import CaseVersion
from streams.runtime.state import case_store
from streams.runtime.state.case_store import CaseStore, MemoryStore, RocksStore, StoreDamaged
from tests.support.versions import make_version

IDENTITY = "pv.reports[0]"


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
    store.commit({"A": make_version("A"), "B": make_version("B")}, 2, b"first")
    store.commit({"A": make_version("A", version=2)}, 9, b"second")
    assert store.get(["B", "A", "C"]) == {"A": make_version("A", version=2), "B": make_version("B")}
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


def test_the_outbox_on_disk_is_the_one_a_worker_goes_by(tmp_path: Path) -> None:
    path = tmp_path / "cases"

    def on_disk() -> object:
        with RocksStore(path, None) as reader:
            return reader.unpublished()

    with RocksStore(path, IDENTITY) as store:
        store.commit({"A": make_version("A")}, 2, b"before it was looked at")
        assert store.unpublished() == on_disk()
        store.commit({"A": make_version("A", version=2), "B": make_version("B")}, 7, b"seven")
        store.commit({}, 9, b"nine")
        assert store.unpublished() == on_disk()
        store.published(7)
        assert store.unpublished() == on_disk() != []
    with RocksStore(path, IDENTITY) as store:
        assert outbox(store) == [(9, b"nine")]
        store.published(9)
        assert store.unpublished() == on_disk() == []


def test_a_commit_may_have_nothing_to_publish(store: CaseStore) -> None:
    store.commit({"A": make_version("A")}, 0, b"")
    assert (store.next_offset, store.unpublished()) == (0, [])
    assert store.get(["A"]) == {"A": make_version("A")}


@pytest.mark.parametrize("case_id", ["o", "i", "x", "", "é" * 200, "a\x00b", "日本", "c" * 200])
def test_no_case_id_is_mistaken_for_another_key(store: CaseStore, case_id: str) -> None:
    held = CaseVersion(
        case_id, 1, 0, 0, False, "", 0, "", "", "", False, False, "", "", "nullified"
    )
    store.commit({case_id: held}, 5, b"out")
    assert store.get([case_id]) == {case_id: held}
    assert (store.next_offset, outbox(store)) == (5, [(5, b"out")])


def test_a_reopened_store_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "cases"
    with RocksStore(path, IDENTITY) as first:
        first.commit({"A": make_version("A")}, 4, b"out")
    for _ in range(2):
        with RocksStore(path, IDENTITY) as again:
            assert again.next_offset == 4
            assert again.get(["A"]) == {"A": make_version("A")}
            assert outbox(again) == [(4, b"out")]


def test_a_store_that_was_opened_but_never_used_can_be_opened_again(tmp_path: Path) -> None:
    for _ in range(2):
        with RocksStore(tmp_path / "cases", IDENTITY) as store:
            assert store.next_offset is None


def test_the_state_of_an_older_format_names_how_to_count_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cases"
    with monkeypatch.context() as earlier:
        earlier.setattr(case_store, "_FORMAT", 4)
        with RocksStore(path, IDENTITY) as store:
            store.commit({}, 4, b"")
    rule = r"store .*cases: .*must be of .*5.*; got '4 pv\.reports\[0\]'\. Count the reports"
    for identity in (IDENTITY, None):
        with pytest.raises(StateError, match=rule):
            RocksStore(path, identity)


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


def test_the_size_of_a_database_is_told(tmp_path: Path) -> None:
    versions = {f"case {n}": make_version(f"case {n}") for n in range(500)}
    with RocksStore(tmp_path / "cases", IDENTITY) as store:
        assert store.size().cases == 0
        store.commit(versions, 500, b"")
        assert store.size().cases == 500
        assert store.size().memory_bytes > 500 * len("case 100")
        store._db.flush()
        written = sum(file.stat().st_size for file in (tmp_path / "cases").glob("*.sst"))
        assert 0 < store.size().live_bytes <= written
        assert store.size().cases == 500


def test_a_full_disk_is_said_in_one_line_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "cases"
    code = f"""
        import random, resource
        from pathlib import Path
        from streams.runtime.state.case_store import RocksStore
        with RocksStore(Path({str(path)!r}), {IDENTITY!r}) as store:
            store.commit({{}}, 7, b"small")
            # For one process alone, the disk ends here.
            resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
            store.commit({{}}, 8, random.Random(1).randbytes(60_000))
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("schemas.errors.StateError: ")
    assert str(path) in last
    assert last.endswith("Make room on the disk of state_dir and start again; nothing is lost")
    with RocksStore(path, IDENTITY) as store:
        assert store.next_offset == 7
        store.commit({}, 8, b"large")
        assert outbox(store) == [(7, b"small"), (8, b"large")]


def _damage(file: Path) -> None:
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(size // 3)
        opened.write(b"\xde\xad" * 2000)


def test_damage_in_a_file_is_told_by_every_way_of_reading(tmp_path: Path) -> None:
    path = tmp_path / "cases"
    ids = [f"{number:06d}" for number in range(5_000)]
    with RocksStore(path, IDENTITY) as store:
        store.commit(
            {one: make_version(one, version=hash(one) % 1000 + 1) for one in ids}, 4, b"out"
        )
    with RocksStore(path, IDENTITY) as store:  # opening moves what was logged into a file
        store.commit({}, 5, b"more")
    _damage(max(path.glob("*.sst"), key=lambda file: file.stat().st_size))
    with RocksStore(path, IDENTITY) as store:
        for read in (
            lambda: store.get(ids),
            lambda: list(store.versions()),
            lambda: store.state_after(b"", 1 << 30),
        ):
            with pytest.raises(StoreDamaged, match="checksum mismatch"):
                read()
        assert store.next_offset == 5


def test_a_list_of_files_that_was_cut_off_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cases"
    with RocksStore(path, IDENTITY) as store:
        store.commit({"A": make_version("A")}, 1, b"out")
        store._db.flush()  # as RocksDB does by itself: a file, and its entry in the list
        store.commit({"B": make_version("B")}, 2, b"out")
        listed = int((store._get(b"m") or b"").split()[0])
        crashed = shutil.copytree(path, tmp_path / "crashed")  # closing would write the log out
    (manifest,) = crashed.glob("MANIFEST-*")
    with manifest.open("r+b") as opened:
        opened.truncate(listed - 1)
    with pytest.raises(StoreDamaged, match=r"MANIFEST-\d+ must have \d+ bytes or more; got \d+$"):
        RocksStore(crashed, IDENTITY)


def test_a_state_is_read_in_parts_and_loaded_again(tmp_path: Path) -> None:
    with RocksStore(tmp_path / "one", IDENTITY) as store:
        versions = {name: make_version(name) for name in ("A", "B", "C", "a\x00", "é")}
        store.commit(versions, 7, b"out")
        after, pairs, ends = b"", [], False
        while not ends:
            part, ends = store.state_after(after, 1)
            assert len(part) <= 1
            pairs += part
            after = part[-1][0] if part else after
        assert store.state_after(b"", 1 << 20) == (pairs, True)
    with RocksStore(tmp_path / "two", IDENTITY) as other:
        other.load([*pairs, (b"cX", b"x"), (b"cX", None)])
        other.settle(7)
        assert {one.case_id: one for one in other.versions()} == versions
        assert other.next_offset == 7
    with RocksStore(tmp_path / "two", None) as reading:
        assert reading.identity.endswith(IDENTITY)
        assert reading.get(["A"]) == {"A": versions["A"]}
