"""The restricted comparator: ratios on a log axis."""

from math import inf

from streams.figures.restricted import restricted
from tests.support.picture_facts import RESTRICTED
from tests.support.pictures import elements, entries_of, intervals_in, texts_of


def test_the_description_has_both_ratios_of_every_row() -> None:
    first, second = entries_of(restricted(RESTRICTED))
    assert first.startswith("1 Mar: 3 cases, ")
    assert intervals_in(first) == [(4.75, 1.5, 15.2)]  # three significant digits
    assert intervals_in(second) == [(6.25, 2.5, inf), (3.5, 0.5, 20.0)]


def test_a_row_without_a_comparison_says_so() -> None:
    svg = restricted(RESTRICTED)
    assert "within not computed" in texts_of(svg)
    assert len(elements(svg, "circle", "est on")) == 2
    assert len(elements(svg, "circle", "est hollow")) == 1


def test_an_unbounded_ratio_is_an_arrow() -> None:
    assert len(elements(restricted(RESTRICTED), "path", "ci solid")) == 1


def test_the_axis_has_ratios() -> None:
    assert {"1", "4"} <= set(texts_of(restricted(RESTRICTED, width=680), "t m"))
