"""Grades of signals: from which rules, and how each change of one is published."""

from typing import Any

import pytest

from schemas.alert import SignalGrade
from streams.core.signals.decisions import DROPPED, GRADES
from streams.core.signals.new_evidence import CaseChanges
from streams.core.signals.published_signals import Signals
from tests.support.one_signal import (
    DEFAULTS,
    A,
    B,
    decided_for,
    evidence_of,
    published_in,
    scored_as,
    signals_with,
)

ONE_LEFT = evidence_of(left=(12,))
ALARM, SCREENING = map(GRADES.index, (SignalGrade.ALARM, SignalGrade.SCREENING))


@pytest.mark.parametrize(
    ("was", "scored", "evidence", "expected", "grade"),
    [
        # A is the alarm's rule, B the screening's.
        ({}, {"entered": B}, None, ("weakened", "no_longer_alarm", "rule_off", "further_rule"), 1),
        ({"on": A | B}, {"entered": B}, None, ("weakened", "no_longer_alarm", "rule_off"), 1),
        ({"on": A | B}, {"entered": 0, "held": A}, None, ("weakened", "rule_off"), 0),
        (
            {"on": B, "grade": 1},
            {"entered": A | B},
            None,
            ("strengthened", "now_alarm", "further_rule"),
            0,
        ),
        (
            {"on": B, "grade": 1},
            {"entered": A},
            None,
            ("strengthened", "rule_off", "now_alarm", "further_rule"),
            0,
        ),
        # with a case that left as well: it is raised all the same
        (
            {"on": B, "grade": 1},
            {"entered": A, "n": 2},
            ONE_LEFT,
            ("strengthened", "cases_retracted", "rule_off", "now_alarm", "further_rule"),
            0,
        ),
        # the rules of the alarm changed, and nothing else
        ({"on": B}, {"entered": B}, None, ("weakened", "no_longer_alarm"), 1),
        ({"on": A, "grade": 1}, {"entered": A}, None, ("strengthened", "now_alarm"), 0),
        (
            {"on": B | DROPPED},
            {"entered": B},
            None,
            ("weakened", "no_longer_alarm", "rule_dropped"),
            1,
        ),
        # off: the grade is the last one, and no reason
        ({}, {"entered": 0, "held": B}, None, ("closed", "no_rule_on"), 0),
        ({"on": B, "grade": 1}, {"entered": 0, "held": A}, None, ("closed", "no_rule_on"), 1),
        # on again
        ({"on": 0}, {"entered": B}, None, ("strengthened", "no_longer_alarm", "reopened"), 1),
        ({"on": 0, "grade": 1}, {"entered": A}, None, ("strengthened", "reopened", "now_alarm"), 0),
        ({"on": 0, "grade": 1}, {"entered": B}, None, ("strengthened", "reopened"), 1),
    ],
)
def test_a_change_of_grade_is_published_with_its_reason(
    was: dict[str, Any],
    scored: dict[str, Any],
    evidence: CaseChanges | None,
    expected: tuple[str, ...],
    grade: int,
) -> None:
    """Whatever the policy publishes of further rules."""
    for policy in (DEFAULTS, DEFAULTS.model_copy(update={"further_rule": False})):
        now, before = scored_as(alarm=A, **scored), signals_with(**was)
        decided = decided_for(now, before, evidence, policy=policy)
        due = expected if policy.further_rule else tuple(c for c in expected if c != "further_rule")
        assert published_in(decided) == [due]
        assert decided.grades.tolist() == [grade]


@pytest.mark.parametrize(("entered", "grade"), [(A, ALARM), (B, SCREENING), (A | B, ALARM)])
def test_the_grade_of_a_new_signal_is_that_of_its_rules(entered: int, grade: int) -> None:
    decided = decided_for(scored_as(entered, alarm=A), Signals())
    assert published_in(decided) == [("new", "first")]
    assert decided.grades.tolist() == [grade]
