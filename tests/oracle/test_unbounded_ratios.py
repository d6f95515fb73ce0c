"""Exact bounds of unbounded ratios: every possible table written out, and SciPy's distributions."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import comb

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy.stats import binom, nchypergeom_fisher

from detectors.fisher_exact import fisher_exact
from detectors.proportional_reporting_ratio import proportional_reporting_ratio
from detectors.reporting_odds_ratio import reporting_odds_ratio
from detectors.unbounded_ratios import lower_odds_ratio, lower_rate_ratio
from tests.support.frames import make_counts, make_margins

Cells = tuple[int, int, int, int]


def _unbounded(most: int) -> list[Cells]:
    """All (a, b, c, d) with cells of at most `most` whose odds ratio is unbounded."""
    sizes = product(range(1, most + 1), range(most + 1), range(most + 1), range(1, most + 1))
    return [(a, b, c, d) for a, b, c, d in sizes if b * c == 0]


def _frame(cells: list[Cells]) -> pl.DataFrame:
    return make_counts([(a, a + b, a + c, a + b + c + d) for a, b, c, d in cells])


def _mid_p(odds_ratio: Fraction, a: int, b: int, c: int, d: int) -> Fraction:
    """The mid-p value of the table: every table with its margins, weighed by Fisher 1935."""
    n_drug, n_event, rest = a + b, a + c, b + d
    weights = {
        k: comb(n_event, k) * comb(rest, n_drug - k) * odds_ratio**k
        for k in range(max(0, n_drug - rest), min(n_drug, n_event) + 1)
    }
    above = sum(weight for k, weight in weights.items() if k > a)
    return (above + weights[a] / 2) / sum(weights.values())


@pytest.mark.parametrize("level", [0.95, 0.9, 0.5, 0.999])
def test_the_odds_ratio_at_its_bound_has_the_tails_mid_p(level: float) -> None:
    cells = _unbounded(6)
    scored = reporting_odds_ratio(_frame(cells), level=level)
    assert scored["ror"].is_infinite().all()
    assert scored["ror_upper"].is_infinite().all()
    for bound, table in zip(scored["ror_lower"], cells, strict=True):
        value = float(_mid_p(Fraction(bound), *table))
        assert value == pytest.approx((1 - level) / 2, rel=1e-12), table


@pytest.mark.parametrize("level", [0.95, 0.9, 0.5, 0.999])
def test_the_rate_ratio_at_its_bound_has_the_tails_mid_p(level: float) -> None:
    cells = [(a, b, c, d) for a, b, c, d in _unbounded(6) if c == 0]
    scored = proportional_reporting_ratio(_frame(cells), level=level)
    assert scored["prr"].is_infinite().all()
    assert scored["prr_upper"].is_infinite().all()
    for bound, (a, b, _, d) in zip(scored["prr_lower"], cells, strict=True):
        share = Fraction(bound) * (a + b) / (Fraction(bound) * (a + b) + d)
        assert float(share**a / 2) == pytest.approx((1 - level) / 2, rel=1e-13)


LARGE: list[Cells] = [
    (6, 0, 0, 404),
    (30, 0, 700, 9_000),
    (40, 41_000, 0, 900_000),
    (300, 0, 0, 5_000),
    (1, 12, 0, 100_000),
]


@pytest.mark.parametrize("cells", LARGE)
def test_large_tables_have_it_too_written_out_and_by_scipy(cells: Cells) -> None:
    a, b, c, d = cells
    odds_ratio = reporting_odds_ratio(_frame([cells]))["ror_lower"].item()
    assert float(_mid_p(Fraction(odds_ratio), *cells)) == pytest.approx(0.025, rel=1e-11)
    # SciPy's is good to ten digits.
    chance = nchypergeom_fisher.pmf(a, a + b + c + d, a + b, a + c, odds_ratio)
    assert chance == pytest.approx(0.05, rel=1e-8)
    if c == 0:
        bound = proportional_reporting_ratio(_frame([cells]))["prr_lower"].item()
        share = bound * (a + b) / (bound * (a + b) + d)
        assert binom.pmf(a, a, share) == pytest.approx(0.05, rel=1e-9)


def test_bounds_by_hand() -> None:
    """Roots of 1 + 16t + 36t^2 + 16t^3 + t^4 = 20 and 1 + 21t + 63t^2 + 35t^3 = 20; 0.05^(1/a)."""
    tea, three = np.roots([1, 16, 36, 16, -19]), np.roots([35, 63, 21, -19])
    wanted = [1 / max(roots[np.isreal(roots)].real) for roots in (tea, three)]
    scored = reporting_odds_ratio(_frame([(4, 0, 0, 4), (3, 0, 0, 7)]))
    assert scored["ror_lower"].to_list() == pytest.approx(wanted, rel=1e-12)
    # One case of the event, of a drug with 2 of 200 cases: p / (1 - p) = 1 / 19.
    single = _frame([(1, 1, 0, 198)])
    bound = proportional_reporting_ratio(single)["prr_lower"].item()
    assert bound == pytest.approx(198 / 2 / 19, rel=1e-13)
    # Of the odds ratio: 1 + (1 x 198 / 2) t = 20.
    assert reporting_odds_ratio(single)["ror_lower"].item() == pytest.approx(99 / 19, rel=1e-13)


def _random(size: int) -> Iterator[Cells]:
    random = np.random.default_rng(37)
    for _ in range(size):
        a, d = int(10 ** random.uniform(0, 3)), int(10 ** random.uniform(0, 7))
        b, c = (int(10 ** random.uniform(0, 4)) - 1 for _ in range(2))
        yield (a, b, 0, d) if random.random() < 0.5 else (a, 0, c, d)


def test_the_odds_ratios_bound_is_above_1_where_fishers_mid_p_is_below_the_tail() -> None:
    """The bound inverts that test, which other code computes."""
    table = _frame(list(_random(3_000)))
    both = fisher_exact(reporting_odds_ratio(table))
    assert 300 < both.filter(pl.col("fisher_mid_p") < 0.025).height < 2_900
    clear = both.filter((pl.col("fisher_mid_p") - 0.025).abs() > 1e-9)
    differing = clear.filter((pl.col("ror_lower") > 1) != (pl.col("fisher_mid_p") < 0.025))
    assert differing.is_empty(), differing.row(0, named=True)


def test_a_bound_does_not_depend_on_the_other_rows() -> None:
    """More rows than are computed at a time, of tables that need few terms and many."""
    table = _frame(list(_random(2_500)))
    for estimator in (reporting_odds_ratio, proportional_reporting_ratio):
        together = estimator(table)
        for at in range(0, table.height, 23):
            alone = estimator(table[at : at + 1])
            assert_frame_equal(alone, together[at : at + 1], check_exact=True)


def test_a_ratio_of_two_zeros_has_no_bound() -> None:
    """No case with the event; with the drug; without the drug; without the event."""
    table = make_margins([(0, 4, 0, 10), (0, 0, 3, 10), (3, 10, 3, 10), (4, 4, 10, 10)])
    assert reporting_odds_ratio(table)["ror_lower"].to_list() == [None] * 4
    # Every case has the event: 1 without spread.
    assert proportional_reporting_ratio(table)["prr_lower"].to_list() == [None] * 3 + [1.0]


def test_a_bound_of_millions_of_cases_keeps_its_digits() -> None:
    """Poisson limits: (2 tail)^(1/n) = 1 - ln 20 / n, and r(1) t = ln 20."""
    n = 100_000_000.0
    given = (np.array([n]), np.array([3.0]), np.array([5.0]))
    assert lower_rate_ratio(*given, 0.025).item() == pytest.approx(
        (n / np.log(20) - 0.5) * 5 / 3, rel=1e-12
    )
    cells = (np.array([n]), np.array([n]), np.zeros(1), np.array([n]))
    assert lower_odds_ratio(*cells, 0.025).item() == pytest.approx(n / np.log(20), rel=1e-7)
