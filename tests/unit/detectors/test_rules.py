"""Signal rules: their inequalities, lists, hash, words, floors, and every way to get one wrong."""

import math
from pathlib import Path

import polars as pl
import pytest

from detectors.conditions import STATISTICS
from detectors.rules import PRESETS, RuleSet, load_rules
from detectors.scoring import METHODS, methods_for, score
from schemas.counts import MARGINS
from schemas.errors import RuleError


def _fires(rule: str, lists: dict[str, list[str]] | None = None, **values: object) -> bool:
    row = {"drug": "A", "event": "Sepsis", **values}
    flags = load_rules(rule, lists).evaluate(pl.DataFrame({k: [v] for k, v in row.items()}))
    assert flags.columns == [rule]
    assert flags.schema[rule] == pl.Boolean
    fired = flags[rule].item()
    assert fired is not None
    return bool(fired)


def _below(value: float) -> float:
    return math.nextafter(value, -math.inf)


MHRA = {"prr": 2.0, "chi2_yates": 4.0, "n_observed": 3}
EMA = {"ror_lower": math.nextafter(1, 2), "n_observed": 5}
EMA2006 = {"prr_lower": 1.0, "n_observed": 5}
IC = {"ic_lower": math.nextafter(0, 1)}


@pytest.mark.parametrize(
    ("rule", "change", "fired"),
    [
        ("mhra", {}, True),
        ("mhra", {"prr": _below(2)}, False),
        ("mhra", {"chi2_yates": _below(4)}, False),
        ("mhra", {"n_observed": 2}, False),
        ("mhra", {"prr": math.inf}, True),
        ("mhra", {"prr": None}, False),
        ("mhra", {"prr": math.nan}, False),
        ("mhra", {"chi2_yates": None}, False),
        ("ema", {}, True),
        ("ema", {"ror_lower": 1.0}, False),
        ("ema", {"ror_lower": None}, False),
        ("ema", {"n_observed": 4}, False),
        ("ema2006", {}, True),
        ("ema2006", {"prr_lower": _below(1)}, False),
        ("ema2006", {"n_observed": 4}, False),
        ("ic", {}, True),
        ("ic", {"ic_lower": 0.0}, False),
        ("ic", {"ic_lower": -math.inf}, False),
        ("ic", {"ic_lower": None}, False),
    ],
)
def test_presets_at_their_exact_inequalities(
    rule: str, change: dict[str, float | None], fired: bool
) -> None:
    on_the_line = {"mhra": MHRA, "ema": EMA, "ema2006": EMA2006, "ic": IC}[rule]
    assert _fires(rule, **{**on_the_line, **change}) is fired


def test_additional_monitoring_lowers_the_emas_count_for_listed_drugs_only() -> None:
    three = {**EMA, "n_observed": 3}
    assert not _fires("ema", **three)
    assert _fires("ema", {"additional_monitoring": ["A"]}, **three)
    assert not _fires("ema", {"additional_monitoring": ["B"]}, **three)
    assert not _fires("ema", {"additional_monitoring": ["A"]}, **{**three, "n_observed": 2})
    assert _fires("ema", {"additional_monitoring": []}, **EMA)


def test_important_events_restrict_the_ema_rule_where_given() -> None:
    assert _fires("ema", {"important_events": ["Rash", "Sepsis"]}, **EMA)
    assert not _fires("ema", {"important_events": ["Rash"]}, **EMA)
    assert not _fires("ema", {"important_events": ["Rash"]}, **{**EMA, "event": None})


def test_lists_meet_categorical_names() -> None:
    scored = pl.DataFrame({"drug": ["A"], "event": ["Sepsis"], "ror_lower": 2.0, "n_observed": 5})
    rules = load_rules("ema", {"important_events": ["Sepsis"]})
    assert rules.evaluate(scored.cast({"event": pl.Categorical}))["ema"].to_list() == [True]


def test_rows_keep_their_order_and_each_rule_has_a_column() -> None:
    counts = pl.DataFrame(
        {
            "drug": ["A", "B", "C"],
            "event": ["Sepsis", "Sepsis", "Rash"],
            "n_observed": [5, 1, 5],
            "n_drug": [5, 10, 100],
            "n_event": [40, 40, 5],
            "n_total": [10000, 10000, 10000],
        }
    )
    rules = load_rules(["ic", "mhra", "ema", "ema2006"])
    flags = rules.evaluate(score(counts, methods_for(rules.statistics)))
    # A has no case without the event: its ROR is unbounded, with an exact lower bound. C has the
    # only cases of its event: its PRR is, too.
    assert flags.to_dict(as_series=False) == {
        "ic": [True, False, True],
        "mhra": [True, False, True],
        "ema": [True, False, True],
        "ema2006": [True, False, True],
    }
    assert rules.evaluate(score(counts.clear())).shape == (0, 4)


