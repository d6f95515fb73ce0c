"""What holds for every 2x2 table, and the claims that the detectors' docstrings make in prose."""

import math
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy.stats import gamma

from detectors.gamma_mixture import GammaMixture
from detectors.information_component import information_component
from detectors.reporting_odds_ratio import reporting_odds_ratio
from detectors.rules import PRESETS, load_rules
from detectors.scoring import ALL, score
from tests.support.frames import make_counts

PRIOR = GammaMixture(
    alpha1=3.25, beta1=0.4, alpha2=2.02, beta2=1.9, weight=0.065, likelihood="truncated_mixture"
)

Table = tuple[int, int, int, int]

unhurried = settings(deadline=None)


@st.composite
def tables(draw: st.DrawFn, most: int = 3_000_000_000) -> Table:
    """Any four counts that can belong together; the cells are drawn, so zeros are common."""
    size = st.sampled_from([0, 1, 2, 5, 50, 10**4, 10**6, most // 4])
    a, b, c, d = (draw(st.integers(0, draw(size))) for _ in range(4))
    return a, a + b, a + c, a + b + c + d


def _row(table: Table) -> dict[str, float]:
    return score(make_counts([table])).row(0, named=True)


def _near(exact: Fraction | None, unbounded: bool) -> object:
    if exact is not None:
        return pytest.approx(float(exact), rel=1e-14)
    return math.inf if unbounded else None


@unhurried
@given(tables())
def test_ratios_are_the_exact_fractions(table: Table) -> None:
    n, nd, ne, total = table
    b, c, others = nd - n, ne - n, total - nd
    scored = _row(table)
    prr = Fraction(n * others, c * nd) if c * nd else None
    assert scored["prr"] == _near(prr, n * others > 0)
    ror = Fraction(n * (others - c), b * c) if b * c else None
    assert scored["ror"] == _near(ror, n * (others - c) > 0)
    assert scored["rrr"] == _near(Fraction(n * total, nd * ne) if nd * ne else None, False)


@unhurried
@given(tables(most=100_000))
def test_chi_squared_is_the_exact_fraction_and_the_correction_never_raises_it(table: Table) -> None:
    n, nd, ne, total = table
    margins = nd * ne * (total - nd) * (total - ne)
    scored = _row(table)
    if not margins:
        assert (scored["chi2"], scored["chi2_yates"]) == (None, None)
        return
    determinant = abs(n * total - nd * ne)
    plain = Fraction(total * determinant**2, margins)
    bracket = max(Fraction(determinant) - Fraction(total, 2), Fraction(0))
    assert scored["chi2"] == pytest.approx(float(plain), rel=1e-13)
    assert scored["chi2_yates"] == pytest.approx(float(total * bracket**2 / margins), rel=1e-13)
    assert 0 <= scored["chi2_yates"] <= scored["chi2"]


@unhurried
@given(tables())
def test_bounds_enclose_the_point_and_nothing_is_nan(table: Table) -> None:
    scored = _row(table)
    assert not any(isinstance(value, float) and math.isnan(value) for value in scored.values())
    for name in ("prr", "ror", "ic"):
        lower, point, upper = (scored[f"{name}{end}"] for end in ("_lower", "", "_upper"))
        if point is None:
            assert lower is None
            assert upper is None
        else:
            assert lower is None or lower <= point
            assert upper is None or point <= upper


@unhurried
@given(tables())
def test_the_rrr_lies_between_one_and_the_prr(table: Table) -> None:
    scored = _row(table)
    if scored["prr"] is not None and scored["rrr"] is not None:
        low, high = sorted([1, scored["prr"]])
        assert low * (1 - 1e-14) <= scored["rrr"] <= high * (1 + 1e-14)


@unhurried
@given(tables())
def test_all_but_the_prr_treat_drug_and_event_alike(table: Table) -> None:
    n, nd, ne, total = table
    one, other = _row(table), _row((n, ne, nd, total))
    for name in ("ror", "ror_lower", "ror_upper", "chi2", "chi2_yates", "rrr", "ic", "ic_lower"):
        expected = None if one[name] is None else pytest.approx(one[name], rel=1e-12, abs=1e-300)
        assert other[name] == expected, name


@unhurried
@given(st.lists(tables(), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_neighbours_order_and_chunks_do_not_change_a_bit(rows: list[Table], random: object) -> None:
    counts = make_counts(rows)
    scored = score(counts)
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert_frame_equal(score(counts[order]), scored[order], check_exact=True)
    chunked = pl.concat([counts[at : at + 1] for at in range(len(rows))], rechunk=False)
    assert_frame_equal(score(chunked), scored, check_exact=True)
    for at in order[:3]:
        assert_frame_equal(score(counts[at : at + 1]), scored[at : at + 1], check_exact=True)


@unhurried
@given(tables(), st.floats(0.5, 0.98), st.floats(1.001, 1.02))
def test_a_higher_level_widens_every_interval(table: Table, level: float, factor: float) -> None:
    counts = make_counts([table])
    for estimator, name in ((reporting_odds_ratio, "ror"), (information_component, "ic")):
        narrow = estimator(counts, level=level).row(0, named=True)
        wide = estimator(counts, level=level * factor).row(0, named=True)
        assert narrow[name] == wide[name]
        if narrow[name] not in (None, 0, math.inf):
            assert wide[f"{name}_lower"] <= narrow[f"{name}_lower"]
            assert wide[f"{name}_upper"] >= narrow[f"{name}_upper"]


@unhurried
@given(tables())
def test_no_rule_fires_below_its_floor(table: Table) -> None:
    rules = load_rules(list(PRESETS), {"additional_monitoring": ["0"]})
    scored = score(make_counts([table]), [*ALL, "ebgm"], prior=PRIOR)
    # Those that need days or strata are as high as they can get.
    quantile = gamma.ppf(0.025, table[0] + 0.5)
    scored = scored.with_columns(
        e_value=pl.lit(math.inf),
        e_bh_level=pl.lit(0.0),
        e_value_blocked=pl.lit(math.inf),
        e_value_budgeted=pl.lit(math.inf),
        ic_lower_adjusted=pl.lit(math.log2(quantile / 0.5)),
    )
    flags = rules.evaluate(scored).row(0, named=True)
    for rule in rules.rules:
        assert not flags[rule.name] or table[0] >= rule.floor, rule.name


def test_the_ic_stays_within_its_interval_above_a_level_of_037_and_not_below() -> None:
    """The docstring's claim; the mean of Gamma(0.5) is its 68.3% point."""
    counts = make_counts([(0, 10, 10, 100), (1, 10, 10, 100), (5, 10, 10, 100)])
    within = pl.col("ic") <= pl.col("ic_upper")
    assert information_component(counts, level=0.37).select(within.all()).item()
    low = information_component(counts, level=0.36).select(within).to_series()
    assert low.to_list() == [False, True, True]


def test_the_false_alarm_rate_of_the_ror_is_what_its_docstring_says() -> None:
    """METHODS I: evaluated after every report of the pair, ten expected in the end; 19.1%."""
    random = np.random.default_rng(21)
    pairs, reports = 20_000, 40
    arrival = random.exponential(1 / 10, (pairs, reports)).cumsum(axis=1)
    number = np.broadcast_to(np.arange(1, reports + 1), arrival.shape)
    # At time t: (t x 1e6) x 1e7 / 1e12 = 10 t cases are expected.
    counts = pl.DataFrame(
        {"n_observed": number.ravel(), "n_drug": np.ceil(arrival * 1e6).astype(int).ravel()}
    ).with_columns(n_event=pl.lit(10**7), n_total=pl.lit(10**12))
    scored = reporting_odds_ratio(counts.with_columns(n_drug=pl.max_horizontal("n_drug", 50)))
    lower = scored["ror_lower"].fill_null(0).to_numpy().reshape(pairs, reports)
    flagged = (lower > 1) & (number >= 3) & (arrival <= 1)
    assert flagged.any(axis=1).mean() == pytest.approx(0.191, abs=0.01)
