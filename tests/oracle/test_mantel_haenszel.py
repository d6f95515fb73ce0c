"""Mantel-Haenszel against the published table and, pair by pair, against statsmodels."""

import numpy as np
import polars as pl
import pytest
from statsmodels.stats.contingency_tables import StratifiedTable

from detectors.case_frames import StratifiedCounts
from detectors.expected import expected_stratified
from detectors.mantel_haenszel import mantel_haenszel

Cells = tuple[int, int, int, int]

# METHODS table F. R:
#   x <- array(c(10,200,90,9700, 30,2000,70,7900), c(2,2,2))
#   mantelhaen.test(x); mantelhaen.test(x, correct = FALSE)
TABLE_F: list[Cells] = [(10, 90, 200, 9700), (30, 70, 2000, 7900)]
PUBLISHED_F = {
    "ror_mh": 2.113924,
    "ror_mh_lower": 1.460114,
    "ror_mh_upper": 3.060498,
    "chi2_cmh": 17.156984,
    "chi2_cmh_corrected": 16.196002,
}

RANDOM = np.random.default_rng(20240611)


def _strata(pairs: list[list[Cells]]) -> tuple[pl.DataFrame, StratifiedCounts]:
    """Strata s0, s1, ... of pairs (drug i, event i), given as (a, b, c, d).

    Every pair brings margins of its own, so they need one total: `d` is read from the first pair's
    table, and the others' must agree.
    """
    observed, drugs, events, totals = [], [], [], {}
    for number, tables in enumerate(pairs):
        for place, (a, b, c, d) in enumerate(tables):
            stratum, drug, event = f"s{place}", f"drug {number}", f"event {number}"
            assert totals.setdefault(stratum, a + b + c + d) == a + b + c + d
            drugs.append((stratum, drug, a + b))
            events.append((stratum, event, a + c))
            if a:  # a pair without a case has no row
                observed.append((stratum, drug, event, a))
    names = [(f"drug {number}", f"event {number}") for number in range(len(pairs))]
    return pl.DataFrame(names, schema=["drug", "event"], orient="row"), StratifiedCounts(
        pl.DataFrame(
            observed,
            schema={"stratum": pl.String, "drug": pl.String, "event": pl.String, "n": pl.Int64},
            orient="row",
        ),
        pl.DataFrame(drugs, schema=["stratum", "drug", "n"], orient="row"),
        pl.DataFrame(events, schema=["stratum", "event", "n"], orient="row"),
        pl.DataFrame(list(totals.items()), schema=["stratum", "n"], orient="row"),
    )


def _random_pairs(number: int, sizes: tuple[int, ...]) -> list[list[Cells]]:
    """Tables with every margin inside its stratum; zero cells are welcome."""
    pairs = []
    for _ in range(number):
        tables = []
        for size in sizes:
            n_drug, n_event = (int(size * RANDOM.uniform(0.05, 0.7)) for _ in range(2))
            n = int(RANDOM.hypergeometric(n_drug, size - n_drug, n_event))
            tables.append((n, n_drug - n, n_event - n, size - n_drug - n_event + n))
        pairs.append(tables)
    return pairs


def _by_statsmodels(tables: list[Cells]) -> dict[str, float]:
    table = StratifiedTable([np.array([[a, b], [c, d]], dtype=float) for a, b, c, d in tables])
    lower, upper = table.oddsratio_pooled_confint()
    homogeneity = table.test_equal_odds(adjust=True)
    return {
        "ror_mh": table.oddsratio_pooled,
        "ror_mh_lower": lower,
        "ror_mh_upper": upper,
        "chi2_cmh": table.test_null_odds().statistic,
        "chi2_cmh_corrected": table.test_null_odds(correction=True).statistic,
        "tarone": homogeneity.statistic,
        "tarone_p": homogeneity.pvalue,
    }


def test_the_published_table() -> None:
    got = mantel_haenszel(*_strata([TABLE_F])).row(0, named=True)
    assert got["expected"] == pytest.approx(100 * 210 / 10000 + 100 * 2030 / 10000, rel=1e-14)
    for name, value in PUBLISHED_F.items():
        assert got[name] == pytest.approx(value, abs=5e-7), name