def test_statistics_are_the_columns_that_are_compared() -> None:
    assert load_rules("mhra").statistics == {"prr", "chi2_yates", "n_observed"}
    assert load_rules(["ema", "ic"]).statistics == {"ror_lower", "n_observed", "ic_lower"}


def test_every_statistic_that_can_be_scored_has_words() -> None:
    row_by_row = [method for method in METHODS.values() if not method.on_request]
    scored = {column for method in row_by_row for column in method.columns}
    assert scored | set(MARGINS) <= set(STATISTICS)


@pytest.mark.parametrize(
    ("rule", "lists", "floor"),
    [
        ("mhra", {}, 3),
        ("ema", {}, 5),
        ("ema", {"additional_monitoring": ["A"]}, 3),
        ("ema2006", {}, 5),
        ("ic", {}, 3),
    ],
)
def test_floors(rule: str, lists: dict[str, list[str]], floor: int) -> None:
    assert load_rules(rule, lists).floor == floor


def test_the_floor_of_a_set_is_its_lowest() -> None:
    assert load_rules(["ema2006", "ic"]).floor == 3


@pytest.mark.parametrize(
    ("statistic", "op", "value", "floor"),
    [
        ("n_observed", ">", 3, 4),
        ("n_observed", ">=", 2.5, 3),
        ("n_observed", ">", 2.5, 3),
        ("n_observed", "<", 10, 0),
        ("n_observed", ">=", -4, 0),
        ("ror", ">", 0, 1),
        ("ror", ">=", 0, 0),
        ("prr_lower", ">", 1, 1),
        ("chi2", ">=", 4, 0),
        ("ic_lower", ">", 0.75, 3),
        ("ic_lower", ">", 0.76, 4),
        ("ic_lower", ">", -20, 0),
        ("ic_lower", ">", 2000, 2**40),
    ],
)
def test_the_floor_of_a_comparison(
    tmp_path: Path, statistic: str, op: str, value: float, floor: int
) -> None:
    one = f'{{ statistic = "{statistic}", op = "{op}", value = {value} }}'
    assert _own(tmp_path, f"[own]\ntitle = 't'\nsource = 's'\nall = [{one}]").floor == floor


def test_no_table_with_two_cases_fires_ic_and_one_with_three_does() -> None:
    """The bound is highest where the margins are smallest and the population largest."""
    counts = pl.DataFrame({"n_observed": [1, 2, 3]}).with_columns(
        n_drug="n_observed", n_event="n_observed", n_total=pl.lit(10**15)
    )
    named = counts.with_columns(drug=pl.col("n_observed").cast(pl.String), event=pl.lit("e"))
    flags = load_rules("ic").evaluate(score(named, ["ic"]))
    assert flags["ic"].to_list() == [False, False, True]


def test_sentences_say_the_exact_inequalities() -> None:
    rules = load_rules(
        ["mhra", "ema", "ema2006", "ic"],
        {"additional_monitoring": ["A"], "important_events": ["Sepsis"]},
    )
    assert [rule.sentence for rule in rules.rules] == [
        "MHRA screening rule: PRR >= 2 and chi-squared with Yates's correction >= 4 and "
        "cases observed >= 3",
        "EMA screening in EudraVigilance: lower 95% bound of the ROR > 1 and (cases observed >= 5 "
        "or (cases observed >= 3 and drug is on the list additional_monitoring)) and "
        "event is on the list important_events",
        "EMA guideline of 2006: lower 95% bound of the PRR >= 1 and cases observed >= 5",
        "UMC screening rule, IC025 > 0: lower 95% bound of the IC > 0",
    ]


