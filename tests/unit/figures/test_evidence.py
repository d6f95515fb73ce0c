"""The evidence: the path of the e-value, its revisions and its threshold."""

import math
from dataclasses import replace

import pytest

from streams.figures.evidence import EvidencePoint, evidence
from tests.support.picture_facts import DAY, EVIDENCE
from tests.support.pictures import elements, entries_of, number_in, texts_of


def test_the_description_has_each_day_as_given() -> None:
    *entries, rule = entries_of(evidence(EVIDENCE))
    for entry, point in zip(entries, EVIDENCE.points, strict=True):
        value = number_in(entry.rpartition(" ")[2])
        assert point.day.isoformat() in entry
        assert (f"Revision {point.revision}, " in entry) == (point.revision is not None)
        if point.log_e_value is None:
            assert value is None
        else:
            assert value == pytest.approx(math.exp(point.log_e_value), rel=5e-3)
    assert "5% of histories" in rule


def test_revisions_are_diamonds_and_those_after_the_sign_off_in_accent() -> None:
    svg = evidence(EVIDENCE)
    assert len(elements(svg, "path", "est on")) == 1
    assert len(elements(svg, "path", "est new")) == 1
    assert "r2" in texts_of(svg, "a b")


def test_the_threshold_stands_at_twenty() -> None:
    at_twenty = replace(EVIDENCE, points=[EvidencePoint(DAY, math.log(20), 1)])
    svg = evidence(at_twenty)
    (limit,) = elements(svg, "line", "limit")
    (mark,) = elements(svg, "path", "est")
    height = float(mark.get("d", "").split("l")[0].split()[1]) + 5  # the top of a diamond of 5
    assert height == pytest.approx(float(limit.get("y1", 0)), abs=0.11)


def test_an_e_value_below_one_is_at_the_foot() -> None:
    low = replace(EVIDENCE, points=[EvidencePoint(DAY, -3.0), EvidencePoint(DAY, -5.0, 1)])
    svg = evidence(low)
    assert "≤ 1" in texts_of(svg)
    assert entries_of(svg)[1].endswith("0.00674")


def test_a_huge_e_value_is_a_power_of_ten() -> None:
    svg = evidence(replace(EVIDENCE, points=[EvidencePoint(DAY, 1000 * math.log(10) + 0.01)]))
    assert "1.0 × 10¹⁰⁰⁰" in texts_of(svg)


@pytest.mark.parametrize(
    ("power", "shown"), [(30.9977, "9.9 × 10³⁰"), (30.998, "1.0 × 10³¹"), (6.99, "9,770,000")]
)
def test_a_mantissa_is_below_ten(power: float, shown: str) -> None:
    svg = evidence(replace(EVIDENCE, points=[EvidencePoint(DAY, power * math.log(10))]))
    assert entries_of(svg)[0].endswith(shown)