@pytest.mark.parametrize("sizes", [(40, 90), (30, 60, 200, 1000), (25,) * 12])
def test_statsmodels_gives_every_pair_the_same(sizes: tuple[int, ...]) -> None:
    pairs = _random_pairs(40, sizes)
    got = mantel_haenszel(*_strata(pairs))
    assert got["tarone_df"].to_list() == [len(sizes) - 1] * 40
    compared = 0
    for row, tables in zip(got.iter_rows(named=True), pairs, strict=True):
        if not row["ror_mh"]:
            continue
        difference = abs(sum(a for a, *_ in tables) - row["expected"])
        for name, value in _by_statsmodels(tables).items():
            if name == "chi2_cmh_corrected" and difference < 0.5:
                assert row[name] == 0.0  # statsmodels squares the negative bracket
                continue
            assert row[name] == pytest.approx(value, rel=1e-9, abs=1e-10), name
            compared += 1
    assert compared > 200


def test_a_large_database_does_not_overflow() -> None:
    tables = [(1_000_000, 10**8, 10**8, 2 * 10**9), (2_000_000, 10**8, 2 * 10**8, 10**9)]
    got = mantel_haenszel(*_strata([tables])).row(0, named=True)
    for name, value in _by_statsmodels(tables).items():
        assert got[name] == pytest.approx(value, rel=1e-7), name


def test_expected_is_that_of_the_stratified_expectation_to_the_last_bit() -> None:
    pairs, strata = _strata(_random_pairs(30, (31, 77, 500)))
    wanted = expected_stratified(pairs, strata.drug_margins, strata.event_margins, strata.totals)
    assert mantel_haenszel(pairs, strata)["expected"].to_list() == wanted["expected"].to_list()


def test_a_wider_level_is_a_wider_interval() -> None:
    pairs, strata = _strata([TABLE_F])
    table = StratifiedTable([np.array([[a, b], [c, d]], dtype=float) for a, b, c, d in TABLE_F])
    got = mantel_haenszel(pairs, strata, level=0.99).row(0, named=True)
    bounds = (got["ror_mh_lower"], got["ror_mh_upper"])
    assert bounds == pytest.approx(table.oddsratio_pooled_confint(alpha=0.01), rel=1e-12)


UNDEFINED = (None, None, None)
EMPTY_STRATUM = (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("tables", "ratio", "chi2_known", "informative"),
    [
        pytest.param([(0, 4, 3, 3), (0, 2, 3, 5)], (0.0, 0.0, None), True, 2, id="no case"),
        pytest.param(
            [(2, 0, 3, 5), (1, 0, 4, 5)], (np.inf, None, np.inf), True, 2, id="always the event"
        ),
        pytest.param([(0, 0, 5, 5), (0, 0, 1, 9)], UNDEFINED, False, 0, id="drug absent"),
        pytest.param([(5, 5, 0, 0), (1, 9, 0, 0)], UNDEFINED, False, 0, id="no comparator"),
        pytest.param([(1, 0, 0, 0), (0, 1, 0, 0)], UNDEFINED, False, 0, id="one case a stratum"),
        pytest.param([EMPTY_STRATUM, EMPTY_STRATUM], UNDEFINED, False, 0, id="empty strata"),
        pytest.param([(0, 0, 5, 5), (0, 4, 3, 3)], (0.0, 0.0, None), True, 1, id="one stratum"),
    ],
)
def test_zero_counts(
    tables: list[Cells],
    ratio: tuple[float | None, ...],
    chi2_known: bool,
    informative: int,
) -> None:
    row = mantel_haenszel(*_strata([tables])).row(0, named=True)
    assert (row["ror_mh"], row["ror_mh_lower"], row["ror_mh_upper"]) == ratio
    assert (row["chi2_cmh"] is not None) == chi2_known
    assert (row["chi2_cmh_corrected"] is not None) == chi2_known
    assert row["tarone"] is None
    assert row["tarone_p"] is None
    assert row["tarone_df"] == max(informative - 1, 0)
    assert row["expected"] is not None


