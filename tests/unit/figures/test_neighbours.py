"""Neighbours: with all reports solid, without the shared ones dashed and hollow."""

from dataclasses import replace

from streams.figures.drawing.intervals import IntervalEstimate
from streams.figures.neighbours import CountedEstimate, NeighbourRow, neighbours
from tests.support.picture_facts import NEIGHBOURS
from tests.support.pictures import elements, entries_of, intervals_in, texts_of

STRONG = CountedEstimate(9, IntervalEstimate(3.0, 2.0, 4.0))
WEAK = CountedEstimate(2, IntervalEstimate(1.0, -0.5, 2.0))


def test_the_description_has_both_estimates_of_every_product() -> None:
    facts = replace(NEIGHBOURS, pair=STRONG, rows=[NeighbourRow("iron", 6, STRONG, WEAK)])
    pair, iron = entries_of(neighbours(facts))
    assert intervals_in(pair) == [(3.0, 2.0, 4.0)]
    assert intervals_in(iron) == [(3.0, 2.0, 4.0), (1.0, -0.5, 2.0)]
    assert iron.startswith("iron: 9 cases, ")
    assert "without: 2 cases" in iron
    assert "named by 6 of the 9 cases" in iron


def test_only_what_is_above_zero_in_all_reports_is_solid() -> None:
    rows = [NeighbourRow("iron", 6, STRONG, STRONG), NeighbourRow("lead", 1, WEAK, WEAK)]
    svg = neighbours(replace(NEIGHBOURS, pair=STRONG, rows=rows))
    assert len(elements(svg, "circle", "est on")) == 2  # the pair and iron
    assert len(elements(svg, "circle", "est hollow")) == 3
    assert len(elements(svg, "line", "ci without")) == 2


def test_an_undefined_estimate_is_a_word_and_no_mark() -> None:
    svg = neighbours(NEIGHBOURS)
    assert len(elements(svg, "circle", "est")) == 4  # of 5 estimates
    assert "without: 1 case, undefined" in texts_of(svg)


def test_a_pair_without_neighbours_stands_alone() -> None:
    svg = neighbours(replace(NEIGHBOURS, rows=()))
    assert len(elements(svg, "circle", "est")) == 1
    assert "No other product is named by these cases" in texts_of(svg)
