"""Estimates with their bounds, as marks and in words."""

from math import inf

import pytest

from streams.figures.drawing.intervals import (
    IntervalEstimate,
    cases_in_words,
    dot,
    estimate_in_words,
    estimate_line,
    interval_line,
    log2_estimate,
    rhombus,
    square,
)
from streams.figures.drawing.scales import LinearScale
from streams.figures.drawing.texts import figure_texts

SCALE = LinearScale(-2, 6, 0, 80)
EN = figure_texts("en")


@pytest.mark.parametrize(
    ("estimate", "shown"),
    [
        (IntervalEstimate(4.437, -0.004, 5.164), "4.44 [0.00, 5.16]"),
        (IntervalEstimate(-1.0, -inf, inf), "−1.00 [unbounded, unbounded]"),
        (IntervalEstimate(1.0, None, 2.0), "1.00 [undefined, 2.00]"),
        (IntervalEstimate(None, 1.0, 2.0), "undefined"),
    ],
)
def test_an_estimate_in_words(estimate: IntervalEstimate, shown: str) -> None:
    assert estimate_in_words(estimate, EN) == shown


def test_a_ratio_has_three_significant_digits() -> None:
    ratio = IntervalEstimate(1416.2, 447.04, 4491.0)
    assert estimate_in_words(ratio, EN, ratio=True) == "1,420 [447, 4,490]"


@pytest.mark.parametrize(
    ("lower", "upper", "arrows"), [(-1, 5, 0), (-3, 5, 1), (-1, inf, 1), (-inf, 9, 2), (-2, 6, 0)]
)
def test_a_bound_beyond_the_scale_is_an_arrow(lower: float, upper: float, arrows: int) -> None:
    assert interval_line(SCALE, lower, upper, 5, "ci").count("solid") == arrows


def test_an_interval_with_an_undefined_bound_has_no_line() -> None:
    assert estimate_line(SCALE, IntervalEstimate(1, None, 2), 5, "ci") == ""
    assert estimate_line(SCALE, IntervalEstimate(1, 0, None), 5, "ci") == ""
    assert estimate_line(SCALE, IntervalEstimate(1, 0, 2), 5, "ci").startswith("<line")


def test_the_logarithm_of_a_ratio() -> None:
    assert log2_estimate(IntervalEstimate(8, 0.5, inf)) == IntervalEstimate(3, -1, inf)
    assert log2_estimate(IntervalEstimate(0, -1, None)) == IntervalEstimate(-inf, None, None)


def test_cases_with_and_without_an_expected_count() -> None:
    assert cases_in_words(1, 0.0309, EN) == "1 case, 0.0309 expected"
    assert cases_in_words(1_234_567, None, EN) == "1,234,567 cases"
    assert cases_in_words(0, 0.0, figure_texts("ja")) == "0例、期待0例"


def test_marks_are_around_their_place() -> None:
    assert dot(3, 4, 2, "est") == '<circle cx="3" cy="4" r="2" class="est"/>'
    assert square(3, 4, 2, "est") == '<rect x="1" y="2" width="4" height="4" class="est"/>'
    assert rhombus(3, 4, 2, "est").startswith('<path d="M3 2l2 2 -2 2 -2 -2z"')
