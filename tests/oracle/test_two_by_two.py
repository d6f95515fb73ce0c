"""The 2x2 statistics against the project's table, and against SciPy and statsmodels."""

import math
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from scipy.stats import chi2_contingency, gamma
from scipy.stats.contingency import relative_risk
from statsmodels.stats.contingency_tables import Table2x2

from detectors.information_component import information_component
from detectors.scoring import score
from detectors.validation import validate
from tests.support.frames import make_counts

# n_observed, n_drug, n_event, n_total; none with a zero cell.
TABLES = [
    (41, 55, 795, 592767),
    (3, 20, 100, 10000),
    (1, 10, 100, 10000),
    (2, 1000, 400, 50000),
    (1000, 20000, 50000, 2000000),
    (1, 2, 2, 10),
    (25, 50, 50, 100),
    (7, 8, 9, 1_000_000_000),
    (2_000, 1_500_000_000, 4_000, 3_000_000_000),
]
CELLS = [(n, nd - n, ne - n, total - nd - ne + n) for n, nd, ne, total in TABLES]


@pytest.fixture(scope="module")
def scored() -> pl.DataFrame:
    return score(make_counts(TABLES))


def test_every_row_of_the_projects_own_table_is_met_to_its_last_printed_digit() -> None:
    wrong = validate().filter(~pl.col("ok"))
    assert wrong.is_empty(), wrong.to_dicts()


def test_the_table_covers_every_statistic_with_an_interval() -> None:
    checks = validate()
    assert checks.columns == [
        "check",
        "statistic",
        "expected",
        "got",
        "difference",
        "tolerance",
        "source",
        "ok",
    ]
    of_counts = checks.filter(pl.col("check").str.contains(r"^(two_by_two|zero_cell|ic_)"))
    assert of_counts.height == 7 * 11 + 1 + 1 + 2
    others = {"ebgm", "eb05", "critical_value", "e_value", "omega", "ror_mh", "prr_unmasked"}
    assert others <= set(checks["statistic"])
    assert {"prr_upper", "ror_lower", "chi2", "chi2_yates", "ic_lower"} <= set(checks["statistic"])
    assert checks["source"].str.len_chars().min() > 40


def test_validation_says_so_when_a_number_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def off(counts: pl.DataFrame) -> pl.DataFrame:
        return score(counts).with_columns(pl.col("prr") + 0.0002, ror=pl.lit(None, pl.Float64))

    monkeypatch.setattr("detectors.validation.score", off)
    wrong = validate().filter(~pl.col("ok"))
    assert set(wrong["statistic"]) == {"prr", "ror"}
    assert wrong.filter(pl.col("statistic") == "ror")["difference"].null_count() == 7


@pytest.mark.parametrize("at", range(len(TABLES)))
def test_prr_and_its_interval_are_scipys_relative_risk(scored: pl.DataFrame, at: int) -> None:
    a, b, c, d = CELLS[at]
    theirs = relative_risk(a, a + b, c, c + d)
    bounds = theirs.confidence_interval(0.95)
    ours = scored.row(at, named=True)
    assert ours["prr"] == pytest.approx(theirs.relative_risk, rel=1e-13)
    assert ours["prr_lower"] == pytest.approx(bounds.low, rel=1e-11)
    assert ours["prr_upper"] == pytest.approx(bounds.high, rel=1e-11)


@pytest.mark.parametrize("at", range(len(TABLES)))
def test_ror_and_its_interval_are_statsmodels_odds_ratio(scored: pl.DataFrame, at: int) -> None:
    a, b, c, d = (float(cell) for cell in CELLS[at])
    theirs = Table2x2(np.array([[a, b], [c, d]]), shift_zeros=False)
    lower, upper = theirs.oddsratio_confint(0.05)
    ours = scored.row(at, named=True)
    assert ours["ror"] == pytest.approx(theirs.oddsratio, rel=1e-13)
    assert ours["ror_lower"] == pytest.approx(lower, rel=1e-11)
    assert ours["ror_upper"] == pytest.approx(upper, rel=1e-11)