def test_the_hash_follows_what_decides_and_nothing_else(tmp_path: Path) -> None:
    plain = load_rules(["mhra", "ema"]).rules_hash
    assert len(plain) == 64
    assert load_rules(["ema", "mhra"]).rules_hash == plain
    listed = load_rules(["mhra", "ema"], {"important_events": ["Sepsis", "Rash"]}).rules_hash
    assert listed != plain
    again = {"important_events": ["Rash", "Sepsis", "Rash"]}
    assert load_rules(["mhra", "ema"], again).rules_hash == listed
    shorter = load_rules(["mhra", "ema"], {"important_events": ["Sepsis"]}).rules_hash
    assert shorter not in (plain, listed)
    assert load_rules(["mhra"]).rules_hash != plain

    a, b = (
        "{ statistic = 'prr', op = '>=', value = 2 }",
        "{ statistic = 'ic', op = '>', value = 1 }",
    )
    own = _own(tmp_path, f"[own]\ntitle = 't'\nsource = 's'\nany = [{a}, {b}]").rules_hash
    same = _own(tmp_path, f"[own]\ntitle = 'T'\nsource = 'S'\nany = [{b}, {a}]").rules_hash
    other = _own(tmp_path, f"[own]\ntitle = 't'\nsource = 's'\nall = [{a}, {b}]").rules_hash
    strict = f"[own]\ntitle = 't'\nsource = 's'\nany = [{a.replace('>=', '>')}, {b}]"
    assert own == same
    assert len({own, other, _own(tmp_path, strict).rules_hash}) == 3


def test_the_hash_of_the_presets_is_pinned() -> None:
    """Alerts carry it: a change here is a change of rules, and belongs in the changelog."""
    first = ["mhra", "ema", "ema2006", "ic"]
    assert load_rules(first).rules_hash == (
        "ab06b95e4085acb62507fa93d9334d153cbe7e9793143b2a72f7ce2e8b41859f"
    )
    of_agencies = [name for name in PRESETS if name not in ("tocsin", "screening")]
    assert load_rules(of_agencies).rules_hash == (
        "29fc0425477eb6df2a35cd70b679a7c6cc308926dd87205da5e7eab4b1b44779"
    )
    serious = {"important_events": ["Sepsis", "Rash", "Death", "Coma", "Stroke"]}
    assert load_rules(first, serious).rules_hash == (
        "7d1c16630783330fa2065ae39b36ac903b09f6da5bf4c87fd4994a962d1b1e00"
    )


def test_rules_cannot_be_changed() -> None:
    rules = load_rules("mhra")
    with pytest.raises(ValueError, match=r"frozen"):
        rules.rules = ()  # type: ignore[misc]
    with pytest.raises(ValueError, match=r"Extra inputs are not permitted"):
        RuleSet(rules=rules.rules, level=0.9)  # type: ignore[call-arg]


def _own(folder: Path, text: str, lists: dict[str, list[str]] | None = None) -> RuleSet:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return load_rules(path, lists)


OWN = """
[own]
title = "Own rule"
source = "House procedure 7"
any = [
    { statistic = "rrr", op = ">", value = 10 },
    { all = [
        { statistic = "ic", op = ">=", value = 1 },
        { column = "drug", on_list = "new_drugs", without_list = false },
    ] },
]
"""


