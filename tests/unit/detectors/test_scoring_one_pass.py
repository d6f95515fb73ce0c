"""What is scored in one pass is what the public estimators give, one after the other."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from detectors.information_component import information_component
from detectors.scoring import ALL, METHODS, apply_methods
from schemas.errors import CountsError


@pytest.fixture(scope="module")
def counts() -> pl.DataFrame:
    """Tables of all sizes, some beyond the counts whose quantiles are tabled, some with zeros."""
    random = np.random.default_rng(5)
    n = np.concatenate([random.integers(0, 30, 400), random.integers(16_000, 40_000, 100)])
    rest = random.integers(0, 200, (3, 500))
    frame = pl.DataFrame({"n_observed": n, "n_drug": n + rest[0], "n_event": n + rest[1]})
    total = pl.col("n_drug") + pl.col("n_event") + pl.Series(rest[2])
    return frame.with_columns(n_total=total)


@pytest.mark.parametrize("rows", [slice(0, 400), slice(0, 500), slice(0, 0)])
def test_one_pass_gives_the_same_bits(counts: pl.DataFrame, rows: slice) -> None:
    frame = counts[rows]
    one_by_one = frame
    for name in ALL:
        for estimator in METHODS[name].estimators:
            one_by_one = estimator(one_by_one)
    assert_frame_equal(apply_methods(frame, ALL), one_by_one, check_exact=True)


@pytest.mark.parametrize("name", [name for name in ALL if METHODS[name].expressions])
def test_each_method_alone_too(counts: pl.DataFrame, name: str) -> None:
    alone = counts
    for estimator in METHODS[name].estimators:
        alone = estimator(alone)
    assert_frame_equal(apply_methods(counts, [name]), alone, check_exact=True)
    assert tuple(alone.columns[4:]) == METHODS[name].columns


def test_a_quantile_is_the_same_from_the_table_and_without_it(counts: pl.DataFrame) -> None:
    small = counts[:400]
    together = information_component(counts)[:400]
    assert_frame_equal(information_component(small), together, check_exact=True)


@pytest.mark.parametrize("methods", [["prr"], ["prr", "fisher"], ["fisher"]])
def test_further_columns_are_made_from_the_statistics(
    counts: pl.DataFrame, methods: list[str]
) -> None:
    source = METHODS[methods[-1]].columns[0]
    scored = apply_methods(counts, methods, (pl.col(source) * 2).alias("twice"))
    assert scored["twice"].equals((scored[source] * 2).alias("twice"))


def test_impossible_counts_are_refused_in_one_pass_too() -> None:
    bad = pl.DataFrame({"n_observed": [5], "n_drug": [4], "n_event": [9], "n_total": [99]})
    with pytest.raises(CountsError, match=r"^score: 0 <= n_observed <= min\(n_drug, n_event\)"):
        apply_methods(bad, ["prr"])