@pytest.mark.parametrize("at", range(len(TABLES)))
def test_both_chi_squareds_are_scipys(scored: pl.DataFrame, at: int) -> None:
    a, b, c, d = CELLS[at]
    table = np.array([[a, b], [c, d]], dtype=float)
    ours = scored.row(at, named=True)
    plain = chi2_contingency(table, correction=False).statistic
    corrected = chi2_contingency(table, correction=True).statistic
    assert ours["chi2"] == pytest.approx(plain, rel=1e-9, abs=1e-12)
    assert ours["chi2_yates"] == pytest.approx(corrected, rel=1e-9, abs=1e-12)


def _exact_chi_squared(n: int, nd: int, ne: int, total: int) -> tuple[Fraction, Fraction]:
    """Pearson's definition, cell by cell: the squared differences over their expectations."""
    cells = [(n, nd, ne), (nd - n, nd, total - ne), (ne - n, total - nd, ne)]
    cells.append((total - nd - ne + n, total - nd, total - ne))
    plain = corrected = Fraction(0)
    for cell, row, column in cells:
        expected = Fraction(row * column, total)
        difference = abs(cell - expected)
        plain += difference**2 / expected
        corrected += max(difference - Fraction(1, 2), Fraction(0)) ** 2 / expected
    return plain, corrected


# Margins up to a thousand million, each cell in turn holding almost all cases, and two tables near
# independence, where ad and bc agree in sixteen digits.
EXTREME = [
    (99_999_999, 99_999_999, 99_999_999, 100_000_000),
    (999_999_999, 999_999_999, 999_999_999, 1_000_000_000),
    (1, 1, 1, 1_000_000_000),
    (1, 999_999_999, 2, 1_000_000_000),
    (1, 2, 999_999_999, 1_000_000_000),
    (0, 999_999_999, 1, 1_000_000_000),
    (250_000_001, 500_000_000, 500_000_001, 1_000_000_000),
    (499_999_998, 999_999_997, 499_999_999, 1_000_000_000),
    (999_000_123, 999_500_000, 999_500_077, 1_000_000_000),
]


@pytest.mark.parametrize("table", EXTREME)
def test_chi_squared_of_extreme_tables_is_exact(table: tuple[int, int, int, int]) -> None:
    ours = score(make_counts([table]), ["chi2"]).row(0, named=True)
    plain, corrected = _exact_chi_squared(*table)
    assert ours["chi2"] == pytest.approx(float(plain), rel=1e-14)
    assert ours["chi2_yates"] == pytest.approx(float(corrected), rel=1e-14)


@pytest.mark.parametrize("at", range(len(TABLES)))
def test_ic_bounds_are_scipys_gamma_quantiles(scored: pl.DataFrame, at: int) -> None:
    n, nd, ne, total = TABLES[at]
    expected = nd * ne / total
    ours = scored.row(at, named=True)
    assert ours["expected"] == expected
    assert ours["rrr"] == pytest.approx(n / expected, rel=1e-15)
    assert ours["ic"] == pytest.approx(math.log2((n + 0.5) / (expected + 0.5)), abs=1e-12)
    for name, p in (("ic_lower", 0.025), ("ic_upper", 0.975)):
        quantile = gamma.ppf(p, n + 0.5, scale=1 / (expected + 0.5))
        assert ours[name] == pytest.approx(math.log2(quantile), abs=1e-11)


@pytest.mark.parametrize(("shrinkage", "level"), [(1.0, 0.95), (0.5, 0.9), (0.1, 0.999)])
def test_shrinkage_and_level_of_the_ic_are_the_gammas(shrinkage: float, level: float) -> None:
    row = {"n_observed": 3, "n_drug": 20, "n_event": 100, "n_total": 10000}  # expected 0.2
    ours = information_component(pl.DataFrame(row), shrinkage=shrinkage, level=level)
    posterior = gamma(3 + shrinkage, scale=1 / (0.2 + shrinkage))
    bounds = [math.log2(posterior.ppf(p)) for p in ((1 - level) / 2, (1 + level) / 2)]
    point = math.log2((3 + shrinkage) / (0.2 + shrinkage))
    assert ours.row(0)[5:] == pytest.approx((point, *bounds), rel=1e-11)
