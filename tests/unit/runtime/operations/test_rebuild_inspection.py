"""What a state directory holds, read while nobody asks a broker."""

import json
from pathlib import Path

import pytest

from schemas.errors import StateError
from streams.core.cases.from_report import link_version
from streams.core.cases.versions import as_released, joined
from streams.runtime.operations.rebuild import (
    PartitionState,
    SnapshotState,
    inspect_cases,
    inspect_snapshot,
    local_partitions,
)
from streams.runtime.settings import Settings
from streams.runtime.state.case_store import RocksStore
from tests.support.reports import NULLIFIED
from tests.support.versions import closing, make_link, make_release, make_version


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path)


def identity(folder: Path, name: str) -> None:
    cases = {
        "A": make_version("A"),
        "B": make_version("B", revision=NULLIFIED),
        "C": joined(link_version(make_link(case_id="C")), make_version("C")),
        "D": link_version(make_link("reversed", case_id="D")),  # of which no report came yet
        "E": as_released(make_version("E", release=make_release(1)), closing(2)),
        closing(2).case_id: closing(2),  # a marker is no case
    }
    with RocksStore(folder / "cases" / name, f"pv.reports[{name}] of 12") as store:
        store.commit(cases, 7, b"out")


def test_a_folder_without_state_has_none(settings: Settings) -> None:
    assert local_partitions(settings) == []
    assert list(inspect_cases(settings)) == []
    assert inspect_snapshot(settings) is None


def test_every_database_says_what_it_holds_and_counts(settings: Settings, tmp_path: Path) -> None:
    for name in ("10", "2"):
        identity(tmp_path, name)
    (tmp_path / "cases" / "2.damaged").mkdir()
    (tmp_path / "cases" / "notes.txt").write_text("")
    assert local_partitions(settings) == [2, 10]
    first, second = inspect_cases(settings)
    assert first.identity.endswith("pv.reports[2] of 12")
    assert first == PartitionState(2, first.identity, 7, cases=5, counted=1, unpublished=1)
    assert second.partition == 10


def test_a_worker_may_have_its_database_open(settings: Settings, tmp_path: Path) -> None:
    with RocksStore(tmp_path / "cases" / "0", "pv.reports[0] of 1") as store:
        store.commit({"A": make_version("A")}, 1, b"")
        (found,) = inspect_cases(settings)
    assert (found.cases, found.next_offset) == (1, 1)


def test_a_snapshot_says_how_far_it_is_and_a_broken_one_is_named(
    settings: Settings, tmp_path: Path
) -> None:
    about = tmp_path / "detect" / "about.json"
    about.parent.mkdir()
    about.write_text(json.dumps({"format": 5, "topic": "pv.deltas", "next_offset": 17}))
    assert inspect_snapshot(settings) == SnapshotState(5, "pv.deltas", 17)
    for broken in ("{", "[]", "{}"):
        about.write_text(broken)
        with pytest.raises(StateError, match=r"snapshot .*detect: must be readable; got"):
            inspect_snapshot(settings)
