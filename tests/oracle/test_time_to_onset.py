"""The Weibull fit against SciPy's fit of the same intervals, and the tests written out again."""

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize
from scipy.stats import CensoredData, chi2, ks_2samp, norm, weibull_min

from detectors.kolmogorov_smirnov import kolmogorov_smirnov
from detectors.time_to_onset import time_to_onset

PAIR = pl.DataFrame({"drug": ["A"], "event": ["rash"]})
EARLY = [0, 0, 0, 1, 1, 2, 3, 3, 5, 8, 13, 40]
LATE = [20, 31, 33, 40, 42, 47, 48, 55, 58, 60, 61, 77]


def _onsets(own: list[int], others: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "case": range(len(own) + len(others)),
            "drug": ["A"] * len(own) + ["B"] * len(others),
            "event": ["rash"] * (len(own) + len(others)),
            "onset_days": own + others,
        },
        schema_overrides={"drug": pl.String, "event": pl.String, "onset_days": pl.Int64},
    )


def _by_scipy(days: list[int]) -> tuple[float, float]:
    intervals = np.column_stack([days, np.array(days) + 1.0])
    shape, _, scale = weibull_min.fit(
        CensoredData(interval=intervals),
        floc=0,
        optimizer=lambda loss, start, args, disp: (
            minimize(
                loss, start, args, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-12}
            ).x
        ),
    )
    return float(shape), float(scale)


def _likelihood(days: list[int], shape: float, scale: float) -> float:
    start, end = np.array(days, dtype=float), np.array(days) + 1.0
    survival = [np.exp(-((edge / scale) ** shape)) for edge in (start, end)]
    return float(np.log(survival[0] - survival[1]).sum())


@pytest.mark.parametrize("days", [EARLY, LATE, [0] * 9 + [2, 400], [0, 5, 30, 31, 90, 2000]])
def test_the_fit_is_that_of_scipys_interval_censored_weibull(days: list[int]) -> None:
    row = time_to_onset(PAIR, _onsets(days, [])).row(0, named=True)
    shape, scale = _by_scipy(days)
    assert row["shape"] == pytest.approx(shape, rel=1e-5)
    assert row["scale_days"] == pytest.approx(scale, rel=1e-5)
    assert row["n_onset"] == len(days)
    assert row["median_days"] == float(np.median(days))


@pytest.mark.parametrize("level", [0.95, 0.9])
def test_the_interval_is_walds_for_the_logarithm_of_the_shape(level: float) -> None:
    row = time_to_onset(PAIR, _onsets(LATE, []), level=level).row(0, named=True)
    place = np.log([row["shape"], row["scale_days"]])
    step = 1e-4

    def loss(at: np.ndarray) -> float:
        return -_likelihood(LATE, *np.exp(at))

    hessian = np.empty((2, 2))
    for i, j in np.ndindex(2, 2):
        one, two = step * np.eye(2)[i], step * np.eye(2)[j]
        hessian[i, j] = (
            loss(place + one + two)
            - loss(place + one - two)
            - loss(place - one + two)
            + loss(place - one - two)
        ) / (4 * step**2)
    half = norm.ppf((1 + level) / 2) * np.sqrt(np.linalg.inv(hessian)[0, 0])
    bounds = np.exp([place[0] - half, place[0] + half])
    assert (row["shape_lower"], row["shape_upper"]) == pytest.approx(bounds, rel=1e-4)


def test_simulated_shapes_are_covered_as_often_as_the_level_says() -> None:
    """60 samples of 80: the chance of fewer than 51 hits at 95% is below 1 in 1000."""
    random = np.random.default_rng(4)
    pairs = pl.DataFrame({"drug": [f"d{place}" for place in range(60)], "event": ["rash"] * 60})
    days = np.floor(30 * random.weibull(0.7, (60, 80))).astype(int)
    onsets = pl.DataFrame(
        {
            "case": range(days.size),
            "drug": np.repeat(pairs["drug"].to_numpy(), 80),
            "event": ["rash"] * days.size,
            "onset_days": days.ravel(),
        }
    )
    rows = time_to_onset(pairs, onsets)
    hits = rows.filter((pl.col("shape_lower") < 0.7) & (pl.col("shape_upper") > 0.7)).height
    assert hits >= 51
    # All drugs are alike: a p-value is below 5% about as often.
    assert rows.filter(pl.col("shape_equal_p") < 0.05).height <= 9
    assert rows.filter(pl.col("ks_p") < 0.05).height <= 9


