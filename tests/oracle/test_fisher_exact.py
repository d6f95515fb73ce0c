"""Fisher's exact test against SciPy's, and against integer arithmetic."""

from fractions import Fraction
from math import comb

import numpy as np
import polars as pl
import pytest
from scipy.stats import fisher_exact as scipys_fisher_exact
from scipy.stats import hypergeom

from detectors.fisher_exact import fisher_exact
from tests.support.frames import make_margins

TABLES = [
    (41, 55, 795, 592767),
    (3, 20, 100, 10000),
    (1, 10, 100, 10000),
    (12, 100, 500, 100000),
    (5, 400, 60, 50000),
    (2, 1000, 400, 50000),
    (0, 10, 20, 100),
    (10, 10, 20, 100),
    (4, 50, 54, 100),
    (1, 2, 2, 10),
    (900, 1000, 950, 2000),
    (7, 7, 9, 1_000_000),
]


@pytest.fixture(scope="module")
def scored() -> pl.DataFrame:
    return fisher_exact(make_margins(TABLES))


@pytest.mark.parametrize("at", range(len(TABLES)))
def test_both_are_ratios_of_binomial_coefficients(scored: pl.DataFrame, at: int) -> None:
    n, nd, ne, total = TABLES[at]
    ways = [comb(ne, k) * comb(total - ne, nd - k) for k in range(n, min(nd, ne) + 1)]
    every = comb(total, nd)
    assert scored["fisher_p"][at] == pytest.approx(float(Fraction(sum(ways), every)), rel=1e-9)
    middle = Fraction(2 * sum(ways) - ways[0], 2 * every)
    assert scored["fisher_mid_p"][at] == pytest.approx(float(middle), rel=1e-9)


@pytest.mark.parametrize("at", range(len(TABLES)))
def test_the_p_value_is_scipys(scored: pl.DataFrame, at: int) -> None:
    n, nd, ne, total = TABLES[at]
    table = [[n, nd - n], [ne - n, total - nd - ne + n]]
    theirs = scipys_fisher_exact(table, alternative="greater").pvalue
    assert scored["fisher_p"][at] == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(
    "row", [(0, 0, 5, 10), (0, 5, 0, 10), (5, 10, 5, 10), (5, 5, 10, 10), (0, 0, 0, 0)]
)
def test_where_only_one_count_is_possible(row: tuple[int, int, int, int]) -> None:
    assert fisher_exact(make_margins([row])).row(0)[4:] == pytest.approx((1.0, 0.5), rel=1e-15)


def test_many_tables_are_scipys() -> None:
    """On both sides of the mean, and of where the sum gives way to SciPy."""
    random = np.random.default_rng(20240611)
    total = (10 ** random.uniform(1, 7, 3000)).astype(int)
    nd, ne = (np.ceil(total * 10 ** random.uniform(-4, -0.01, 3000)).astype(int) for _ in range(2))
    low, high = np.maximum(nd + ne - total, 0), np.minimum(nd, ne)
    n = np.clip(random.poisson(nd * (ne / total) * random.choice([0.5, 1, 2, 4], 3000)), low, high)
    scored = fisher_exact(make_margins(zip(*(c.tolist() for c in (n, nd, ne, total)), strict=True)))
    point, more = hypergeom.pmf(n, total, nd, ne), hypergeom.sf(n, total, nd, ne)
    told = point + more > 1e-290
    for name, theirs in (("fisher_p", more + point), ("fisher_mid_p", more + point / 2)):
        ours = scored[name].to_numpy()
        assert ours[told] == pytest.approx(theirs[told], rel=1e-7)


def test_what_is_too_small_for_a_number_is_zero() -> None:
    """Atorvastatin and myalgia in MDDC's statin49: 11 times as many as expected."""
    assert fisher_exact(make_margins([(5362, 197390, 156585, 63976610)])).row(0)[4:] == (0.0, 0.0)


def test_the_mid_p_is_half_on_average_and_the_p_value_more() -> None:
    """Under independence, weighing each possible count by its chance."""
    nd, ne, total = 8, 30, 100
    possible = fisher_exact(make_margins([(n, nd, ne, total) for n in range(nd + 1)]))
    chance = [comb(ne, n) * comb(total - ne, nd - n) / comb(total, nd) for n in range(nd + 1)]
    assert sum(possible["fisher_mid_p"] * pl.Series(chance)) == pytest.approx(0.5, rel=1e-12)
    assert sum(possible["fisher_p"] * pl.Series(chance)) > 0.55
