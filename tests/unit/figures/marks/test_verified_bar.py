"""The verified bar and the key of its patterns."""

import pytest

from schemas.vocabulary import VerificationState as State
from streams.figures.marks.verified_bar import (
    StateCount,
    shared_patterns,
    state_key,
    verified_bar,
)
from tests.support.pictures import elements, entries_of

COUNTS = [StateCount(State.HCP_CONFIRMED, 2), StateCount(State.VALID_ICSR, 4), StateCount(None, 6)]


def test_pieces_are_in_proportion_and_in_their_patterns() -> None:
    svg = verified_bar(COUNTS, name="v")
    pieces = elements(svg, "rect", "st")
    assert [each.get("class") for each in pieces] == ["st confirmed", "st valid", "st reported"]
    assert [float(each.get("width", 0)) for each in pieces] == [10.5, 21, 31.5]
    assert entries_of(svg) == [
        "confirmed by a health professional: 2 cases",
        "valid report: 4 cases",
        "not stated: 6 cases",
    ]


def test_what_is_not_verified_never_looks_confirmed() -> None:
    for state in [*State, None]:
        drawn = elements(verified_bar([StateCount(state, 5)], name="v"), "rect", "st confirmed")
        assert bool(drawn) == (state in (State.HCP_CONFIRMED, State.AUTHORITY_CONFIRMED))


def test_a_page_may_share_the_patterns() -> None:
    svg = verified_bar(COUNTS, patterns="page")
    assert "<pattern" not in svg
    assert "url(#page-valid)" in svg
    assert 'id="page-valid"' in shared_patterns("page")
    assert "url(#page-valid)" in state_key(State.VALID_ICSR, name="k", patterns="page")
    assert 'id="k-valid"' in state_key(State.VALID_ICSR, name="k")


def test_no_case_is_an_empty_track() -> None:
    svg = verified_bar([StateCount(State.VALID_ICSR, 0)], name="v")
    assert elements(svg, "rect", "track")
    assert not elements(svg, "rect", "st")


def test_patterns_without_a_home_are_refused() -> None:
    with pytest.raises(ValueError, match="a name or shared patterns must be given; got neither"):
        verified_bar(COUNTS)
