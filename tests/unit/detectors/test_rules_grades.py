"""Grades of rules: which option gives which, their bits and their hash."""

import math

import polars as pl
import pytest

from detectors.rules import load_rules
from schemas.errors import RuleError


@pytest.mark.parametrize(
    ("rule", "ic_lower", "n", "fired"),
    [
        ("tocsin", math.nextafter(0.4, 1), 3, True),
        ("tocsin", 0.4, 3, False),
        ("tocsin", 9.0, 2, False),
        ("screening", math.nextafter(0, 1), 3, True),
        ("screening", 0.0, 3, False),
        ("screening", 9.0, 2, False),
    ],
)
def test_the_default_rules_at_their_exact_inequalities(
    rule: str, ic_lower: float, n: int, fired: bool
) -> None:
    scored = pl.DataFrame({"ic_lower": [ic_lower], "n_observed": [n]})
    assert load_rules(rule).evaluate(scored)[rule].to_list() == [fired]


def test_the_hash_covers_the_grade_of_each_rule() -> None:
    """Rules without a screening keep the hash that they had before there were grades."""
    both = load_rules(["mhra", "ic"]).rules_hash
    hashes = {
        both,
        load_rules("mhra", screening="ic").rules_hash,
        load_rules("ic", screening="mhra").rules_hash,
        load_rules("mhra").rules_hash,
    }
    assert len(hashes) == 4
    wider = load_rules("mhra", screening=["ic", "ema"]).rules_hash
    assert load_rules("mhra", screening=["ema", "ic"]).rules_hash == wider


def test_rules_have_the_grade_for_which_they_are_asked() -> None:
    rules = load_rules(["ic", "mhra"], screening=["screening", "mhra", "ema"])
    assert [(rule.name, rule.grade) for rule in rules.rules] == [
        ("ic", "alarm"),
        ("mhra", "alarm"),
        ("screening", "screening"),
        ("ema", "screening"),
    ]
    assert rules.alarm_mask == 0b0011
    assert load_rules("mhra").alarm_mask == 0b1


def test_a_list_may_be_one_that_the_screening_asks_for() -> None:
    asked = {"important_events": ["Sepsis"]}
    rules = load_rules("tocsin", asked, screening="ema")
    assert "on the list important_events" in rules.rules[1].sentence


def test_a_rule_of_the_screening_given_twice_is_refused() -> None:
    with pytest.raises(RuleError, match=r"a rule must be given once; got \['ic'\] more than once"):
        load_rules("mhra", screening=["ic", "ic"])


def test_a_screening_without_an_alarm_is_refused() -> None:
    with pytest.raises(RuleError, match=r"^load_rules: at least one rule must be given; got \[\]"):
        load_rules([], screening="ic")
