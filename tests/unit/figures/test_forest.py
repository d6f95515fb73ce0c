"""The forest: rows as given, hollow where the interval reaches no excess."""

from dataclasses import replace
from math import inf

import pytest

from streams.figures.drawing.intervals import IntervalEstimate
from streams.figures.forest import ForestFacts, ForestRow, forest
from tests.support.picture_facts import FOREST
from tests.support.pictures import elements, entries_of, intervals_in, number_in, texts_of


def test_the_description_has_every_row_as_given() -> None:
    for entry, row in zip(entries_of(forest(FOREST)), FOREST.rows, strict=True):
        label, _, numbers = entry.partition(": ")
        assert label == row.label
        cases, expected = numbers.split(", ")[:2]
        assert int(cases.split()[0]) == row.n_observed
        found = number_in(expected.split()[0])
        assert found is not None
        assert abs(found - (row.expected or 0)) <= 0.0005
        estimate = row.estimate
        bounds = [(estimate.value, estimate.lower, estimate.upper)]
        assert intervals_in(entry) == (bounds if estimate.value is not None else [])
    assert "undefined" in entries_of(forest(FOREST))[-1]


def test_a_mark_is_hollow_where_the_interval_reaches_no_excess() -> None:
    svg = forest(FOREST)
    hollow, solid = (elements(svg, "rect", cls) for cls in ("est hollow", "est on"))
    assert (len(hollow), len(solid)) == (1, 1)
    assert len(elements(svg, "path", "est on")) == 1  # the adjusted row is a diamond


def test_squares_grow_with_the_root_of_the_cases() -> None:
    rows = [ForestRow(str(n), n, 1.0, IntervalEstimate(2, 1, 3)) for n in (0, 25, 100)]
    sides = [
        float(each.get("width", 0))
        for each in elements(forest(ForestFacts("a", "b", rows)), "rect", "est")
    ]
    assert sides[1] - sides[0] == pytest.approx(sides[2] - sides[1], abs=0.2)
    assert sides[1] - sides[0] > 4


def test_groups_are_separated_by_a_rule() -> None:
    lines = [each for each in elements(forest(FOREST), "line", "g") if each.get("x1") == "0"]
    assert len(lines) == 1


def test_bounds_beyond_the_axis_are_arrows() -> None:
    row = ForestRow("a", 3, 0.1, IntervalEstimate(2.0, -inf, inf))
    svg = forest(replace(FOREST, rows=[row]))
    assert len(elements(svg, "path", "ci solid")) == 2
    assert intervals_in(entries_of(svg)[0]) == [(2.0, inf, inf)]


def test_ratios_stand_on_a_log_axis() -> None:
    rows = [ForestRow("a", 3, 0.1, IntervalEstimate(ratio, 1.5, 300)) for ratio in (2, 8, 32)]
    svg = forest(ForestFacts("a", "b", rows, measure="ROR"))
    places = [float(each.get("x", 0)) for each in elements(svg, "rect", "est on")]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.3)
    assert places[1] > places[0]
    assert "ROR, log scale" in texts_of(svg)
    assert "4" in texts_of(svg, "t m")
