"""Releases in the case stage: what is withdrawn, in any order of arrival and any batches."""

import itertools
from collections import Counter
from collections.abc import Sequence

import pytest

from schemas.report import Patient
from streams.core.cases.from_report import link_version
from streams.core.cases.transitions import CaseVersion, advance
from streams.core.cases.versions import RELEASE, release_key
from tests.support.reports import NULLIFIED
from tests.support.versions import closing, make_link, make_release, make_version

FIRST, SECOND, THIRD = (make_version(release=make_release(month)) for month in (1, 2, 3))
RECODED = make_version(events=("Fever",), release=make_release(2))
OTHER = make_version("B", release=make_release(1, "vaers/2023"))


class Stage:
    """Cases that are counted batch by batch."""

    def __init__(self) -> None:
        self.stored: dict[str, CaseVersion] = {}
        self.cases = Counter[tuple[str, str, str]]()
        self.removed = Counter[tuple[str, str, str]]()
        self.population = Counter[str]()
        self.tally = Counter[str]()

    def count(self, *versions: CaseVersion) -> "Stage":
        step = advance(versions, self.stored)
        self.stored |= step.updates
        self.population.update(step.population)
        self.tally.update(step.tally)
        for case_id, (drug,), (event,), n in step.changes.select(
            "case_id", "drugs", "events", "n"
        ).iter_rows():
            self.cases[case_id, drug, event] += n
            assert self.cases[case_id, drug, event] in (0, 1)
        for case_id, (event,), reason, n in step.removed.select(
            "case_id", "events", "reason", "n"
        ).iter_rows():
            self.removed[case_id, event, reason] += n
        return self

    def counted(self) -> set[tuple[str, str]]:
        return {(case_id, event) for (case_id, _, event), n in self.cases.items() if n}

    def out(self) -> set[tuple[str, str, str]]:
        return {row for row, n in self.removed.items() if n}


HISTORIES: list[tuple[list[CaseVersion], set[tuple[str, str]], set[tuple[str, str, str]]]] = [
    ([FIRST, closing(1)], {("A", "rash")}, set()),
    ([FIRST, closing(1), closing(2)], set(), {("A", "rash", "withdrawn")}),
    ([FIRST, RECODED, closing(1), closing(2)], {("A", "fever")}, set()),
    ([FIRST, closing(2), THIRD], {("A", "rash")}, set()),  # it returns in a later release
    ([FIRST, closing(2), THIRD, closing(3)], {("A", "rash")}, set()),
    ([FIRST, closing(3), SECOND], set(), {("A", "rash", "withdrawn")}),
    (
        [FIRST, OTHER, closing(2), closing(1, "vaers/2023")],  # each scope has its own releases
        {("B", "rash")},
        {("A", "rash", "withdrawn")},
    ),
    ([make_version(), closing(9)], {("A", "rash")}, set()),  # of no release
    (
        [FIRST, closing(2), link_version(make_link())],
        set(),
        {("A", "rash", "duplicate")},
    ),
    (
        [
            FIRST,
            closing(2),
            link_version(make_link()),
            link_version(make_link("reversed", decision=2)),
        ],
        set(),
        {("A", "rash", "withdrawn")},
    ),
    (
        [FIRST, closing(2), make_version(version=2, revision=NULLIFIED, release=make_release(1))],
        set(),
        {("A", "rash", "nullified")},
    ),
]


@pytest.mark.parametrize(("history", "counted", "out"), HISTORIES)
def test_every_order_and_batch_ends_in_the_same_cases(
    history: Sequence[CaseVersion], counted: set[tuple[str, str]], out: set[tuple[str, str, str]]
) -> None:
    states = set()
    for order in itertools.permutations(history):
        whole = Stage().count(*order)
        parts = Stage()
        for version in (*order, *order[:2]):
            parts.count(version)
        halves = Stage().count(*order[:2]).count(*order[2:])
        for stage in (whole, parts, halves):
            assert (stage.counted(), stage.out()) == (counted, out)
            assert stage.population["counted"] == len(counted)
            assert stage.population["withdrawn"] == sum(row[2] == "withdrawn" for row in out)
            states.add(tuple(sorted(stage.stored.items())))
    assert len(states) == 1


def test_a_marker_is_tallied_and_changes_no_population() -> None:
    stage = Stage().count(closing(2), closing(2), closing(1), closing(3))
    assert stage.tally == {"released": 2, "repeated_release": 2}
    assert stage.population == {}
    assert set(stage.stored) == {release_key("vaers/2024")}
    assert stage.stored[release_key("vaers/2024")].version == RELEASE


def test_a_marker_moves_a_case_from_counted_to_withdrawn_once() -> None:
    stage = Stage().count(FIRST)
    step = advance([closing(2)], stage.stored)
    assert step.population == {"counted": -1, "withdrawn": 1}
    assert step.changes.select("events", "n").rows() == [(["rash"], -1)]
    assert step.removed.select("reason", "n").rows() == [("withdrawn", 1)]
    stage.count(closing(2))
    again = advance([closing(2), FIRST, closing(1)], stage.stored)
    assert (again.changes.height, again.removed.height, again.updates) == (0, 0, {})
    later = advance([closing(3)], stage.stored)  # still withdrawn
    assert (later.changes.height, later.removed.height) == (0, 0)
    assert set(later.updates) == {"A", release_key("vaers/2024")}


def test_age_and_subdivision_travel_with_a_case() -> None:
    version = make_version(patient=Patient(age_years=40.5), occurrence_subdivision="US-CA")
    changes = advance([version, make_version("B")], {}).changes
    assert changes.select("age_years", "subdivision").rows() == [(40.5, "US-CA"), (-1.0, "")]
