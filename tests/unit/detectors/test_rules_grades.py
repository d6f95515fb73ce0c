"""Grades of rules: which option gives which, their bits and their hash."""

import math
from pathlib import Path

import polars as pl
import pytest

from detectors.rules import load_rules
from schemas.errors import RuleError


@pytest.mark.parametrize(
    ("rule", "ic_lower", "e_value", "scaled", "n", "fired"),
    [
        ("tocsin", math.nextafter(0, 1), 8.0, 8.0, 3, True),
        ("tocsin", 0.0, 8.0, 8.0, 3, False),
        ("tocsin", 9.0, math.nextafter(8, 0), 8.0, 3, False),
        ("tocsin", 9.0, 99.0, math.nextafter(8, 0), 3, False),
        ("tocsin", 9.0, None, None, 3, False),
        ("tocsin", 9.0, 8.0, 8.0, 2, False),
        ("screening", math.nextafter(0, 1), None, None, 3, True),
        ("screening", 0.0, 9.0, 9.0, 3, False),
        ("screening", 9.0, 9.0, 9.0, 2, False),
    ],
)
def test_the_default_rules_at_their_exact_inequalities(
    rule: str, ic_lower: float, e_value: float | None, scaled: float | None, n: int, fired: bool
) -> None:
    of_test = {"e_value_blocked": e_value, "e_value_budgeted": scaled}
    row = {"ic_lower_adjusted": ic_lower, **of_test, "n_observed": n}
    scored = pl.DataFrame([row], schema_overrides=dict.fromkeys(of_test, pl.Float64))
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


def test_a_rule_requires_what_it_cannot_hold_without(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    ic, e = (f'{{ statistic = "{name}", op = ">", value = 1 }}' for name in ("ic", "e_value"))
    listed = '{ column = "event", on_list = "mine", without_list = true }'
    path.write_text(
        "".join(
            f'[{name}]\ntitle = "t"\nsource = "s"\n{condition}\n'
            for name, condition in (
                ("both", f"all = [{ic}, {e}]"),
                ("either", f"any = [{ic}, {e}]"),
                ("nested", f"any = [{e}, {{ all = [{listed}, {e}] }}]"),
            )
        )
    )
    rules = load_rules(path, {"mine": ["Rash"]}).rules
    found = {rule.name: rule.requires({"e_value", "e_bh_level"}) for rule in rules}
    assert found == {"both": True, "either": False, "nested": True}
