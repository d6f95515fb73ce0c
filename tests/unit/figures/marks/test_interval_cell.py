"""The interval cell and its axis."""

from math import inf

import pytest

from streams.figures.drawing.intervals import IntervalEstimate
from streams.figures.marks.interval_cell import (
    HIGHEST,
    LOWEST,
    IntervalCellFacts,
    interval_axis,
    interval_cell,
)
from tests.support.pictures import elements, entries_of, intervals_in, root_of, texts_of

NOW, BEFORE = IntervalEstimate(4.44, 3.46, 5.16), IntervalEstimate(3.86, 2.6, 4.73)


def test_its_numbers_are_those_given() -> None:
    entries = entries_of(interval_cell(IntervalCellFacts(NOW, BEFORE), name="row1"))
    assert [intervals_in(each) for each in entries] == [[(4.44, 3.46, 5.16)], [(3.86, 2.6, 4.73)]]


def test_it_stands_on_the_axis_of_its_column() -> None:
    axis = {
        text: float(each.get("x", 0))
        for text, each in zip(
            texts_of(interval_axis()), elements(interval_axis(), "text"), strict=True
        )
    }
    svg = interval_cell(IntervalCellFacts(IntervalEstimate(4.0, 2.0, 6.0)))
    (mark,) = elements(svg, "circle", "est")
    (cap,) = elements(svg, "line", "cap")
    assert float(mark.get("cx", 0)) == axis["4"]
    assert float(cap.get("x1", 0)) == axis["2"]


def test_a_ghost_stands_above_where_there_was_a_sign_off() -> None:
    svg = interval_cell(IntervalCellFacts(NOW, BEFORE))
    (ghost,) = elements(svg, "circle", "ghostdot")
    (mark,) = elements(svg, "circle", "est")
    assert float(ghost.get("cy", 0)) < float(mark.get("cy", 0))
    assert not elements(interval_cell(IntervalCellFacts(NOW)), "circle", "ghostdot")


def test_a_signal_that_is_off_is_hollow() -> None:
    svg = interval_cell(IntervalCellFacts(NOW, is_on=False), name="x")
    assert elements(svg, "circle", "est off")
    assert entries_of(svg)[-1] == "No rule is on"
    assert elements(interval_cell(IntervalCellFacts(NOW)), "circle", "est on")


@pytest.mark.parametrize(
    ("lower", "upper", "arrows", "caps"),
    [(LOWEST, HIGHEST, 0, 1), (-3.1, 6.1, 2, 0), (-inf, inf, 2, 0)],
)
def test_bounds_beyond_the_axis_are_arrows(
    lower: float, upper: float, arrows: int, caps: int
) -> None:
    svg = interval_cell(IntervalCellFacts(IntervalEstimate(1.0, lower, upper)))
    assert len(elements(svg, "path", "solid")) == arrows
    assert len(elements(svg, "line", "cap")) == caps


def test_an_undefined_estimate_is_a_word() -> None:
    svg = interval_cell(IntervalCellFacts(IntervalEstimate(None, None, None)))
    assert texts_of(svg) == ["undefined"]
    assert not elements(svg, "circle", "est")


def test_without_a_name_it_is_hidden_from_screen_readers() -> None:
    assert root_of(interval_cell(IntervalCellFacts(NOW))).get("aria-hidden") == "true"
    assert root_of(interval_cell(IntervalCellFacts(NOW), name="x")).get("role") == "img"
