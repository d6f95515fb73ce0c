"""Subgroups against the same statistic of each stratum's own cases, counted afresh."""

from functools import partial

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from scipy.stats.contingency import odds_ratio

from detectors.case_frames import CaseFrames, StratifiedCounts
from detectors.information_component import information_component
from detectors.scoring import score
from detectors.subgroups import subgroup_differences, subgroups

SEXES = ["female", "male", None, "female", "male", "male", "female", None, "female", "male"]
DRUGS = [(0, "A"), (1, "A"), (3, "A"), (3, "B"), (4, "B"), (6, "A"), (7, "B"), (9, "A"), (9, "A")]
EVENTS = [(0, "rash"), (1, "ache"), (3, "rash"), (4, "rash"), (6, "ache"), (8, "rash"), (9, "rash")]


@pytest.fixture
def frames() -> CaseFrames:
    return CaseFrames(
        pl.DataFrame({"case": range(10), "sex": SEXES}),
        pl.DataFrame(DRUGS, schema=["case", "drug"], orient="row"),
        pl.DataFrame(EVENTS, schema=["case", "event"], orient="row"),
    )


def _recount(drug: str, event: str, sexes: set[str]) -> tuple[int, int, int, int]:
    cases = {case for case, sex in enumerate(SEXES) if (sex or "unknown") in sexes}
    with_drug = {case for case, name in DRUGS if name == drug} & cases
    with_event = {case for case, name in EVENTS if name == event} & cases
    return len(with_drug & with_event), len(with_drug), len(with_event), len(cases)


def test_every_stratum_is_counted_within_itself(frames: CaseFrames) -> None:
    pairs = pl.DataFrame({"drug": ["B", "A"], "event": ["rash", "rash"]})
    result = subgroups(pairs, frames.counts_by("sex"))
    assert result["stratum"].to_list() == ["female"] * 2 + ["male"] * 2 + ["unknown"] * 2
    assert result["drug"].to_list() == ["B", "A"] * 3
    for row in result.iter_rows(named=True):
        margins = ("n_observed", "n_drug", "n_event", "n_total")
        within = _recount(row["drug"], row["event"], {row["stratum"]})
        assert tuple(row[name] for name in margins) == within
        pooled = _recount(row["drug"], row["event"], {"female", "male", "unknown"})
        assert tuple(row[f"{name}_pooled"] for name in margins) == pooled
        a, n_drug, n_event, total = pooled
        table = [[a, n_drug - a], [n_event - a, total - n_drug - n_event + a]]
        wanted = odds_ratio(table, kind="sample").statistic
        assert row["ror_pooled"] == pytest.approx(wanted, rel=1e-14)


def test_any_estimator_and_any_methods_by_name_can_be_asked_for(frames: CaseFrames) -> None:
    pairs = frames.counts().select("drug", "event")
    strata = frames.counts_by("sex")
    by_function = subgroups(pairs, strata, estimator=information_component)
    by_name = subgroups(pairs, strata, estimator=partial(score, methods=["ic", "prr"]))
    assert by_function["ic"].to_list() == by_name["ic"].to_list()
    assert by_function["ic_pooled"].to_list() == by_name["ic_pooled"].to_list()
    assert {"prr", "prr_pooled"} <= set(by_name.columns)


def test_no_pairs_give_no_rows_with_the_same_columns(frames: CaseFrames) -> None:
    pairs = pl.DataFrame({"drug": ["A"], "event": ["rash"]})
    some, none = (subgroups(rows, frames.counts_by("sex")) for rows in (pairs, pairs.clear()))
    assert none.schema == some.schema
    assert none.is_empty()


def test_a_population_without_cases_has_no_strata(frames: CaseFrames) -> None:
    nobody = frames.among(pl.DataFrame({"case": []}, schema={"case": pl.Int64}))
    pairs = pl.DataFrame({"drug": ["A"], "event": ["rash"]})
    assert subgroups(pairs, nobody.counts_by("sex")).is_empty()


def _logistic_interaction(cells: dict[str, tuple[int, int, int, int]]) -> tuple[float, float]:
    """Fit drug, stratum and their interaction; return the latter's log odds ratio and its error."""
    rows = [
        (drug, stratum == "female", count, total)
        for stratum, (a, n_drug, n_event, n_total) in cells.items()
        for drug, count, total in (
            (True, a, n_drug),
            (False, n_event - a, n_total - n_drug),
        )
    ]
    cases = [
        (has_event, 1, drug, female, drug and female)
        for drug, female, count, total in rows
        for has_event in [1] * count + [0] * (total - count)
    ]
    table = np.array(cases, float)
    fit = sm.Logit(table[:, 0], table[:, 1:]).fit(disp=False, tol=1e-14)
    return float(fit.params[3]), float(fit.bse[3])


def test_the_difference_of_strata_is_the_interaction_of_a_logistic_model() -> None:
    cells = {"female": (12, 80, 60, 900), "male": (7, 95, 40, 1100)}
    found = subgroup_differences(PAIR, _strata(cells))
    log_ratio, error = _logistic_interaction(cells)
    female, male = found.select("ror_ratio", "ror_ratio_lower", "ror_ratio_upper").rows()
    wanted = [np.exp(log_ratio + side * 1.959963984540054 * error) for side in (0, -1, 1)]
    assert female == pytest.approx(wanted, rel=1e-9)
    assert male == pytest.approx([1 / wanted[0], 1 / wanted[2], 1 / wanted[1]], rel=1e-9)
    assert found["stratum"].to_list() == ["female", "male"]


@pytest.mark.parametrize(
    ("female", "male", "ratio"),
    [
        ((0, 80, 60, 900), (7, 95, 40, 1100), (0.0, 0.0, None)),
        ((12, 80, 60, 900), (0, 95, 40, 1100), (float("inf"), None, float("inf"))),
        ((0, 80, 60, 900), (0, 95, 40, 1100), (None, None, None)),
        ((80, 80, 90, 900), (7, 95, 40, 1100), (float("inf"), None, float("inf"))),
    ],
)
def test_a_cell_without_a_case_gives_no_finite_difference(
    female: tuple[int, int, int, int],
    male: tuple[int, int, int, int],
    ratio: tuple[float | None, ...],
) -> None:
    found = subgroup_differences(PAIR, _strata({"female": female, "male": male}))
    assert found.select("ror_ratio", "ror_ratio_lower", "ror_ratio_upper").row(0) == ratio


PAIR = pl.DataFrame({"drug": ["A"], "event": ["rash"]})


def _strata(cells: dict[str, tuple[int, int, int, int]]) -> StratifiedCounts:
    named = pl.DataFrame({"stratum": list(cells)})
    a, n_drug, n_event, n_total = (
        pl.Series("n", column) for column in zip(*cells.values(), strict=True)
    )
    drug, event = pl.lit("A").alias("drug"), pl.lit("rash").alias("event")
    return StratifiedCounts(
        named.with_columns(drug, event, a).filter(pl.col("n") > 0),
        named.with_columns(drug, n_drug),
        named.with_columns(event, n_event),
        named.with_columns(n_total),
    )
