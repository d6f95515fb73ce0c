"""The link stage's store: cases, identifiers, offsets and links, all or none of a batch."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from schemas.errors import StateError
from streams.core.cases.from_report import case_version, link_version
from streams.core.cases.versions import joined
from streams.core.duplicates.identifiers import identifiers_of
from streams.core.duplicates.known_cases import KnownCase
from streams.runtime.state.identity_store import IdentityStore
from tests.support.reports import NULLIFIED, make_report
from tests.support.versions import make_link

IDENTITY = "pv.reports"


def known(case_id: str, number: str | None = None, **fields: object) -> KnownCase:
    report = make_report(case_id, worldwide_id=number, **fields)
    identifiers = identifiers_of(report)
    version = case_version(report)
    return KnownCase(version) if identifiers is None else KnownCase(version, identifiers)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[IdentityStore]:
    with closing(IdentityStore(tmp_path / "deep" / "link", IDENTITY)) as opened:
        yield opened


def linkable(store: IdentityStore, size: int = 100) -> list[list[str]]:
    return [sorted(part) for part in store.linkable(size)]


def test_a_new_store_holds_nothing(store: IdentityStore) -> None:
    assert (store.offsets, store.settled, store.unpublished()) == ({}, False, [])
    assert store.cases(["A"]) == {}
    assert store.sharing("w:JP-X-1", 9) == set()
    assert linkable(store) == []


def test_cases_are_found_by_name_and_by_identifier(store: IdentityStore) -> None:
    a, b = known("A", "JP-X-1"), known("B", "JP-X-1")
    store.commit({"A": a, "B": b, "C": known("C", "JP-X-11")}, {0: 5}, settled=True)
    assert store.cases(["B", "D", "A"]) == {"A": a, "B": b}
    assert store.sharing("w:JP-X-1", 9) == {"A", "B"}
    assert len(store.sharing("w:JP-X-1", 1)) == 1
    assert store.settled


@pytest.mark.parametrize(
    "later",
    [known("B", "JP-X-2", version=2), known("B", "JP-X-1", version=2, revision=NULLIFIED)],
)
def test_an_identifier_that_a_case_no_longer_states_finds_it_no_more(
    store: IdentityStore, later: KnownCase
) -> None:
    store.commit({"A": known("A", "JP-X-1"), "B": known("B", "JP-X-1")}, {}, settled=True)
    store.commit({"B": later}, {}, settled=True)
    assert store.sharing("w:JP-X-1", 9) == {"A"}


def test_offsets_of_partitions_are_kept_side_by_side(store: IdentityStore) -> None:
    store.commit({}, {0: 5, 1: 7}, settled=True)
    store.commit({}, {1: 9}, settled=False)
    assert (store.offsets, store.settled) == ({0: 5, 1: 9}, False)


def test_links_wait_in_order_until_they_are_published(store: IdentityStore) -> None:
    store.commit({}, {}, [b"one", b"two"], settled=True)
    store.commit({}, {}, [b"three"], settled=True)
    store.commit({}, {}, settled=True)
    assert store.unpublished() == [b"one", b"two", b"three"]
    store.published()
    assert store.unpublished() == []


def test_cases_that_share_or_are_linked_can_be_linked_anew(store: IdentityStore) -> None:
    alone, linked = known("D", "JP-X-4"), known("E")
    version = joined(link_version(make_link(case_id="E")), linked.version)
    cases = {name: known(name, "JP-X-1") for name in "ABC"}
    store.commit({**cases, "D": alone, "E": KnownCase(version)}, {}, settled=True)
    assert sorted(name for part in linkable(store) for name in part) == ["A", "B", "C", "E"]
    assert [len(part) for part in linkable(store, 3)] == [3, 1]


def test_it_opens_again_with_what_it_held_and_for_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "link"
    with closing(IdentityStore(path, IDENTITY)) as store:
        store.commit({"A": known("A", "JP-X-1")}, {0: 5}, [b"link"], settled=True)
    with closing(IdentityStore(path, IDENTITY)) as store:
        assert (store.offsets, store.unpublished()) == ({0: 5}, [b"link"])
        assert store.sharing("w:JP-X-1", 9) == {"A"}
        with pytest.raises(StateError, match="the database must open"):
            IdentityStore(path, IDENTITY)
    with pytest.raises(StateError, match=r"must be of '1 test\.reports'; got '1 pv\.reports'"):
        IdentityStore(path, "test.reports")
    with closing(IdentityStore(path, IDENTITY)) as store:
        assert store.offsets == {0: 5}, "who was refused has let go of it"
