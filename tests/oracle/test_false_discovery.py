"""Adjusted p-values against R's p.adjust and by their definition."""

import numpy as np
import polars as pl
import pytest

from detectors.false_discovery import false_discovery
from schemas.errors import InputError

# R: p <- c(0.01, 0.02, 0.03, 0.04, 0.05, 0.5, 0.001, 1)
#    p.adjust(p, "BH"); p.adjust(p, "BY")
P_VALUES = [0.01, 0.02, 0.03, 0.04, 0.05, 0.5, 0.001, 1.0]
BH = [0.04, 0.16 / 3, 0.06, 0.064, 0.4 / 6, 4 / 7, 0.008, 1.0]
HARMONIC = sum(1 / k for k in range(1, 9))


def test_it_is_benjamini_hochberg_and_yekutieli() -> None:
    scored = false_discovery(pl.DataFrame({"p": P_VALUES}), p_values="p")
    assert scored.columns == ["p", "p_bh", "p_by"]
    assert scored["p_bh"].to_list() == pytest.approx(BH, rel=1e-12)
    assert scored["p_by"].to_list() == pytest.approx(
        [min(value * HARMONIC, 1) for value in BH], rel=1e-12
    )


def test_the_definition_holds_for_many() -> None:
    p = np.random.default_rng(1).random(500) ** 3
    order = np.argsort(p)
    least = np.minimum.accumulate((p[order] * 500 / np.arange(1, 501))[::-1])[::-1]
    scored = false_discovery(pl.DataFrame({"p": p}), p_values="p")
    assert scored["p_bh"].to_numpy()[order] == pytest.approx(np.minimum(least, 1), rel=1e-12)


def test_what_was_not_tested_is_not_counted() -> None:
    without = false_discovery(pl.DataFrame({"p": P_VALUES}), p_values="p")
    with_nulls = pl.DataFrame({"p": [None, *P_VALUES, None]})
    scored = false_discovery(with_nulls, p_values="p")
    assert scored["p_bh"].to_list() == [None, *without["p_bh"].to_list(), None]
    assert scored["p_by"].to_list() == [None, *without["p_by"].to_list(), None]


@pytest.mark.parametrize("values", [[], [None]])
def test_nothing_tested_gives_nothing(values: list[None]) -> None:
    scored = false_discovery(pl.DataFrame({"p": pl.Series(values, dtype=pl.Float64)}), p_values="p")
    assert scored.schema == {"p": pl.Float64, "p_bh": pl.Float64, "p_by": pl.Float64}
    assert scored["p_bh"].to_list() == values


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(bad: float) -> None:
    with pytest.raises(
        InputError, match=r"^false_discovery: p must lie in \[0, 1\]; 1 of 2 rows do"
    ):
        false_discovery(pl.DataFrame({"p": [0.5, bad]}), p_values="p")


@pytest.mark.parametrize("column", ["q", "drug"])
def test_the_column_must_be_there_and_hold_numbers(column: str) -> None:
    message = f"^false_discovery: p_values must name a column of numbers; got '{column}' of"
    with pytest.raises(InputError, match=message):
        false_discovery(pl.DataFrame({"p": [0.5], "drug": ["A"]}), p_values=column)


def test_the_share_of_false_discoveries_is_kept() -> None:
    """Seeded: 1,000 tables of 200 pairs, 20 of them true, at q = 0.1; BH keeps 0.09 on average."""
    random = np.random.default_rng(20240611)
    p = random.random((1000, 200))
    p[:, :20] **= 8
    shares = []
    for row in p:
        found = false_discovery(pl.DataFrame({"p": row}), p_values="p")["p_bh"].to_numpy() <= 0.1
        shares.append(found[20:].sum() / max(found.sum(), 1))
    assert np.mean(shares) < 0.1
