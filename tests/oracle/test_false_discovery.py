"""Adjusted p-values against R's p.adjust, statsmodels on padded tables, and by definition."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from statsmodels.stats.multitest import multipletests

from detectors.false_discovery import false_discovery
from detectors.fisher_exact import fisher_exact
from detectors.scoring import score
from schemas.errors import InputError

# R: p <- c(0.01, 0.02, 0.03, 0.04, 0.05, 0.5, 0.001, 1)
#    p.adjust(p, "BH"); p.adjust(p, "BY")
P_VALUES = [0.01, 0.02, 0.03, 0.04, 0.05, 0.5, 0.001, 1.0]
BH = [0.04, 0.16 / 3, 0.06, 0.064, 0.4 / 6, 4 / 7, 0.008, 1.0]
HARMONIC = sum(1 / k for k in range(1, 9))


def test_it_is_benjamini_hochberg_and_yekutieli() -> None:
    scored = false_discovery(pl.DataFrame({"p": P_VALUES}), p_values="p", n_hypotheses=8)
    assert scored.columns == ["p", "p_bh", "p_by"]
    assert scored["p_bh"].to_list() == pytest.approx(BH, rel=1e-12)
    assert scored["p_by"].to_list() == pytest.approx(
        [min(value * HARMONIC, 1) for value in BH], rel=1e-12
    )


def test_the_definition_holds_for_many() -> None:
    p = np.random.default_rng(1).random(500) ** 3
    order = np.argsort(p)
    least = np.minimum.accumulate((p[order] * 500 / np.arange(1, 501))[::-1])[::-1]
    scored = false_discovery(pl.DataFrame({"p": p}), p_values="p", n_hypotheses=500)
    assert scored["p_bh"].to_numpy()[order] == pytest.approx(np.minimum(least, 1), rel=1e-12)


@pytest.mark.parametrize("n_hypotheses", [8, 9, 100, 5_000])
def test_unlisted_pairs_count_as_if_they_were_listed_with_p_1(n_hypotheses: int) -> None:
    padded = np.concatenate([P_VALUES, np.ones(n_hypotheses - len(P_VALUES))])
    table = pl.DataFrame({"p": P_VALUES})
    scored = false_discovery(table, p_values="p", n_hypotheses=n_hypotheses)
    for name, method in (("p_bh", "fdr_bh"), ("p_by", "fdr_by")):
        theirs = multipletests(padded, method=method)[1][: len(P_VALUES)]
        assert scored[name].to_numpy() == pytest.approx(theirs, rel=1e-12)


def test_the_family_is_all_drugs_times_all_events() -> None:
    """3 drugs x 2 events, of which 4 pairs are listed; the second window has 1 x 1."""
    names = {"drug": ["A", "A", "B", "C"], "event": ["x", "y", "x", "y"]}
    table = pl.DataFrame({**names, "p": [0.01, 0.5, 0.02, 0.03]})
    scored = false_discovery(table, p_values="p")
    assert scored["p_bh"].to_list() == pytest.approx([0.06, 0.75, 0.06, 0.06], rel=1e-14)
    other = pl.DataFrame({"drug": ["A"], "event": ["x"], "p": [0.9], "window": ["2024"]})
    both = pl.concat([table.with_columns(window=pl.lit("cumulative")), other])
    # 3 x 2 + 1 hypotheses: 0.01 x 7, 0.02 x 7 / 2 and 0.03 x 7 / 3.
    assert false_discovery(both, p_values="p")["p_bh"][:3].to_list() == pytest.approx(
        [0.07, 0.5 * 7 / 4, 0.07], rel=1e-14
    )


def test_the_harmonic_sum_is_that_of_the_whole_family() -> None:
    """Of one p-value, BY is BH times 1 + 1/2 + ... + 1/m."""
    for family in (1, 2, 7, 1000):
        harmonic = float(sum(Fraction(1, k) for k in range(1, family + 1)))
        p = 1e-6
        scored = false_discovery(pl.DataFrame({"p": [p]}), p_values="p", n_hypotheses=family)
        assert scored["p_bh"].item() == pytest.approx(p * family, rel=1e-14)
        assert scored["p_by"].item() == pytest.approx(p * family * harmonic, rel=1e-13)


def test_what_was_not_tested_stays_in_the_family() -> None:
    without = false_discovery(pl.DataFrame({"p": P_VALUES}), p_values="p", n_hypotheses=10)
    with_nulls = pl.DataFrame({"p": [None, *P_VALUES, None]})
    scored = false_discovery(with_nulls, p_values="p", n_hypotheses=10)
    assert scored["p_bh"].to_list() == [None, *without["p_bh"].to_list(), None]
    assert scored["p_by"].to_list() == [None, *without["p_by"].to_list(), None]


@pytest.mark.parametrize("values", [[], [None]])
def test_nothing_tested_gives_nothing(values: list[None]) -> None:
    table = pl.DataFrame(
        {"drug": ["A"] * len(values), "event": ["x"] * len(values), "p": values},
        schema={"drug": pl.String, "event": pl.String, "p": pl.Float64},
    )
    scored = false_discovery(table, p_values="p")
    assert scored.schema == {**table.schema, "p_bh": pl.Float64, "p_by": pl.Float64}
    assert scored["p_bh"].to_list() == values


@pytest.mark.parametrize(
    ("n_hypotheses", "message"),
    [
        (None, "n_hypotheses, all pairs that could have been reported, must be stated for a table"),
        (1, "n_hypotheses must be at least the 2 rows of the table; got 1"),
        (4.0, "n_hypotheses must be a whole number, 0 or more; got 4.0"),
        (float("nan"), "n_hypotheses must be a whole number, 0 or more; got nan"),
        (True, "n_hypotheses must be a whole number, 0 or more; got True"),
    ],
)
def test_a_family_that_cannot_be_is_refused(n_hypotheses: int | None, message: str) -> None:
    with pytest.raises(InputError, match=f"^false_discovery: {message}"):
        false_discovery(pl.DataFrame({"p": [0.1, 0.2]}), p_values="p", n_hypotheses=n_hypotheses)


def test_a_family_is_stated_to_the_method_that_takes_it() -> None:
    counts = pl.DataFrame({"drug": ["A"], "event": ["x"], "n_observed": [1], "n_drug": [1]})
    counts = counts.with_columns(n_event=1, n_total=100)  # mid-p .005, in a family of 1
    assert score(counts, ["fdr"])["fisher_mid_p_bh"].item() == pytest.approx(0.005, rel=1e-12)
    stated = score(counts, ["fdr", "prr"], n_hypotheses=60)
    assert stated["fisher_mid_p_bh"].item() == pytest.approx(0.3, rel=1e-12)
    message = r"^score: n_hypotheses is for the methods \['fdr'\]; got 60 without them"
    with pytest.raises(InputError, match=message):
        score(counts, ["prr"], n_hypotheses=60)


@pytest.mark.realdata
def test_of_caers_70_pairs_are_flagged_in_the_family_of_all_pairs(real_data: Path) -> None:
    """By an independent code: over the listed pairs 14,354 of 17,189, over all pairs 70."""
    table = fisher_exact(pl.read_csv(real_data / "caers" / "caers_counts.csv"))
    listed = false_discovery(table, n_hypotheses=table.height)
    flagged = [
        frame.filter(pl.col("fisher_mid_p_bh") <= 0.05).height
        for frame in (listed, false_discovery(table))
    ]
    assert flagged == [14_354, 70]


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(bad: float) -> None:
    with pytest.raises(
        InputError, match=r"^false_discovery: p must lie in \[0, 1\]; 1 of 2 rows do"
    ):
        false_discovery(pl.DataFrame({"p": [0.5, bad]}), p_values="p", n_hypotheses=2)


@pytest.mark.parametrize("column", ["q", "drug"])
def test_the_column_must_be_there_and_hold_numbers(column: str) -> None:
    message = f"^false_discovery: p_values must name a column of numbers; got '{column}' of"
    with pytest.raises(InputError, match=message):
        false_discovery(pl.DataFrame({"p": [0.5], "drug": ["A"]}), p_values=column)


def _listed(random: np.random.Generator) -> pl.DataFrame:
    """Pairs of a null that somebody reported, of 200 drugs and 150 events in 400 cases."""
    drugs, events = random.random((2, 400))
    cases = pl.DataFrame(
        {
            "drug": [f"d{int(200 * place)}" for place in drugs],
            "event": [f"e{int(150 * place)}" for place in events],
        }
    )
    n = pl.len().cast(pl.Int64)
    return (
        cases.group_by("drug", "event", maintain_order=True)
        .agg(n.alias("n_observed"))
        .join(cases.group_by("drug").agg(n.alias("n_drug")), on="drug")
        .join(cases.group_by("event").agg(n.alias("n_event")), on="event")
        .with_columns(n_total=pl.lit(400, pl.Int64))
    )


def test_reported_pairs_of_a_null_are_not_flagged() -> None:
    """Seeded: of 100 nulls, BH at 5% flags a pair in most over listed pairs, in few over all."""
    random = np.random.default_rng(61)
    over_listed = over_all = 0
    for _ in range(100):
        table = fisher_exact(_listed(random))
        listed = false_discovery(table, n_hypotheses=table.height)["fisher_mid_p_bh"]
        over_listed += bool((listed <= 0.05).any())
        over_all += bool((false_discovery(table)["fisher_mid_p_bh"] <= 0.05).any())
    assert over_listed > 50
    assert over_all <= 10  # 5 expected at most; more than 10 with a chance of 1.1%


def test_the_share_of_false_discoveries_is_kept() -> None:
    """Seeded: 1,000 tables of 200 pairs, 20 of them true, at q = 0.1; BH keeps 0.09 on average."""
    random = np.random.default_rng(20240611)
    p = random.random((1000, 200))
    p[:, :20] **= 8
    shares = []
    for row in p:
        scored = false_discovery(pl.DataFrame({"p": row}), p_values="p", n_hypotheses=200)
        found = scored["p_bh"].to_numpy() <= 0.1
        shares.append(found[20:].sum() / max(found.sum(), 1))
    assert np.mean(shares) < 0.1
