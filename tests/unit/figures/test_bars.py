"""Bars: values on one scale, written at their ends."""

from dataclasses import replace

from streams.figures.bars import BarRow, BarsFacts, bars
from tests.support.picture_facts import BARS
from tests.support.pictures import elements, entries_of, texts_of


def test_values_are_written_as_given() -> None:
    assert entries_of(bars(BARS)) == ["few more cases: 12", "none: 0"]
    assert {"12", "0"} <= set(texts_of(bars(BARS)))


def test_lengths_are_in_proportion_and_none_is_none() -> None:
    rows = [BarRow(str(value), value, str(value)) for value in (0, 100, 200)]
    widths = [
        float(each.get("width", 0))
        for each in elements(bars(BarsFacts("x", rows)), "rect", "barfill")
    ]
    assert widths[0] == 0
    assert abs(widths[2] - 2 * widths[1]) <= 0.2


def test_the_scale_may_be_given() -> None:
    (wide,) = elements(bars(replace(BARS, rows=BARS.rows[:1])), "rect", "barfill")
    (half,) = elements(bars(replace(BARS, rows=BARS.rows[:1], most=24)), "rect", "barfill")
    assert abs(float(wide.get("width", 0)) - 2 * float(half.get("width", 0))) <= 0.2
