"""Each pattern of zero cells and margins gives what docs/adr/0005 and the docstrings say."""

import math

import numpy as np
import polars as pl
import pytest

from detectors.scoring import score

INF = math.inf
RATIOS = ("prr", "prr_lower", "prr_upper", "ror", "ror_lower", "ror_upper")
UNDEFINED = (None, None, None)
ZERO = (0.0, 0.0, None)


def _unbounded(lower: float) -> tuple[object, ...]:
    return (INF, pytest.approx(lower, rel=1e-12), INF)


def _root(*coefficients: float) -> float:
    """Reciprocal of the t at which the polynomial, highest power first, is 1 / 0.05."""
    roots = np.roots([*coefficients[:-1], coefficients[-1] - 20])
    return float(1 / roots[np.isreal(roots)].real.max())


def _odds(n: int) -> float:
    return 0.05 ** (1 / n) / (1 - 0.05 ** (1 / n))


def _scored(n: int, nd: int, ne: int, total: int) -> dict[str, float | None]:
    counts = {"n_observed": [n], "n_drug": [nd], "n_event": [ne], "n_total": [total]}
    return score(pl.DataFrame({"drug": ["A"], "event": ["rash"], **counts})).row(0, named=True)


@pytest.mark.parametrize(
    ("table", "ratios"),
    [
        pytest.param((0, 0, 0, 0), UNDEFINED + UNDEFINED, id="no case at all"),
        pytest.param((0, 0, 3, 10), UNDEFINED + UNDEFINED, id="no case with the drug"),
        pytest.param((0, 4, 0, 10), UNDEFINED + UNDEFINED, id="no case with the event"),
        pytest.param((3, 10, 3, 10), UNDEFINED + UNDEFINED, id="no case without the drug"),
        pytest.param((0, 4, 3, 10), ZERO + ZERO, id="a = 0"),
        # Exact mid-p bounds; 21, 105, 105, 21 and 1, 21, 63, 35 tables have a = 3, 2, 1, 0.
        pytest.param(
            (3, 5, 3, 10), _unbounded(_odds(3)) + _unbounded(_root(1, 5, 5, 1)), id="c = 0"
        ),
        pytest.param(
            (3, 3, 3, 10),
            _unbounded(_odds(3) * 7 / 3) + _unbounded(_root(35, 63, 21, 1)),
            id="b = c = 0",
        ),
        pytest.param((0, 7, 3, 10), ZERO + ZERO, id="a = d = 0"),
    ],
)
def test_ratios(table: tuple[int, int, int, int], ratios: tuple[object, ...]) -> None:
    scored = _scored(*table)
    assert tuple(scored[name] for name in RATIOS) == ratios


def test_b_zero_is_an_ordinary_case_for_the_prr_and_unbounded_for_the_ror() -> None:
    scored = _scored(5, 5, 40, 10000)
    assert scored["prr"] == pytest.approx(9995 / 35)
    # var(ln PRR) = 1/5 - 1/5 + 1/35 - 1/9995
    spread = math.exp(1.959963984540054 * math.sqrt(1 / 35 - 1 / 9995))
    assert scored["prr_lower"] == pytest.approx(9995 / 35 / spread)
    assert scored["prr_upper"] == pytest.approx(9995 / 35 * spread)
    tables = [math.comb(40, k) * math.comb(9960, 5 - k) / math.comb(40, 5) for k in range(6)]
    lower = _root(*tables)
    assert (scored["ror"], scored["ror_lower"], scored["ror_upper"]) == _unbounded(lower)


def test_d_zero_is_an_ordinary_case_for_the_prr_and_zero_for_the_ror() -> None:
    scored = _scored(2, 6, 6, 10)  # a, b, c, d = 2, 4, 4, 0
    assert scored["prr"] == pytest.approx((2 / 6) / (4 / 4))
    assert 0 < scored["prr_lower"] < scored["prr"] < scored["prr_upper"] < INF
    assert (scored["ror"], scored["ror_lower"], scored["ror_upper"]) == ZERO


def test_every_case_has_the_event_prr_is_one_without_spread() -> None:
    scored = _scored(4, 4, 10, 10)  # b = d = 0
    assert (scored["prr"], scored["prr_lower"], scored["prr_upper"]) == (1, 1, 1)
    assert (scored["ror"], scored["ror_lower"], scored["ror_upper"]) == UNDEFINED


@pytest.mark.parametrize(
    "table", [(0, 0, 0, 0), (0, 0, 3, 10), (0, 4, 0, 10), (3, 10, 3, 10), (4, 4, 10, 10)]
)
def test_chi_squared_is_null_at_a_zero_margin(table: tuple[int, int, int, int]) -> None:
    scored = _scored(*table)
    assert (scored["chi2"], scored["chi2_yates"]) == (None, None)


@pytest.mark.parametrize(
    ("table", "chi2", "yates"),
    [
        pytest.param((0, 4, 3, 10), 10 * 12**2 / (4 * 3 * 6 * 7), 10 * 7**2 / 504, id="a = 0"),
        pytest.param((3, 5, 3, 10), 10 * 15**2 / (5 * 3 * 5 * 7), 10 * 10**2 / 525, id="c = 0"),
        pytest.param((3, 3, 3, 10), 10, 10 * 16**2 / 21**2, id="b = c = 0"),
        pytest.param((5, 10, 10, 20), 0, 0, id="independent: the bracket is clamped"),
        pytest.param((3, 5, 5, 10), 10 * 5**2 / 625, 0, id="|ad - bc| = N/2"),
    ],
)
def test_chi_squared_is_defined_at_zero_cells(
    table: tuple[int, int, int, int], chi2: float, yates: float
) -> None:
    scored = _scored(*table)
    assert scored["chi2"] == pytest.approx(chi2)
    assert scored["chi2_yates"] == pytest.approx(yates)


@pytest.mark.parametrize(
    ("table", "rrr"),
    [
        pytest.param((0, 0, 0, 0), None, id="N = 0"),
        pytest.param((0, 0, 3, 10), None, id="no case with the drug"),
        pytest.param((0, 4, 0, 10), None, id="no case with the event"),
        pytest.param((0, 4, 3, 10), 0, id="a = 0"),
        pytest.param((3, 3, 3, 10), 3 / 0.9, id="b = c = 0"),
    ],
)
def test_rrr(table: tuple[int, int, int, int], rrr: float | None) -> None:
    assert _scored(*table)["rrr"] == (None if rrr is None else pytest.approx(rrr))


def test_ic_is_null_only_in_an_empty_population() -> None:
    names = ("expected", "ic", "ic_lower", "ic_upper")
    nothing = _scored(0, 0, 0, 0)
    assert [nothing[name] for name in names] == [None] * 4
    for table in [(0, 0, 3, 10), (0, 4, 0, 10), (0, 4, 3, 10), (3, 3, 3, 10), (3, 10, 3, 10)]:
        scored = _scored(*table)
        assert all(math.isfinite(scored[name]) for name in names), table


def test_ic_without_case_or_expectation_is_zero() -> None:
    scored = _scored(0, 0, 3, 10)
    assert (scored["expected"], scored["ic"]) == (0, 0)
    assert scored["ic_lower"] < 0 < scored["ic_upper"]
