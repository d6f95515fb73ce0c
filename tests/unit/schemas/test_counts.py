"""The contract of a counts frame, and the message for each way to break it."""

import polars as pl
import pytest

from detectors.gamma_mixture import GammaMixture
from detectors.information_component import information_component
from detectors.intervals import tail_mass
from detectors.scoring import METHODS, methods_for, score
from schemas.counts import MARGINS, require_counts, require_unique_pairs
from schemas.errors import CountsError, InputError

PRIOR = GammaMixture(
    alpha1=3.25, beta1=0.4, alpha2=2.02, beta2=1.9, weight=0.065, likelihood="truncated_mixture"
)
ROW = {
    "drug": "A",
    "event": "rash",
    "n_observed": 3,
    "n_drug": 20,
    "n_event": 100,
    "n_total": 10000,
}


def _frame(**changes: object) -> pl.DataFrame:
    return pl.DataFrame([ROW, {**ROW, "drug": "B", **changes}])


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"n_observed": -1}, id="negative"),
        pytest.param({"n_observed": 21}, id="more than the drug's"),
        pytest.param({"n_observed": 15, "n_event": 14}, id="more than the event's"),
        pytest.param({"n_drug": 10001}, id="drug more than all"),
        pytest.param({"n_event": 10001}, id="event more than all"),
        pytest.param({"n_drug": 9000, "n_event": 2000}, id="cells do not fit"),
        pytest.param({"n_total": None}, id="null"),
        pytest.param({"n_total": -(2**63)}, id="difference would wrap"),
        pytest.param(
            {"n_drug": 3 * 2**61, "n_event": 3 * 2**61, "n_total": 2**63 - 1}, id="sum would wrap"
        ),
    ],
)
def test_an_impossible_table_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(
        CountsError,
        match=r"^here: 0 <= n_observed <= min\(n_drug, n_event\), n_drug \+ n_event - n_observed "
        r"<= n_total must hold, without nulls; 1 of 2 rows break it, first \{'drug': 'B', ",
    ):
        require_counts(_frame(**changes), where="here")


def test_unsigned_counts_beyond_int64_are_refused_not_wrapped() -> None:
    huge = _frame().with_columns(n_total=pl.Series([10000, 2**64 - 1], dtype=pl.UInt64))
    with pytest.raises(CountsError, match=r"1 of 2 rows break it, first \{'drug': 'B'"):
        require_counts(huge, where="here")


def test_unsigned_margins_do_not_underflow() -> None:
    require_counts(_frame().with_columns(pl.col(MARGINS).cast(pl.UInt16)), where="here")


@pytest.mark.parametrize("column", MARGINS)
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(
        CountsError, match=r"^here: counts need the columns \['n_observed', .*; got"
    ):
        require_counts(_frame().drop(column), where="here")


def test_a_float_count_is_refused() -> None:
    with pytest.raises(
        CountsError, match=r"^here: n_drug must be an integer count of cases; got F"
    ):
        require_counts(_frame().with_columns(pl.col("n_drug").cast(pl.Float32)), where="here")


def test_a_sound_frame_and_an_empty_one_pass() -> None:
    require_counts(_frame(), where="here")
    require_unique_pairs(_frame(), where="here")
    require_counts(_frame().clear(), where="here")
    require_unique_pairs(_frame().clear(), where="here")


def test_a_repeated_pair_is_refused() -> None:
    with pytest.raises(CountsError, match=r"^here: a pair must stand in one row; 2 of 3 rows rep"):
        require_unique_pairs(pl.concat([_frame(), _frame()[1:]]), where="here")


def test_a_pair_may_stand_in_several_windows_but_once_in_each() -> None:
    twice = pl.concat([_frame()[:1], _frame()[:1]])
    require_unique_pairs(twice.with_columns(window=pl.Series(["2024-01", "2024-02"])), where="here")
    with pytest.raises(CountsError, match=r"a pair must stand in one row"):
        require_unique_pairs(twice.with_columns(window=pl.lit("2024-01")), where="here")


def test_equal_hashes_alone_do_not_make_a_repeated_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pl.Expr, "hash", lambda self: pl.lit(7, pl.UInt64))
    require_unique_pairs(_frame(), where="here")


def test_a_pair_without_a_name_is_refused() -> None:
    with pytest.raises(
        CountsError, match=r"^here: drug and event must be named; 1 of 2 rows are n"
    ):
        require_unique_pairs(_frame(event=None), where="here")


def test_pairs_need_their_columns() -> None:
    with pytest.raises(CountsError, match=r"^here: counts need the columns drug and event; got"):
        require_unique_pairs(_frame().drop("drug"), where="here")


def test_scoring_refuses_what_the_contract_refuses() -> None:
    with pytest.raises(CountsError, match=r"^score: 0 <= n_observed"):
        score(_frame(n_observed=21))
    with pytest.raises(CountsError, match=r"^score: a pair must stand in one row"):
        score(pl.concat([_frame(), _frame()]))


def test_an_unknown_method_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        InputError, match=r"^score: methods must be among \['prr', 'ror', .*\]; got \['ebgn'\]"
    ):
        score(_frame(), ["prr", "ebgn"])


def test_each_method_adds_the_columns_it_declares() -> None:
    for name, method in METHODS.items():
        frame = _frame().with_columns(pl.lit(0.5).alias(column) for column in method.needs)
        scored = score(frame, [name], prior=PRIOR, adjusted_prior=PRIOR)
        assert scored.columns[frame.width :] == list(method.columns)


def test_a_method_that_needs_a_prior_asks_for_it() -> None:
    with pytest.raises(InputError, match=r"^score: method 'ebgm' needs a prior, .*; got none"):
        score(_frame(), ["ebgm"], adjusted_prior=PRIOR)
    with_expected = _frame().with_columns(expected_adjusted=pl.lit(0.5))
    message = r"^score: method 'ebgm_adjusted' needs a prior fitted to expected_adjusted, .*; got "
    with pytest.raises(InputError, match=message):
        score(with_expected, ["ebgm_adjusted"], prior=PRIOR)
    with pytest.raises(CountsError, match=r"'ebgm_adjusted' needs the columns \['expected_adj"):
        score(_frame(), ["ebgm_adjusted"], adjusted_prior=PRIOR)


def test_methods_come_in_the_registrys_order_whatever_was_asked() -> None:
    assert score(_frame(), ["ic", "prr"]).columns == score(_frame(), ["prr", "ic"]).columns
    assert methods_for({"ic_lower", "ror_upper"}) == ("ror", "ic")
    assert methods_for({"n_observed"}) == ()
    assert methods_for({"expected"}) == ("ic",)
    assert methods_for({"expected", "eb05"}) == ("ic", "ebgm")


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 95, float("nan")])
def test_a_level_outside_its_range_is_refused(level: float) -> None:
    with pytest.raises(InputError, match=r"^here: level must lie in \(0, 1\); got"):
        tail_mass(level, where="here")


@pytest.mark.parametrize("shrinkage", [0.0, -0.5, float("inf"), float("nan")])
def test_a_shrinkage_that_shrinks_nothing_is_refused(shrinkage: float) -> None:
    with pytest.raises(
        InputError, match=r"^information_component: shrinkage must be a positive number of cases; g"
    ):
        information_component(_frame(), shrinkage=shrinkage)
