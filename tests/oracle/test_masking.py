"""Masking against the published numbers, and against a recount without the product's cases."""

import math

import numpy as np
import polars as pl
import pytest
from scipy.stats.contingency import relative_risk

from detectors.case_frames import CaseFrames
from detectors.masking import CO_REPORTS, co_reports, masking_screen, unmasked
from detectors.reporting_odds_ratio import reporting_odds_ratio

COLUMNS = ["n_observed", "n_drug", "n_event", "n_total", *CO_REPORTS]

# METHODS table J: N = 100,000, 1000 with the event, the masking product in 1000 cases of which 700
# with the event, the pair 10 of 500, no case with both products.
TABLE_J = (10, 500, 1000, 100_000, 1000, 700, 0, 0)
PUBLISHED_J = {"prr": 2.0101, "prr_unmasked": 6.7931, "masking_ratio": 3.3795}


def _masked(*rows: tuple[int, ...]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=COLUMNS, orient="row")


def test_the_published_numbers() -> None:
    row = unmasked(_masked(TABLE_J)).row(0, named=True)
    for name, value in PUBLISHED_J.items():
        assert row[name] == pytest.approx(value, abs=5e-5), name


def test_scipy_gives_the_same_relative_risks() -> None:
    row = unmasked(_masked(TABLE_J)).row(0, named=True)
    assert row["prr"] == pytest.approx(relative_risk(10, 500, 990, 99_500).relative_risk, rel=1e-14)
    without = relative_risk(10, 500, 290, 98_500).relative_risk
    assert row["prr_unmasked"] == pytest.approx(without, rel=1e-14)


def test_without_co_reports_the_closed_form_is_exact() -> None:
    row = unmasked(_masked(TABLE_J)).row(0, named=True)
    assert row["masking_ratio_approximate"] == pytest.approx(row["masking_ratio"], rel=1e-14)


@pytest.fixture(scope="module")
def frames() -> CaseFrames:
    random = np.random.default_rng(8)
    size = 600
    cases = pl.DataFrame({"case": range(size)})
    drugs = pl.DataFrame(
        {
            "case": random.integers(0, size, 1500),
            "drug": random.choice(list("ABCDEM"), 1500, p=[0.1, 0.1, 0.2, 0.2, 0.2, 0.2]),
        }
    )
    events = pl.DataFrame(
        {
            "case": random.integers(0, size, 900),
            "event": random.choice(["rash", "ache", "fever"], 900),
        }
    )
    return CaseFrames(cases, drugs, events)


def test_the_unmasked_table_is_that_of_the_cases_without_the_product(frames: CaseFrames) -> None:
    result = unmasked(
        co_reports(frames, "A", "rash"), estimator=reporting_odds_ratio, statistic="ror"
    )
    assert result["masker"].to_list() == list("BCDEM")
    assert result["n_observed_masker"].min() > 0  # co-reports are there to be taken away
    drugs: dict[int, set[str]] = {case: set() for case in frames.cases["case"]}
    events: dict[int, set[str]] = {case: set() for case in frames.cases["case"]}
    for case, drug in frames.drugs.iter_rows():
        drugs[case].add(drug)
    for case, event in frames.events.iter_rows():
        events[case].add(event)
    for row in result.iter_rows(named=True):
        left = [case for case in drugs if row["masker"] not in drugs[case]]
        a = sum("A" in drugs[case] and "rash" in events[case] for case in left)
        b = sum("A" in drugs[case] for case in left) - a
        c = sum("rash" in events[case] for case in left) - a
        d = len(left) - a - b - c
        margins = tuple(row[f"{name}_unmasked"] for name in COLUMNS[:4])
        assert margins == (a, a + b, a + c, len(left))
        assert row["ror_unmasked"] == pytest.approx(a * d / (b * c), rel=1e-13)
        assert row["masking_ratio"] == pytest.approx(a * d / (b * c) / row["ror"], rel=1e-13)


def test_a_product_named_beside_the_drug_takes_its_cases_with_it() -> None:
    """Leaving `n_observed` as it was would give (10 / 500) / (290 / 98,500)."""
    row = unmasked(_masked((10, 500, 1000, 100_000, 1000, 700, 50, 8))).row(0, named=True)
    wanted = relative_risk(2, 450, 300 - 2, 99_000 - 450).relative_risk
    assert row["prr_unmasked"] == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize(
    ("row", "exact", "approximate"),
    [
        pytest.param((0, 5, 10, 100, 20, 4, 0, 0), None, 80 / 95 * 10 * 75 / 80 / 6, id="0 to 0"),
        pytest.param((2, 5, 10, 100, 20, 8, 0, 0), math.inf, math.inf, id="no event is left"),
        pytest.param((2, 5, 2, 100, 20, 0, 0, 0), None, None, id="inf to inf"),
        pytest.param((2, 5, 4, 100, 20, 4, 2, 2), None, None, id="inf and fewer than none"),
        pytest.param((2, 10, 6, 30, 20, 4, 0, 0), None, None, id="no comparator is left"),
        pytest.param((5, 50, 9, 100, 60, 4, 20, 2), 3 / 30 / (2 / 10) / (5 / 4), None, id="all"),
    ],
)
def test_zero_counts(row: tuple[int, ...], exact: float | None, approximate: float | None) -> None:
    result = unmasked(_masked(row)).row(0, named=True)
    for name, wanted in (("masking_ratio", exact), ("masking_ratio_approximate", approximate)):
        if wanted is None:
            assert result[name] is None, name
        else:
            assert result[name] == pytest.approx(wanted, rel=1e-12), name


@pytest.mark.parametrize(
    ("n", "nd", "ne", "total", "ratio"),
    [
        (700, 1000, 1000, 100_000, (1000 / 100_000) / (300 / 99_000)),
        (10, 1000, 1000, 100_000, (1000 / 100_000) / (990 / 99_000)),
        (0, 0, 7, 50, 1.0),
        (5, 9, 5, 100, math.inf),
        (0, 9, 0, 100, None),
        (5, 9, 5, 9, None),
    ],
)
def test_the_screen(n: int, nd: int, ne: int, total: int, ratio: float | None) -> None:
    counts = pl.DataFrame([(n, nd, ne, total)], schema=COLUMNS[:4], orient="row")
    got = masking_screen(counts)["masking_ratio"].item()
    assert got is None if ratio is None else got == pytest.approx(ratio, rel=1e-14)


def test_the_screen_puts_the_same_product_first_as_the_pairs_own_ratio(frames: CaseFrames) -> None:
    cases = pl.DataFrame({"case": range(600, 700)})
    everyone = CaseFrames(
        pl.concat([frames.cases, cases]),
        pl.concat([frames.drugs, cases.with_columns(drug=pl.lit("X"))]),
        pl.concat([frames.events, cases.with_columns(event=pl.lit("rash"))]),
    )
    screened = masking_screen(everyone.counts().filter(pl.col("event") == "rash"))
    exact = unmasked(co_reports(everyone, "A", "rash"))
    assert screened.sort("masking_ratio")["drug"].item(-1) == "X"
    assert exact.sort("masking_ratio")["masker"].item(-1) == "X"