def test_others_are_compared_by_two_tests() -> None:
    row = time_to_onset(PAIR, _onsets(EARLY, LATE)).row(0, named=True)
    assert row["ks"] == ks_2samp(EARLY, LATE).statistic
    assert row["ks_p"] == pytest.approx(kolmogorov_smirnov(EARLY, LATE)[1], rel=1e-12)

    def common(place: np.ndarray) -> float:
        shape, scale, other = np.exp(place)
        return -_likelihood(EARLY, shape, scale) - _likelihood(LATE, shape, other)

    start = np.log([1.0, 7.0, 50.0])
    held = minimize(common, start, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11})
    own = _likelihood(EARLY, *_by_scipy(EARLY)) + _likelihood(LATE, *_by_scipy(LATE))
    assert row["shape_equal_p"] == pytest.approx(chi2.sf(2 * (own + held.fun), 1), rel=1e-5)
    assert row["shape_others"] == pytest.approx(_by_scipy(LATE)[0], rel=1e-5)
    assert row["median_days_others"] == float(np.median(LATE))
    assert row["n_onset_others"] == len(LATE)


def test_ten_onsets_on_day_0_against_five_on_day_0_and_five_on_day_1() -> None:
    """Taking days for distinct values gives p = .1678; with ties it is 2 C(15, 10) / C(20, 10)."""
    row = time_to_onset(PAIR, _onsets([0] * 10, [0] * 5 + [1] * 5)).row(0, named=True)
    assert (row["ks"], row["ks_p"]) == pytest.approx((0.5, 6006 / 184756), rel=1e-12)


def test_a_case_is_counted_once_by_its_shortest_onset_and_never_on_both_sides() -> None:
    onsets = pl.DataFrame(
        [
            ("p", "A", "rash", 9),
            ("p", "A", "rash", 4),
            ("p", "B", "rash", 1),  # a case of A: not among the others
            ("q", "B", "rash", 30),
            ("q", "C", "rash", 20),
            ("q", "C", "ache", 2),  # another event
            ("r", "A", "rash", None),  # unknown
            ("s", "A", "rash", 6),
            ("t", "A", "rash", 8),
        ],
        schema=["case", "drug", "event", "onset_days"],
        orient="row",
    )
    row = time_to_onset(PAIR, onsets, at_least=3).row(0, named=True)
    assert (row["n_onset"], row["median_days"]) == (3, 6.0)
    assert (row["n_onset_others"], row["median_days_others"]) == (1, None)


NUMBERS = ("shape", "shape_lower", "shape_upper", "scale_days", "shape_others", "shape_equal_p")


@pytest.mark.parametrize(
    ("own", "others", "known", "compared"),
    [
        pytest.param([0, 3, 7, 9], LATE, {"shape_others"}, False, id="too few"),
        pytest.param([0] * 8, LATE, {"shape_others"}, True, id="one day"),
        pytest.param([3, 4] * 4, LATE, {"shape_others"}, True, id="two neighbouring days"),
        pytest.param(LATE, [5] * 9, set(NUMBERS[:4]), True, id="others on one day"),
        pytest.param(LATE, [1, 2], set(NUMBERS[:4]), False, id="too few others"),
        pytest.param([], [], set(), False, id="no onset at all"),
        pytest.param([0, 2] * 4, LATE, set(NUMBERS), True, id="two days apart"),
    ],
)
def test_what_cannot_be_known_is_null(
    own: list[int], others: list[int], known: set[str], compared: bool
) -> None:
    row = time_to_onset(PAIR, _onsets(own, others)).row(0, named=True)
    assert {name for name in NUMBERS if row[name] is not None} == known
    assert (row["ks"] is not None) == compared
    assert (row["ks_p"] is not None) == compared


def test_pairs_keep_their_order_and_columns_and_need_no_onset() -> None:
    pairs = pl.DataFrame({"drug": ["C", "A"], "event": ["ache", "rash"], "note": [1, 2]})
    result = time_to_onset(pairs, _onsets(EARLY, LATE))
    assert result.select(pairs.columns).equals(pairs)
    assert result["n_onset"].to_list() == [0, len(EARLY)]
    assert result["shape"].to_list()[0] is None
    assert time_to_onset(pairs.clear(), _onsets(EARLY, LATE)).schema == result.schema
