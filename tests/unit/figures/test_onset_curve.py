"""The onset curve: a box a case, gaps kept."""

from datetime import timedelta

import pytest

from schemas.vocabulary import VerificationState
from streams.figures.onset_curve import OnsetCase, OnsetCurveFacts, onset_curve
from tests.support.picture_facts import DAY, ONSET
from tests.support.pictures import elements, entries_of, texts_of


def test_each_case_is_a_box_with_its_state_and_letter() -> None:
    svg = onset_curve(ONSET)
    assert len(elements(svg, "rect", "st")) == 3
    assert len(elements(svg, "rect", "st confirmed new")) == 1
    assert texts_of(svg, "inv") == ["C"]
    assert texts_of(svg, "halo") == ["A"]


def test_the_description_says_which_day_is_of_receipt() -> None:
    entries = entries_of(onset_curve(ONSET))
    assert entries == [
        "onset 2024-03-01, facility C, confirmed by a health professional",
        "onset 2024-03-10, facility A, not stated",
        "received 2024-03-10, onset not stated, valid report",
    ]
    assert len(elements(onset_curve(ONSET), "line", "limit")) == 1


def test_cases_of_a_day_are_stacked_and_gaps_kept() -> None:
    days = [0, 0, 1, 5]
    cases = [OnsetCase(DAY + timedelta(days=day)) for day in days]
    boxes = elements(onset_curve(OnsetCurveFacts("x", cases)), "rect", "st")
    places = [(float(each.get("x", 0)), float(each.get("y", 0))) for each in boxes]
    side = places[2][0] - places[0][0]
    assert [(x - places[0][0]) / side for x, _ in places] == [0, 0, 1, 5]
    assert places[0][1] - places[1][1] == side
    assert places[2][1] == places[3][1] == places[0][1]


@pytest.mark.parametrize(("days", "unit"), [(20, "day"), (300, "week"), (2000, "four weeks")])
def test_days_that_do_not_fit_become_weeks_and_longer(days: int, unit: str) -> None:
    cases = [OnsetCase(DAY), OnsetCase(DAY + timedelta(days=days))]
    svg = onset_curve(OnsetCurveFacts("x", cases))
    assert f"Cases by {unit} of onset; of receipt where none is stated" in texts_of(svg)


def test_columns_that_are_too_high_are_bars_with_a_scale() -> None:
    cases = [OnsetCase(DAY, state=VerificationState.HCP_CONFIRMED)] * 40
    svg = onset_curve(OnsetCurveFacts("x", cases))
    assert not elements(svg, "rect", "st")
    assert len(elements(svg, "rect", "barfill")) == 1
    assert {"0", "20", "40"} <= set(texts_of(svg))