def test_a_stratum_without_the_pair_still_counts_its_margins() -> None:
    """Dropping the second stratum, where a = 0, would give 3 x 80 / (7 x 10)."""
    tables = [(3, 7, 10, 80), (0, 20, 30, 50)]
    got = mantel_haenszel(*_strata([tables])).row(0, named=True)
    assert got["ror_mh"] == pytest.approx(
        (3 * 80 / 100) / (7 * 10 / 100 + 20 * 30 / 100), rel=1e-14
    )


def test_a_stratum_that_cannot_speak_changes_nothing_but_the_expectation() -> None:
    speaking = [(3, 7, 10, 80), (4, 16, 30, 50)]
    silent = [(0, 0, 30, 70), (5, 15, 0, 0), (1, 0, 0, 0)]
    alone = mantel_haenszel(*_strata([speaking])).row(0, named=True)
    mixed = mantel_haenszel(*_strata([speaking + silent])).row(0, named=True)
    for name in ("ror_mh", "ror_mh_lower", "ror_mh_upper", "chi2_cmh", "tarone", "tarone_df"):
        assert mixed[name] == alone[name], name
    assert mixed["expected"] == alone["expected"] + 0 + 5 + 1


def test_the_order_of_the_strata_changes_no_bit() -> None:
    pairs, strata = _strata(_random_pairs(20, tuple(range(31, 400, 37))))
    wanted = mantel_haenszel(pairs, strata)
    for seed in range(5):
        totals = strata.totals.sample(fraction=1, shuffle=True, seed=seed)
        shuffled = StratifiedCounts(
            strata.observed.reverse(), strata.drug_margins, strata.event_margins, totals
        )
        assert mantel_haenszel(pairs, shuffled).equals(wanted)


def test_strata_of_two_cases_are_mcnemars_test() -> None:
    """Matched pairs, 9 against 4: odds ratio 9 / 4, chi-squared (9 - 4)^2 / 13."""
    row = mantel_haenszel(*_strata([[(1, 0, 0, 1)] * 9 + [(0, 1, 1, 0)] * 4])).row(0, named=True)
    assert row["ror_mh"] == pytest.approx(9 / 4, rel=1e-14)
    assert row["chi2_cmh"] == pytest.approx(25 / 13, rel=1e-14)
    assert row["chi2_cmh_corrected"] == pytest.approx((5 - 1) ** 2 / 13, rel=1e-14)


def test_a_drug_and_an_event_in_most_cases_lose_no_digits() -> None:
    """n_drug + n_event above the total and a small ratio: one form of the fitted cell cancels."""
    tables = [(8_000_000, 1_000_000, 999_999, 1), (7_000_000, 1_500_000, 1_499_995, 5)]
    row = mantel_haenszel(*_strata([tables])).row(0, named=True)
    assert row["tarone"] == pytest.approx(_by_statsmodels(tables)["tarone"], rel=1e-8)


def test_the_chi_squared_of_a_stratum_that_is_almost_one_cell_loses_no_digits() -> None:
    """Of one stratum it is (N - 1) / N times Pearson's, which is N; less the correction, N / 4."""
    row = mantel_haenszel(*_strata([[(99_999_999, 0, 0, 1)]])).row(0, named=True)
    n = 100_000_000
    assert row["chi2_cmh"] == pytest.approx(n - 1, rel=1e-14)
    bracket = 1 - 1 / n - 0.5
    assert row["chi2_cmh_corrected"] == pytest.approx(bracket**2 * n**2 / (n - 1), rel=1e-14)


def test_one_stratum_that_speaks_has_nothing_to_be_compared_with() -> None:
    row = mantel_haenszel(*_strata([[(3, 7, 10, 80), (0, 0, 4, 6)]])).row(0, named=True)
    assert row["ror_mh"] is not None
    assert (row["tarone"], row["tarone_df"], row["tarone_p"]) == (None, 0.0, None)
