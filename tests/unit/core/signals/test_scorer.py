"""What the detector stage computes: what its rules ask, and all that an alert carries."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from detectors.ebgm import adjusted_ebgm, ebgm
from detectors.gamma_mixture import GammaMixture
from detectors.rules import PRESETS, RuleSet, load_rules
from detectors.scoring import ALL, score
from schemas.alert import Statistics
from schemas.errors import CountsError, InputError
from streams.core.signals.scorer import Scorer

PRIOR = GammaMixture(
    alpha1=0.2, beta1=0.1, alpha2=2.0, beta2=4.0, weight=1 / 3, likelihood="untruncated"
)
ADJUSTED_PRIOR = PRIOR.model_copy(update={"alpha1": 0.5, "beta2": 3.0})
EBGM = ["ebgm", "eb05", "eb95"]
EBGM_ADJUSTED = [f"{name}_adjusted" for name in EBGM]
WITHOUT_TEST = [name for name in PRESETS if name not in ("safe", "tocsin")]


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    """Tables of all kinds: strong, null, and with an empty cell or margin."""
    random = np.random.default_rng(8)
    n = random.integers(0, 12, 300)
    drug, event = n + random.integers(0, 90, 300), n + random.integers(0, 90, 300)
    counts = {"n_observed": n, "n_drug": drug, "n_event": event}
    drawn = pl.DataFrame(counts).with_columns(
        n_total=pl.col("n_drug") + pl.col("n_event") + random.integers(0, 900, 300)
    )
    edges = [(0, 0, 0, 9), (0, 0, 5, 9), (3, 3, 3, 3), (3, 3, 3, 40), (5, 5, 9, 60), (0, 4, 4, 9)]
    frame = pl.concat([drawn, pl.DataFrame(edges, schema=drawn.schema, orient="row")])
    names = [f"d{at}" for at in range(frame.height)]
    named = frame.insert_column(0, pl.Series("drug", names)).insert_column(
        1, pl.Series("event", ["rash", "fever"] * (frame.height // 2))
    )
    return named.with_columns(expected_adjusted=pl.col("n_drug") * pl.col("n_event") / 700)


def _bits(fired: pl.Series, rules: RuleSet) -> pl.DataFrame:
    return pl.DataFrame(
        {
            rule.name: [bool(mask >> bit & 1) for mask in fired]
            for bit, rule in enumerate(rules.rules)
        }
    )


def test_the_bits_are_what_each_rule_says(table: pl.DataFrame) -> None:
    rules = load_rules(WITHOUT_TEST, lists={"important_events": ["Rash"]})
    scored = Scorer(rules, PRIOR).score(table)
    assert scored.schema["entered"] == pl.Int64
    flags = rules.evaluate(
        score(table, ["prr", "ror", "chi2", "ic", "ic_adjusted", "ebgm"], prior=PRIOR)
    )
    assert_frame_equal(_bits(scored["entered"], rules), flags)
    assert [0 < flags[name].sum() < table.height for name in flags.columns] == [True] * len(
        WITHOUT_TEST
    )


def test_the_bits_follow_the_order_of_the_rules(table: pl.DataFrame) -> None:
    one, other = (load_rules(names) for names in (["ic", "mhra"], ["mhra", "ic"]))
    first, second = (Scorer(rules).score(table)["entered"] for rules in (one, other))
    assert_frame_equal(_bits(first, one).select("mhra", "ic"), _bits(second, other))
    assert not first.equals(second)


def test_the_safe_rule_reads_the_test_beside_the_counts(table: pl.DataFrame) -> None:
    scorer = Scorer(load_rules("safe"))
    assert scorer.needs_safe_test
    levels = pl.Series("e_bh_level", [0.05, 0.0500001, None, 0.0, 1e300] + [None] * 301)
    given = table.with_columns(levels.cast(pl.Float64), e_value=pl.lit(7.0))
    assert not scorer.needs_blocked_test
    assert scorer.score(given)["entered"].to_list() == [1, 0, 0, 1] + [0] * 302
    completed = scorer.complete(scorer.score(given))
    assert completed["e_bh_level"].equals(given["e_bh_level"])
    assert completed["e_value"].to_list() == [7.0] * 306


def test_without_a_prior_ebgm_is_null_and_its_rules_are_silent(table: pl.DataFrame) -> None:
    rules = load_rules(["eb05", "mhra_eb", "mhra"])
    scorer = Scorer(rules)
    assert (scorer.needs_prior, scorer.prior_id) == (True, None)
    scored = scorer.score(table)
    assert scored.select(EBGM).null_count().row(0) == (table.height,) * 3
    flags = _bits(scored["entered"], rules)
    assert flags["mhra"].any()
    assert not flags["eb05"].any()
    assert not flags["mhra_eb"].any()


@pytest.mark.parametrize("rules", ["eb05", "mhra"])
def test_with_a_prior_ebgm_is_ebgm(rules: str, table: pl.DataFrame) -> None:
    scorer = Scorer(load_rules(rules), PRIOR)
    assert (scorer.needs_prior, scorer.prior_id) == (rules == "eb05", PRIOR.prior_id)
    completed = scorer.complete(scorer.score(table))
    assert_frame_equal(
        completed.select("drug", *EBGM), ebgm(table, PRIOR).select("drug", *EBGM), check_exact=True
    )


def test_the_prior_may_change_between_two_scores(table: pl.DataFrame) -> None:
    scorer = Scorer(load_rules("eb05"))
    assert not scorer.score(table)["entered"].sum()
    scorer.prior = PRIOR
    assert scorer.score(table)["entered"].sum()
    assert scorer.prior_id == PRIOR.prior_id


@pytest.mark.parametrize("prior", [None, PRIOR], ids=["no prior", "prior"])
@pytest.mark.parametrize("names", [["ic"], WITHOUT_TEST])
def test_an_alert_gets_every_statistic(
    names: list[str], prior: GammaMixture | None, table: pl.DataFrame
) -> None:
    scorer = Scorer(load_rules(names), prior)
    completed = scorer.complete(scorer.score(table))
    # The stratified expectation needs the margins by stratum, which only the detector has.
    fields = set(Statistics.model_fields) - {"expected_stratified"}
    assert fields <= set(completed.columns)
    assert len(set(completed.columns)) == len(completed.columns)
    assert all(completed.schema[name] == pl.Float64 for name in fields)
    everything = score(table, [*ALL, "ic_adjusted"])
    of_test = ["e_value", "log_e_value", "e_bh_level"]
    of_test += [f"{name}_blocked" for name in of_test] + ["e_value_budgeted"]
    known = sorted(fields - {*EBGM, *EBGM_ADJUSTED, *of_test})
    assert_frame_equal(completed.select(known), everything.select(known), check_exact=True)
    assert completed.select(of_test).null_count().row(0) == (table.height,) * 7
    assert completed["ebgm"].null_count() == (table.height if prior is None else 0)
    assert completed.select(EBGM_ADJUSTED).null_count().row(0) == (table.height,) * 3


def test_rules_on_strata_read_the_expectation_beside_the_counts(
    table: pl.DataFrame, tmp_path: Path
) -> None:
    path = tmp_path / "own.toml"
    comparison = '{ statistic = "ic_lower_adjusted", op = ">", value = 0 }'
    path.write_text(f'own = {{ title = "t", source = "s", all = [{comparison}] }}')
    scorer = Scorer(load_rules(path))
    assert scorer.needs_adjusted
    assert not Scorer(load_rules("ic")).needs_adjusted
    rows = table.with_columns(
        n_observed=pl.lit(3),
        n_drug=pl.lit(5),
        n_event=pl.lit(5),
        n_total=pl.lit(50),
        # log2 of the 2.5% point of Gamma(3.5): IC025 of 3 cases crosses 0 at 0.345 expected.
        expected_adjusted=pl.int_range(pl.len()) / 100,
    )
    assert scorer.score(rows)["entered"].sum() == 35
    with pytest.raises(CountsError, match=r"'ic_adjusted' needs the columns \['expected_adj"):
        scorer.score(rows.drop("expected_adjusted"))


def _rule_on(statistic: str, value: float, folder: Path) -> RuleSet:
    path = folder / "own.toml"
    comparison = f'{{ statistic = "{statistic}", op = ">=", value = {value} }}'
    path.write_text(f'own = {{ title = "t", source = "s", all = [{comparison}] }}')
    return load_rules(path)


@pytest.mark.parametrize("statistic", EBGM_ADJUSTED)
def test_ebgm_within_strata_has_a_prior_of_its_own(
    statistic: str, table: pl.DataFrame, tmp_path: Path
) -> None:
    scorer = Scorer(_rule_on(statistic, 2, tmp_path), PRIOR)
    assert (scorer.needs_prior, scorer.needs_adjusted_prior) == (False, True)
    assert scorer.needs_adjusted
    assert scorer.adjusted_prior_id is None
    silent = scorer.score(table)
    assert silent.select(EBGM_ADJUSTED).null_count().row(0) == (table.height,) * 3
    assert not silent["entered"].sum()
    scorer.adjusted_prior = ADJUSTED_PRIOR
    assert scorer.adjusted_prior_id == ADJUSTED_PRIOR.prior_id
    scored = scorer.complete(scorer.score(table))
    direct = adjusted_ebgm(ebgm(table, PRIOR), ADJUSTED_PRIOR).select(EBGM + EBGM_ADJUSTED)
    assert_frame_equal(scored.select(EBGM + EBGM_ADJUSTED), direct, check_exact=True)
    assert scored["entered"].sum() == (direct[statistic] >= 2).sum() > 0
    # Of a table without an expectation within strata, such as that of one indication.
    unknown = scorer.score(table.with_columns(expected_adjusted=pl.lit(None, pl.Float64)))
    assert unknown.select(EBGM_ADJUSTED).null_count().row(0) == (table.height,) * 3


def test_rules_on_the_crude_ebgm_need_no_prior_within_strata() -> None:
    scorer = Scorer(load_rules("eb05"))
    assert (scorer.needs_prior, scorer.needs_adjusted_prior) == (True, False)
    assert not scorer.needs_adjusted


def _many_rules(folder: Path, number: int) -> RuleSet:
    path = folder / "many.toml"
    path.write_text(
        "\n".join(
            f'[r{at}]\ntitle = "t"\nsource = "s"\n'
            f'all = [{{ statistic = "n_observed", op = ">=", value = {at} }}]'
            for at in range(1, number + 1)
        ),
        encoding="utf-8",
    )
    return load_rules(path)


def test_thirty_two_rules_have_a_bit_each(tmp_path: Path) -> None:
    rules = _many_rules(tmp_path, 32)
    rows = [("a", "x", n, 90, 90, 900) for n in (0, 1, 31, 32)]
    names = ["drug", "event", "n_observed", "n_drug", "n_event", "n_total"]
    fired = Scorer(rules).score(pl.DataFrame(rows, schema=names, orient="row"))["entered"]
    assert fired.to_list() == [0, 1, 2**31 - 1, 2**32 - 1]


def test_more_than_32_rules_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^rules: at most 32 may run together; got 33$"):
        Scorer(_many_rules(tmp_path, 33))
