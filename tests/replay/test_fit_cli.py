"""Fitting a prior, keeping it, scoring and replaying with it, from files to files."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from detectors.ebgm import adjusted_ebgm, ebgm
from detectors.gamma_mixture import GammaMixture
from detectors.gamma_mixture_fit import fit_gamma_mixture
from detectors.scoring import score
from detectors.tabulate import tabulate
from schemas.alert import Alert
from schemas.prior import PriorRefit
from tests.support.cli import Run, require_refused
from tests.support.reports import report_line

JANUARY = date(2024, 1, 1)
GIVEN = GammaMixture(
    alpha1=1.0, beta1=0.1, alpha2=1.0, beta2=0.1, weight=0.5, likelihood="untruncated"
)
STRATA = """[strata]
title = "EBGM within strata"
source = "tests"
all = [{ statistic = "eb05_adjusted", op = ">=", value = 2, exit = 1.68 }]
"""


@pytest.fixture
def folder(run: Run, tmp_path: Path) -> Path:
    """Five cases of two pairs, one of each across, and ten of another."""
    pairs = [
        *(("zinc", "Rash"), ("lead", "Itch")) * 5,
        *(("zinc", "Itch"), ("lead", "Rash")),
        *(("iron", "Fever"),) * 10,
    ]
    lines = [
        report_line(f"{at}", JANUARY + timedelta(days=at), *pair) for at, pair in enumerate(pairs)
    ]
    (tmp_path / "told.jsonl").write_text("".join(lines), encoding="utf-8")
    (tmp_path / "watched.txt").write_text("zinc\n", encoding="utf-8")
    return tmp_path


def _long_table(seed: int = 0, number: int = 6000) -> pl.DataFrame:
    """Cases of 30 drugs and 30 events; one pair in ten is reported about five times too often."""
    random = np.random.default_rng(seed)
    popularity = 1 / np.sqrt(np.arange(1, 31))
    strong = random.random((30, 30)) < 0.1
    ratio = np.where(strong, random.gamma(4, 1.25, (30, 30)), random.gamma(8, 1 / 8, (30, 30)))
    share = (popularity[:, None] * popularity * ratio).ravel()
    drawn = random.choice(900, 6000, p=share / share.sum())[:number]
    return pl.DataFrame(
        {
            "case_id": [f"c{at}" for at in range(number)],
            "drug": [f"d{pair // 30:02}" for pair in drawn.tolist()],
            "event": [f"e{pair % 30:02}" for pair in drawn.tolist()],
        }
    )


@pytest.fixture(scope="module")
def counts() -> pl.DataFrame:
    return tabulate(_long_table())


def test_a_prior_is_fitted_kept_and_scored_with(
    run: Run, tmp_path: Path, counts: pl.DataFrame
) -> None:
    assert counts.height >= 500
    counts.write_parquet(tmp_path / "counts.parquet")
    ended = run("fit counts.parquet -o prior.json")
    assert (ended.code, ended.err) == (0, "")
    prior = GammaMixture.model_validate_json((tmp_path / "prior.json").read_bytes())
    assert prior == fit_gamma_mixture(counts, likelihood="truncated_mixture").prior
    assert f"Prior {prior.prior_id[:12]}, truncated_mixture" in ended.out
    printed = dict(ended.rows())
    assert printed["alpha1"] == f"{prior.alpha1:.6g}"
    assert printed["n_pairs"] == str(counts.height)
    assert printed["at the edge of the search"] == "none"
    assert run("score counts.parquet -o scored.parquet --methods ebgm --prior prior.json").code == 0
    scored = pl.read_parquet(tmp_path / "scored.parquet")
    assert_frame_equal(scored, ebgm(counts, prior), check_exact=True)


def test_a_prior_of_another_expected_count_is_fitted_kept_and_scored_with(
    run: Run, tmp_path: Path, counts: pl.DataFrame
) -> None:
    crude = pl.col("n_drug") * pl.col("n_event") / pl.col("n_total")
    table = counts.with_columns(expected_adjusted=crude * (1 + pl.int_range(pl.len()) % 3 / 4))
    table.write_parquet(tmp_path / "counts.parquet")
    assert run("fit counts.parquet -o p.json --expected expected_adjusted").code == 0
    prior = GammaMixture.model_validate_json((tmp_path / "p.json").read_bytes())
    direct = fit_gamma_mixture(table, likelihood="truncated_mixture", expected="expected_adjusted")
    assert prior == direct.prior
    assert prior.beta1 != fit_gamma_mixture(table, likelihood="truncated_mixture").prior.beta1
    ended = run("score counts.parquet -o s.parquet --methods ebgm_adjusted --prior-adjusted p.json")
    assert ended.code == 0
    scored = pl.read_parquet(tmp_path / "s.parquet")
    assert_frame_equal(scored, adjusted_ebgm(table, prior), check_exact=True)
    require_refused(
        run("score counts.parquet -o s.parquet --methods ebgm --prior p.json"),
        "--prior: p.json must be fitted to crude expected counts, by tocsin fit without "
        "--expected; got one fitted to expected_adjusted",
    )


def test_the_likelihood_is_a_choice(run: Run, tmp_path: Path, counts: pl.DataFrame) -> None:
    counts.write_parquet(tmp_path / "counts.parquet")
    assert run("fit counts.parquet -o prior.json --likelihood mixture_of_truncated").code == 0
    prior = GammaMixture.model_validate_json((tmp_path / "prior.json").read_bytes())
    assert prior.likelihood == "mixture_of_truncated"


def test_peaks_of_nearly_equal_height_are_printed(run: Run, tmp_path: Path) -> None:
    random = np.random.default_rng(6)
    n_drug, n_event = np.repeat(np.arange(20, 420, 20), 20), np.tile(np.arange(20, 420, 20), 20)
    shape = np.where(np.arange(400) % 10, 8, 4)
    ratio = random.gamma(shape, np.where(shape == 8, 1 / 8, 1.25))
    n = np.minimum(random.poisson(n_drug * n_event / 10_000 * ratio), np.minimum(n_drug, n_event))
    names = {"drug": [f"d{at}" for at in range(400)], "event": ["e"] * 400}
    counts = pl.DataFrame({**names, "n_observed": n, "n_drug": n_drug, "n_event": n_event})
    counts.with_columns(n_total=10_000).write_parquet(tmp_path / "counts.parquet")
    ended = run("fit counts.parquet -o prior.json")
    assert ended.code == 0
    printed = ended.rows()
    prior = GammaMixture.model_validate_json((tmp_path / "prior.json").read_bytes())
    assert prior.fit is not None
    at = next(place for place, row in enumerate(printed) if row[0].startswith("log-likelihood"))
    peaks = printed[at + 1 :]
    assert [len(row) for row in peaks] == [7, 7]
    assert peaks[0][0] == f"{prior.fit.log_likelihood:.3f}"
    assert float(peaks[1][0]) == pytest.approx(float(peaks[0][0]) - prior.fit.spread, abs=0.0011)
    assert peaks[0][1] == f"{prior.alpha1:.5g}"
    assert sum(int(row[6]) for row in peaks) == 12


def test_a_fit_at_the_edge_says_so_in_one_line(run: Run, tmp_path: Path) -> None:
    _long_table(seed=1, number=3000).write_parquet(tmp_path / "cases.parquet")
    ended = run("fit cases.parquet -o prior.json")
    assert ended.code == 0
    assert ended.err.startswith(
        "tocsin: warning: fit_gamma_mixture: alpha2, beta2 at the edge of the search"
    )
    assert ended.err.count("\n") == 1
    assert dict(ended.rows())["at the edge of the search"] == "alpha2, beta2"


def test_a_long_table_is_counted_and_scored(run: Run, tmp_path: Path) -> None:
    rows = [("1", "A", "rash"), ("1", "A", "rash"), ("1", "B", "rash"), ("2", "A", "fever")]
    long = pl.DataFrame(rows, schema=["case_id", "drug", "event"], orient="row")
    long.write_parquet(tmp_path / "cases.parquet")
    ended = run("score cases.parquet -o scored.parquet --methods rrr")
    assert (ended.code, ended.out) == (0, "3 pairs scored, 7 columns: scored.parquet\n")
    assert pl.read_parquet(tmp_path / "scored.parquet").rows() == [
        ("A", "fever", 1, 2, 1, 2, 1.0),
        ("A", "rash", 1, 2, 1, 2, 1.0),
        ("B", "rash", 1, 1, 1, 2, 2.0),
    ]


def test_a_long_table_scores_like_its_counts(
    run: Run, tmp_path: Path, counts: pl.DataFrame
) -> None:
    _long_table().sample(fraction=1, shuffle=True, seed=3).write_parquet(tmp_path / "cases.parquet")
    assert run("score cases.parquet -o scored.parquet").code == 0
    scored = pl.read_parquet(tmp_path / "scored.parquet")
    assert_frame_equal(scored, score(counts), check_exact=True)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("fit none.parquet -o p.json", "none.parquet: must be a readable parquet file; got "),
        ("fit few.parquet -o p.json", "fit_gamma_mixture: at least 10 pairs must enter the likeli"),
        (
            "fit gaps.parquet -o p.json --expected expected_adjusted",
            "fit_gamma_mixture: expected must name a column of numbers; got 'expected_adjusted'",
        ),
        ("fit windows.parquet -o p.json", "windows.parquet: a prior is of one window; got 2 windo"),
        ("fit few.parquet -o no/p.json", "no/p.json: the folder to write into must exist; got no "),
        (
            "fit narrow.parquet -o p.json",
            "narrow.parquet: must have the columns ['drug', 'event', ",
        ),
        (
            "fit gaps.parquet -o p.json --likelihood untruncated",
            "fit_gamma_mixture: the untruncated likelihood needs every cell of drugs by events",
        ),
        (
            "score few.parquet -o s.parquet --methods ebgm",
            "score: method 'ebgm' needs a prior, fitted or from a file; got none",
        ),
        (
            "score few.parquet -o s.parquet --methods ebgm --prior few.parquet",
            "--prior: few.parquet must be a prior written by tocsin fit; got Invalid JSON",
        ),
        (
            "score few.parquet -o s.parquet --methods ebgm --prior none.json",
            "--prior: none.json must be a prior written by tocsin fit; got [Errno 2] No such file",
        ),
        (
            "replay told.jsonl --rules eb05 --prior other.json",
            "--prior: other.json must be a prior written by tocsin fit; got Field required",
        ),
        (
            "replay told.jsonl --rules eb05",
            "rules: EBGM needs a prior, from a file or fitted every so many days; got neither",
        ),
        (
            "replay told.jsonl --rules strata.toml --prior crude.json",
            "rules: EBGM within strata needs a prior fitted to expected_adjusted, from a file "
            "(--prior-adjusted) or fitted every so many days; got neither",
        ),
        (
            "replay told.jsonl --rules strata.toml --prior-adjusted other.json",
            "--prior-adjusted: other.json must be a prior written by tocsin fit; got Field requi",
        ),
        ("replay told.jsonl --refit 3m", "--refit: a number of days or weeks such as 1d or 2w mus"),
        ("replay told.jsonl --priors no/p.jsonl", "no/p.jsonl: the folder to write into must exi"),
        (
            "replay told.jsonl --rules ema --list importent_events=watched.txt",
            "load_rules: a list must be one that a rule asks for, ['additional_monitoring', "
            "'important_events']; got ['importent_events']",
        ),
        (
            "replay told.jsonl --list important_events=none.txt",
            "--list important_events: none.txt must be a readable text file; got [Errno 2]",
        ),
    ],
)
def test_a_mistake_of_fit_score_or_replay_is_one_line(
    arguments: str, line: str, run: Run, folder: Path, counts: pl.DataFrame
) -> None:
    few = counts.head(9)
    few.write_parquet(folder / "few.parquet")
    counts.head(40).write_parquet(folder / "gaps.parquet")
    few.drop("n_total").write_parquet(folder / "narrow.parquet")
    windows = [few.with_columns(window=pl.lit(name)) for name in ("2024-01", "2024-02")]
    pl.concat(windows).write_parquet(folder / "windows.parquet")
    (folder / "other.json").write_text("{}", encoding="utf-8")
    (folder / "crude.json").write_text(GIVEN.model_dump_json(), encoding="utf-8")
    (folder / "strata.toml").write_text(STRATA, encoding="utf-8")
    require_refused(run(arguments), line)


def _alerts(path: Path) -> list[Alert]:
    return [Alert.model_validate_json(line) for line in path.read_bytes().splitlines()]


def test_refits_on_the_way_are_written_and_named_by_the_alerts(run: Run, tmp_path: Path) -> None:
    lines = [
        report_line(case_id, JANUARY + timedelta(days=at * 90 // 6000), drug, event)
        for at, (case_id, drug, event) in enumerate(_long_table().rows())
    ]
    (tmp_path / "told.jsonl").write_text("".join(lines), encoding="utf-8")
    ended = run(
        "replay told.jsonl --rules eb05,safe,ic --screening none --refit 30d --every 5d "
        "--priors priors.jsonl --alerts alerts.jsonl"
    )
    assert ended.code == 0
    priors = [
        PriorRefit.model_validate_json(line)
        for line in (tmp_path / "priors.jsonl").read_bytes().splitlines()
    ]
    assert len(priors) >= 2
    assert [each.previous_prior_id for each in priors] == [
        None,
        *(each.prior_id for each in priors[:-1]),
    ]
    periods = [(each.fitted_on - date(1970, 1, 1)).days // 30 for each in priors]
    assert periods == sorted(set(periods))
    alerts = _alerts(tmp_path / "alerts.jsonl")
    assert {name for alert in alerts for name in alert.rules_fired} == {"eb05", "safe", "ic"}
    scored_with = [alert.prior_id for alert in alerts]
    for alert in alerts:
        earlier = [each.prior_id for each in priors if each.fitted_on <= alert.evaluated_on]
        assert alert.prior_id == (earlier[-1] if earlier else None)
        assert (alert.prior_id is None) is (alert.statistics.ebgm is None)
        assert alert.test_recomputed is False
    assert list(dict.fromkeys(scored_with)) == [None, *(each.prior_id for each in priors)]
    for each in priors:
        prior = GammaMixture.model_validate_json(json.dumps(each.prior))
        with_it = [alert for alert in alerts if alert.prior_id == each.prior_id]
        table = pl.DataFrame([alert.counts.model_dump() for alert in with_it])
        found = [(alert.statistics.ebgm, alert.statistics.eb05) for alert in with_it]
        assert found == ebgm(table, prior).select("ebgm", "eb05").rows()


def test_refits_within_strata_are_named_by_the_alerts_and_recounted(
    run: Run, tmp_path: Path
) -> None:
    lines = [
        report_line(
            *(case_id, JANUARY + timedelta(days=at * 90 // 6000), drug, event),
            patient={"age_years": 20.0 + 20 * (int(drug[1:]) % 3)},
        )
        for at, (case_id, drug, event) in enumerate(_long_table().rows())
    ]
    (tmp_path / "told.jsonl").write_text("".join(lines), encoding="utf-8")
    (tmp_path / "strata.toml").write_text(STRATA, encoding="utf-8")
    rules = "--rules strata.toml,ic --screening none"
    files = "--priors priors.jsonl --alerts alerts.jsonl --counts counts.parquet"
    assert run(f"replay told.jsonl {rules} --refit 30d --every 5d {files}").code == 0
    priors = [
        PriorRefit.model_validate_json(line)
        for line in (tmp_path / "priors.jsonl").read_bytes().splitlines()
    ]
    kinds = [each.expected for each in priors]
    assert len(kinds) >= 4
    assert kinds == ["crude", "adjusted"] * (len(kinds) // 2)
    adjusted = [each.prior_id for each in priors if each.expected == "adjusted"]
    alerts = _alerts(tmp_path / "alerts.jsonl")
    named = dict.fromkeys(alert.prior_id_adjusted for alert in alerts)
    assert list(named) == [None, *adjusted]
    assert any("strata" in alert.rules_fired for alert in alerts)
    for alert in alerts:
        assert (alert.prior_id_adjusted is None) is (alert.statistics.eb05_adjusted is None)
    recounted = run(
        f"recount --source told.jsonl --alerts alerts.jsonl --priors priors.jsonl {rules}"
    )
    assert recounted.code == 0
    assert f"{len(alerts):,} equal to the last bit, 0 differ" in recounted.out
    # The counts that a replay writes have what a prior within strata is fitted to.
    counts = pl.read_parquet(tmp_path / "counts.parquet")
    last = {(alert.drug, alert.event): alert for alert in alerts if alert.as_of == alerts[-1].as_of}
    expected = {(drug, event): value for _, drug, event, *_, value in counts.iter_rows()}
    assert last
    for pair, alert in last.items():
        assert expected[pair] == alert.statistics.expected_adjusted
    assert run("fit counts.parquet -o p.json --expected expected_adjusted").code == 0


def test_a_given_prior_is_kept(run: Run, folder: Path) -> None:
    prior = GIVEN
    (folder / "prior.json").write_text(prior.model_dump_json(), encoding="utf-8")
    run("replay told.jsonl --rules eb05 --prior prior.json --alerts alerts.jsonl --priors p.jsonl")
    alerts = _alerts(folder / "alerts.jsonl")
    assert {alert.prior_id for alert in alerts} == {prior.prior_id}
    assert (folder / "p.jsonl").read_bytes() == b""


def test_a_list_of_important_events_narrows_the_ema_rule(run: Run, folder: Path) -> None:
    rows = {"all": "", "narrowed": "--list important_events=ime.txt"}
    (folder / "ime.txt").write_text("Itch\nPain\n", encoding="utf-8")
    pairs = {}
    for name, option in rows.items():
        rules = "--rules ema --screening none"
        assert run(f"replay told.jsonl {rules} --alerts {name}.jsonl {option}").code == 0
        pairs[name] = {(alert.drug, alert.event) for alert in _alerts(folder / f"{name}.jsonl")}
    # Fever was reported with iron alone: its ROR is unbounded, and far above 1 at least.
    every = {("zinc", "Rash"), ("lead", "Itch"), ("iron", "Fever")}
    assert pairs == {"all": every, "narrowed": {("lead", "Itch")}}
