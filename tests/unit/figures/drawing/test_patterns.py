"""Fills of the verification states."""

import re

import pytest

from schemas.vocabulary import VerificationState as State
from streams.figures.drawing.patterns import (
    pattern_definitions,
    state_box,
    state_class,
    state_label,
)
from streams.figures.drawing.texts import figure_texts

CONFIRMED = {State.AUTHORITY_CONFIRMED, State.HCP_CONFIRMED}


@pytest.mark.parametrize("state", [*State, None])
def test_only_confirmed_states_have_the_class_of_confirmed(state: State | None) -> None:
    assert (state_class(state) == "confirmed") == (state in CONFIRMED)
    box = state_box("p", state, 0, 0, 9, 9)
    assert ("confirmed" in box) == (state in CONFIRMED)


@pytest.mark.parametrize("state", [*State, None])
def test_a_pattern_that_is_used_is_defined(state: State | None) -> None:
    used = set(re.findall(r"url\(#([^)]+)\)", state_box("p", state, 0, 0, 9, 9)))
    defined = set(re.findall(r'id="([^"]+)"', pattern_definitions("p", [state])))
    assert used == defined


def test_each_pattern_is_defined_once() -> None:
    found = pattern_definitions("p", [None, State.REPORTED, State.RUMOUR, State.RUMOUR])
    assert re.findall(r'id="([^"]+)"', found) == ["p-reported", "p-rumour"]


def test_what_was_refuted_is_struck_through() -> None:
    for state in State:
        struck = "strike" in state_box("p", state, 0, 0, 9, 9)
        assert struck == (state in (State.REFUTED, State.NULLIFIED)), state


def test_every_state_has_a_word_of_its_own() -> None:
    for language in ("en", "ja"):
        words = [state_label(state, figure_texts(language)) for state in [*State, None]]
        assert len(set(words)) == len(words)


def test_a_box_may_be_new() -> None:
    assert 'class="st valid new"' in state_box("p", State.VALID_ICSR, 0, 0, 9, 9, more="new")
