"""Exits: what holds a pair once a rule has flagged it, and every way to get one wrong."""

import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.conditions import STATISTICS, Comparison
from detectors.rules import PRESETS, RuleSet, load_rules
from schemas.errors import RuleError


def _masks(rules: RuleSet, **values: object) -> tuple[int, int]:
    row = {"drug": "a", "event": "sepsis", **values}
    found = pl.DataFrame({name: [value] for name, value in row.items()}).select(rules.masks())
    assert dict(found.schema) == {"entered": pl.Int64, "held": pl.Int64}
    entered, held = found.row(0)
    return entered, held


def _below(value: float) -> float:
    return math.nextafter(value, -math.inf)


def _above(value: float) -> float:
    return math.nextafter(value, math.inf)


@pytest.mark.parametrize(
    ("rule", "at_exit"),
    [
        ("mhra", {"prr": 1.68, "chi2_yates": 2.71, "n_observed": 3}),
        ("ema", {"ror_lower": 0.84, "n_observed": 5}),
        ("ema2006", {"prr_lower": 0.84, "n_observed": 5}),
        ("ic", {"ic_lower": -0.25}),
        ("mhra_eb", {"eb05": 1.51, "ebgm": 2.1, "n_observed": 3}),
        ("eb05", {"eb05": 1.68}),
        ("safe", {"e_bh_level": 0.2}),
        (
            "tocsin",
            {
                "ic_lower_adjusted": -0.25,
                "e_value_blocked": 4,
                "e_value_budgeted": 0,
                "n_observed": 3,
            },
        ),
        ("screening", {"ic_lower_adjusted": -0.25, "n_observed": 3}),
    ],
)
def test_a_preset_holds_down_to_its_exits_and_no_further(
    rule: str, at_exit: dict[str, float]
) -> None:
    rules = load_rules(rule)
    assert _masks(rules, **at_exit) == (0, 1)
    for statistic, bound in at_exit.items():
        past = _above(bound) if rule == "safe" else _below(bound)
        beyond: object = bound - 1 if statistic == "n_observed" else past
        assert _masks(rules, **{**at_exit, statistic: beyond}) == (0, 0)
        assert _masks(rules, **{**at_exit, statistic: None}) == (0, 0)


def test_every_preset_is_of_the_table_above() -> None:
    agencies = {"mhra", "ema", "ema2006", "ic", "mhra_eb", "eb05", "safe"}
    assert set(PRESETS) == agencies | {"tocsin", "screening"}


def test_a_drug_under_additional_monitoring_is_held_with_the_cases_it_entered_with() -> None:
    rules = load_rules("ema", {"additional_monitoring": ["A."]})
    assert _masks(rules, ror_lower=0.84, n_observed=3) == (0, 1)
    assert _masks(rules, ror_lower=0.84, n_observed=2) == (0, 0)
    assert _masks(rules, ror_lower=0.84, n_observed=3, drug="b") == (0, 0)
    assert rules.columns == {"drug"}


EVERY_RULE = load_rules(list(PRESETS), {"additional_monitoring": ["A"], "important_events": ["E"]})


@given(
    numbers=st.fixed_dictionaries(
        {
            name: st.one_of(
                st.none(),
                st.sampled_from([-0.25, 0.0, 0.05, 0.2, 0.84, 1.0, 1.68, 2.0, 2.71, 4.0, math.inf]),
                st.floats(-1, 5),
            )
            for name in STATISTICS
            if name != "n_observed"
        }
    ),
    n=st.integers(0, 6),
    drug=st.sampled_from(["a", "b"]),
    event=st.sampled_from(["e", "f"]),
)
def test_whatever_enters_holds(
    numbers: dict[str, float | None], n: int, drug: str, event: str
) -> None:
    row = {**numbers, "n_observed": n, "drug": drug, "event": event}
    frame = pl.DataFrame({name: [value] for name, value in row.items()}, strict=False)
    frame = frame.with_columns(pl.col(list(numbers)).cast(pl.Float64))
    entered, held = frame.select(EVERY_RULE.masks()).row(0)
    assert entered & ~held == 0
    flags = EVERY_RULE.evaluate(frame).row(0)
    assert entered == sum(flag << bit for bit, flag in enumerate(flags))


def test_the_bits_follow_the_order_of_the_rules() -> None:
    assert _masks(load_rules(["ic", "eb05"]), ic_lower=1.0, eb05=1.7) == (1, 3)
    assert _masks(load_rules(["eb05", "ic"]), ic_lower=1.0, eb05=1.7) == (2, 3)


def test_a_comparison_without_an_exit_holds_as_it_enters() -> None:
    for op in (">=", ">", "<=", "<"):
        plain = Comparison(statistic="prr", op=op, value=2)
        frame = pl.DataFrame({"prr": [1.0, 2.0, 3.0, None, math.inf, math.nan]})
        entered, held = (
            frame.select(plain.expression(held=held)).to_series() for held in (False, True)
        )
        assert entered.equals(held)


def test_exits_are_said_in_words() -> None:
    rules = load_rules(
        ["mhra", "ema", "ic", "safe"],
        {"additional_monitoring": ["A"], "important_events": ["Sepsis"]},
    )
    assert [rule.exit_sentence for rule in rules.rules] == [
        "PRR < 1.68 or chi-squared with Yates's correction < 2.71 or cases observed < 3",
        "lower 95% bound of the ROR < 0.84 or (cases observed < 5 and (cases observed < 3 or "
        "drug is not on the list additional_monitoring)) or "
        "event is not on the list important_events",
        "lower 95% bound of the IC < -0.25",
        "false discovery rate at which e-BH flags it > 0.2",
    ]


def _own(folder: Path, comparison: str) -> RuleSet:
    path = folder / "own.toml"
    path.write_text(
        f"[own]\ntitle = 't'\nsource = 's'\nall = [{{ statistic = 'prr', {comparison} }}]",
        encoding="utf-8",
    )
    return load_rules(path)


@pytest.mark.parametrize(
    ("comparison", "message"),
    [
        ("op = '>=', value = 2, exit = 2", "below 2; got 2"),
        ("op = '>', value = 2, exit = 2.5", r"below 2; got 2\.5"),
        ("op = '<=', value = 2, exit = 2", "above 2; got 2"),
        ("op = '<', value = 2, exit = 1", "above 2; got 1"),
    ],
)
def test_an_exit_that_is_not_laxer_is_refused(
    tmp_path: Path, comparison: str, message: str
) -> None:
    with pytest.raises(
        RuleError,
        match=r"^rule 'own': key 'all\.0\.exit' is malformed: An exit must be laxer than its "
        rf"entry: {message}$",
    ):
        _own(tmp_path, comparison)


@pytest.mark.parametrize(
    ("comparison", "message"),
    [
        ("op = '>=', value = 2, exit = nan", r"all\.0\.exit' is malformed: Input should be a fin"),
        ("op = '>=', value = 2, exit = 'x'", r"all\.0\.exit' is malformed: Input should be a val"),
        ("op = '=>', value = 2, exit = 1", r"all\.0\.op' is malformed: Input should be '>=', "),
    ],
)
def test_a_malformed_exit_is_refused(tmp_path: Path, comparison: str, message: str) -> None:
    with pytest.raises(RuleError, match=message):
        _own(tmp_path, comparison)


def test_the_hash_follows_the_exit(tmp_path: Path) -> None:
    hashes = [
        _own(tmp_path, f"op = '>=', value = 2{rest}").rules_hash
        for rest in ("", ", exit = 1.5", ", exit = 1.4")
    ]
    assert len(set(hashes)) == 3
