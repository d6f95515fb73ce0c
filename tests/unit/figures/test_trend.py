"""The trend: its numbers, its marks, and nothing of later days."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from schemas.vocabulary import VerificationState
from streams.figures.drawing.intervals import IntervalEstimate
from streams.figures.drawing.receipts import ReceivedCases
from streams.figures.trend import DatedMark, TrendPoint, TrendRevision, trend
from tests.support.picture_facts import TREND
from tests.support.pictures import elements, entries_of, intervals_in, number_in, texts_of


def test_the_description_has_the_revisions_as_they_are_given() -> None:
    entries = [each for each in entries_of(trend(TREND)) if each.startswith("Revision")]
    for entry, revision in zip(entries, TREND.revisions, strict=True):
        assert entry.startswith(f"Revision {revision.number}, {revision.day.isoformat()}: ")
        assert f"{revision.n_observed} cases" in entry
        estimate = revision.estimate
        assert intervals_in(entry) == [(estimate.value, estimate.lower, estimate.upper)]


def test_the_description_has_each_day_on_which_the_count_changed() -> None:
    entries = entries_of(trend(TREND))
    for point in TREND.points:
        (entry,) = [each for each in entries if each.startswith(f"{point.day.isoformat()}: ")]
        cases, expected = entry.split(": ")[1].split(", ")[:2]
        assert int(cases.split()[0]) == point.n_observed
        assert number_in(expected.split()[0]) == point.expected
        estimate = point.estimate
        assert intervals_in(entry) == [(estimate.value, estimate.lower, estimate.upper)]


def test_revisions_after_the_sign_off_are_in_accent() -> None:
    before, after = (elements(trend(TREND), "path", cls) for cls in ("est on", "est new"))
    assert (len(before), len(after)) == (1, 1)
    none = replace(TREND, signed_off=None)
    assert not elements(trend(none), "path", "est new")
    assert not elements(trend(none), "line", "since")


def test_each_case_is_a_box_with_the_pattern_of_its_state() -> None:
    received = [
        ReceivedCases(TREND.points[1].day, 2, VerificationState.VALID_ICSR),
        ReceivedCases(TREND.points[3].day, 1, None),
        ReceivedCases(TREND.points[7].day, 1, VerificationState.HCP_CONFIRMED),
    ]
    svg = trend(replace(TREND, received=received), name="t")
    boxes = {
        state: elements(svg, "rect", f"st {state}") for state in ("valid", "reported", "confirmed")
    }
    assert {state: len(found) for state, found in boxes.items()} == {
        "valid": 2,
        "reported": 1,
        "confirmed": 1,
    }
    assert {each.get("fill") for each in boxes["valid"]} == {"url(#t-valid)"}
    assert len(elements(svg, "rect", "st new")) == 1  # after the sign-off


def test_many_cases_become_bars_by_month() -> None:
    svg = trend(replace(TREND, received=[ReceivedCases(TREND.points[2].day, 393)]))
    assert not elements(svg, "rect", "st")
    assert len(elements(svg, "rect", "barfill")) == 1
    assert "Cases by month of receipt, at most 393" in texts_of(svg)


@pytest.mark.parametrize("key", ["notices", "decisions"])
def test_a_mark_that_finds_no_room_keeps_its_line_and_its_entry(key: str) -> None:
    marks = [DatedMark(TREND.points[4].day, f"mark number {n} of several") for n in range(9)]
    svg = trend(
        replace(
            TREND,
            notices=marks if key == "notices" else (),
            decisions=marks if key == "decisions" else (),
        )
    )
    drawn = elements(svg, "line", "notice") if key == "notices" else elements(svg, "rect", "est")
    assert len(drawn) == 9
    entries = "\n".join(entries_of(svg))
    assert all(mark.label in entries for mark in marks)


def test_bounds_beyond_the_axis_are_clipped() -> None:
    point = TrendPoint(TREND.first_day, 0, 0.0, IntervalEstimate(0.0, -9.99, float("inf")))
    (band,) = elements(trend(replace(TREND, points=[point], revisions=())), "path", "band")
    heights = [float(each) for each in band.get("d", "").strip("Mz").split()[1::2]]
    assert (min(heights), max(heights)) == (45, 246)  # of the notice's row, and of the axis


def test_a_high_estimate_widens_the_axis() -> None:
    revision = TrendRevision(1, TREND.last_day, 3, IntervalEstimate(9.5, 8.0, 10.5))
    svg = trend(replace(TREND, revisions=[revision]))
    assert "10" in texts_of(svg, "t e")


def test_undefined_numbers_are_said_not_drawn() -> None:
    point = TrendPoint(TREND.first_day, 0, None, IntervalEstimate(None, None, None))
    svg = trend(replace(TREND, points=[point], revisions=()))
    assert not elements(svg, "path", "band")
    assert "Nothing can be computed in these days" in texts_of(svg)
    assert any("undefined" in entry for entry in entries_of(svg))


def test_steps_within_a_pixel_are_one() -> None:
    day = date(1990, 1, 1)
    points = [
        TrendPoint(day + timedelta(days=n), n, 1.0, IntervalEstimate(n % 5, n % 5 - 1, n % 5 + 1))
        for n in range(9000)
    ]
    facts = replace(TREND, first_day=day, last_day=points[-1].day, points=points, revisions=())
    assert len(trend(facts)) < 100_000
