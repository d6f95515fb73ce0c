"""Codes of cases: what a snapshot keeps, and age bands that change."""

import json

import pytest

from schemas.errors import StateError
from streams.core.cases.strata import AgeBands
from streams.core.counting.case_codes import CaseCodes
from tests.support.deltas import case_change, make_delta

CHANGES = make_delta(0, [case_change("A", age_years=0.7), case_change("B", drugs=["iron"])]).changes


def test_rows_go_on_after_a_restart_as_before() -> None:
    codes = CaseCodes(AgeBands((0.5, 18.0)))
    rows = codes.encode(CHANGES)
    assert rows["seq"].to_list() == [0, 1]
    assert rows["drugs"].to_list() == [[0], [1]]
    # The second band, and the third, which contains all adults; male.
    assert rows["block"].to_list() == [1 * 4 + 1, 2 * 4 + 1]
    again = CaseCodes(AgeBands((0.5, 18.0)))
    again.restore(json.loads(json.dumps(codes.facts())))
    assert again.encode(CHANGES).equals(codes.encode(CHANGES))
    assert again.facts() == codes.facts()


def test_other_age_bands_are_refused_with_what_to_do() -> None:
    facts = CaseCodes(AgeBands((0.5, 18.0))).facts()
    with pytest.raises(
        StateError,
        match=r"age bands must be those of the snapshot, \[0\.5, 18\.0\] years; got \[18\.0\]\. "
        "Run tocsin state rebuild --detector",
    ):
        CaseCodes(AgeBands((18.0,))).restore(facts)