def test_a_rule_file_of_ones_own_beside_a_preset(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(OWN, encoding="utf-8")
    rules = load_rules(["mhra", path], {"new_drugs": ["A"]})
    assert [rule.name for rule in rules.rules] == ["mhra", "own"]
    assert rules.rules[1].sentence == (
        "Own rule: RRR > 10 or (IC >= 1 and drug is on the list new_drugs)"
    )
    assert load_rules(str(path)).rules[0].sentence == "Own rule: RRR > 10"
    row = pl.DataFrame({"drug": ["A", "B"], "event": ["e", "e"], "rrr": 9.0, "ic": 1.0})
    assert _own(tmp_path, OWN, {"new_drugs": ["A"]}).evaluate(row)["own"].to_list() == [True, False]


TITLED = "[own]\ntitle = 't'\nsource = 's'\n"
PRR2 = "{ statistic = 'prr', op = '>=', value = 2 }"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[own", r"^load_rules: .*own.toml must be a readable TOML file; got Expected"),
        ("", r"^load_rules: at least one rule must be given; got "),
        ("own = 3", r"^rule 'own': a rule must be a table of keys; got 3"),
        (TITLED, r"^rule 'own': a rule needs the key 'all' or 'any'; got \['source', 'title'\]"),
        (f"[own]\nall = [{PRR2}]", r"^rule 'own': key 'title' is malformed: Field required; got"),
        (
            f"[Own]\ntitle = 't'\nsource = 's'\nall = [{PRR2}]",
            r"^rule 'Own': key 'name' is malformed: String should match pattern .*; got 'Own'",
        ),
        (
            TITLED + f"all = [{PRR2}]\nthreshold = 2",
            r"^rule 'own': key 'threshold' is malformed: Extra inputs are not permitted; got 2",
        ),
        (
            TITLED + "prr = 2",
            r"^rule 'own': key 'prr' is malformed: A condition needs one of the keys statistic, on",
        ),
        (TITLED + "all = []", r"^rule 'own': key 'all' is malformed: Tuple should have at least 1"),
        (
            TITLED + f"all = [{PRR2.replace('>=', '=>')}]",
            r"^rule 'own': key 'all.0.op' is malformed: Input should be '>=', '>', .*; got '=>'",
        ),
        (
            TITLED + f"any = [{{ all = [{PRR2.replace('prr', 'pr')}] }}]",
            r"^rule 'own': key 'any.0.all.0.statistic' is malformed: A statistic must be among n_o"
            r".*; got 'pr'",
        ),
        (
            TITLED + f"all = [{PRR2.replace('2', 'nan')}]",
            r"^rule 'own': key 'all.0.value' is malformed: Input should be a finite number; got n",
        ),
        (
            TITLED + "all = [{ column = 'lot', on_list = 'x', without_list = true }]",
            r"^rule 'own': key 'all.0.column' is malformed: Input should be 'drug' or 'event'; go",
        ),
        (
            TITLED + "all = [{ column = 'drug', on_list = 'x', without_list = false }]",
            r"^rule 'own': key 'on_list' must leave it a choice, but it would never flag a pair; "
            r"got the lists \{\}",
        ),
        (
            TITLED + f"any = [{PRR2}, {{ column = 'drug', on_list = 'x', without_list = true }}]",
            r"^rule 'own': key 'on_list' must leave it a choice, but it would flag every pair; got",
        ),
    ],
)
def test_a_malformed_rule_is_refused_by_name_and_key(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(RuleError, match=message):
        _own(tmp_path, text)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"^load_rules: .*none.toml must be a readable TOML file"):
        load_rules(tmp_path / "none.toml")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(
        RuleError, match=r"own.toml must be a readable TOML file; got 'utf-8' codec"
    ):
        load_rules(tmp_path / "own.toml")


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        RuleError, match=r"a rule must be a .toml file or among \['tocsin', .*\]; got mrha"
    ):
        load_rules("mrha")


def test_a_rule_given_twice_is_refused() -> None:
    with pytest.raises(RuleError, match=r"a rule must be given once; got \['ic'\] more than once"):
        load_rules(["ic", "mhra", "ic"])


def test_no_rule_is_refused() -> None:
    with pytest.raises(RuleError, match=r"^load_rules: at least one rule must be given; got \[\]"):
        load_rules([])


def test_a_misspelt_list_is_refused_because_it_would_restrict_nothing() -> None:
    with pytest.raises(
        RuleError,
        match=r"a list must be one that a rule asks for, \['additional_monitoring', "
        r"'important_events'\]; got \['important_event'\]",
    ):
        load_rules("ema", {"important_event": ["Sepsis"]})
    # A list that another preset would use is no mistake.
    assert load_rules("mhra", {"important_events": ["Sepsis"]}) == load_rules("mhra")


def test_a_list_given_as_text_is_refused() -> None:
    with pytest.raises(
        RuleError, match=r"list 'important_events' must be a list of names; got the text 'Sepsis'"
    ):
        load_rules("ema", {"important_events": "Sepsis"})  # type: ignore[dict-item]


def test_an_empty_list_of_important_events_is_refused() -> None:
    with pytest.raises(
        RuleError, match=r"it would never flag a pair; got the lists \{'important_events': 0\}"
    ):
        load_rules("ema", {"important_events": []})


def test_a_frame_without_a_needed_column_is_refused() -> None:
    with pytest.raises(
        RuleError,
        match=r"^rule 'mhra': the scored frame must have the columns \['chi2_yates', 'prr'\]; got",
    ):
        load_rules("mhra").evaluate(pl.DataFrame({"n_observed": [3]}))
    rules = load_rules("ema", {"important_events": ["Sepsis"]})
    with pytest.raises(RuleError, match=r"must have the columns \['event'\]"):
        rules.evaluate(pl.DataFrame({"n_observed": [3], "ror_lower": [2.0]}))
