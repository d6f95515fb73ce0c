"""The swimlane: lanes sorted by onset, in the pattern of their verification."""

from dataclasses import replace

from schemas.vocabulary import VerificationState
from streams.figures.swimlane import CaseLane, swimlane
from tests.support.picture_facts import DAY, SWIMLANE
from tests.support.pictures import elements, entries_of, texts_of


def test_cases_are_in_the_order_of_onset_and_those_without_come_last() -> None:
    ids = [entry.partition(":")[0] for entry in entries_of(swimlane(SWIMLANE))]
    assert ids == ["C3", "C1", "C4", "C2"]


def test_the_description_has_every_case_as_given() -> None:
    entries = {entry.partition(":")[0]: entry for entry in entries_of(swimlane(SWIMLANE))}
    for case in SWIMLANE.cases:
        entry = entries[case.case_id]
        assert f"received {case.received.isoformat()}" in entry
        onset = "not stated" if case.onset_days is None else f"after {case.onset_days} days"
        assert f"onset {onset}" in entry
        assert case.outcome in entry
    assert entries["C1"].endswith("valid report")
    assert entries["C3"].endswith("not stated")


def test_only_a_confirmed_case_is_drawn_as_confirmed() -> None:
    svg = swimlane(SWIMLANE, name="s")
    assert len(elements(svg, "rect", "st confirmed")) == 1
    assert len(elements(svg, "rect", "st valid")) == 1
    assert len(elements(svg, "rect", "st reported")) == 1
    for state in VerificationState:
        lanes = [CaseLane("C", "", DAY, 3, state=state)]
        drawn = elements(swimlane(replace(SWIMLANE, cases=lanes)), "rect", "st confirmed")
        assert len(drawn) == ("confirmed" in state.value), state


def test_an_onset_beyond_the_axis_is_an_arrow_with_its_days() -> None:
    svg = swimlane(SWIMLANE)
    assert len(elements(svg, "path", "ci solid")) == 1
    assert len(elements(svg, "circle", "est")) == 2
    assert "90" in texts_of(svg)


def test_a_new_case_is_in_accent_and_a_grave_outcome_bold() -> None:
    svg = swimlane(SWIMLANE)
    assert "C3" in texts_of(svg, "a b")
    assert texts_of(svg, "k b e") == ["fatal"]
    assert texts_of(svg, "t e")[1:] == ["serious"]  # after the head


def test_a_window_is_shaded_only_if_it_is_given() -> None:
    assert len(elements(swimlane(SWIMLANE), "rect", "band")) == 1
    assert not elements(swimlane(replace(SWIMLANE, window=None)), "rect", "band")


def test_further_cases_are_counted_below_and_described() -> None:
    cases = [CaseLane(f"C{n}", "", DAY, n) for n in range(12)]
    svg = swimlane(replace(SWIMLANE, cases=cases), most=5)
    assert len(elements(svg, "rect", "st")) == 5
    assert "and 7 further cases in the line listing" in texts_of(svg)
    assert len(entries_of(svg)) == 12
