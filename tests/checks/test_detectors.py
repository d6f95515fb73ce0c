"""What every estimator promises, asked of each one that `detectors` exports. None is listed here.

An estimator is a function in a module's `__all__` whose first parameter is `counts` and which
returns a frame.
"""

import functools
import importlib
import inspect
import itertools
import pkgutil
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal, assert_series_equal

import detectors
from detectors.gamma_mixture import GammaMixture
from schemas.counts import MARGINS
from schemas.errors import CountsError
from tests.support.frames import make_counts

Estimator = Callable[[pl.DataFrame], pl.DataFrame]

# What estimators need besides the counts, by the parameter's name.
SUPPLIED = {
    "prior": GammaMixture(
        alpha1=3.25280367,
        beta1=0.39983376,
        alpha2=2.024904,
        beta2=1.90726819,
        weight=0.06536416,
        likelihood="mixture_of_truncated",
    ),
    "probability": 0.25,
}


def _is_estimator(candidate: object) -> bool:
    if not inspect.isfunction(candidate):
        return False
    signature = inspect.signature(candidate)
    first = next(iter(signature.parameters), None)
    return first == "counts" and signature.return_annotation in (pl.DataFrame, "pl.DataFrame")


def _discover() -> list[Estimator]:
    found = {}
    for module_info in pkgutil.iter_modules(detectors.__path__):
        module = importlib.import_module(f"detectors.{module_info.name}")
        for name in module.__all__:
            if _is_estimator(getattr(module, name)):
                found[name] = _supplied(getattr(module, name))
    return list(found.values())


def _supplied(estimator: Callable[..., pl.DataFrame]) -> Estimator:
    given = {name: SUPPLIED[name] for name in _required(estimator) if name in SUPPLIED}
    if not given:
        return estimator
    return functools.update_wrapper(functools.partial(estimator, **given), estimator)


def _required(estimator: Callable[..., pl.DataFrame]) -> list[str]:
    parameters = inspect.signature(estimator, follow_wrapped=False).parameters
    return [name for name, one in parameters.items() if one.default is inspect.Parameter.empty]


ESTIMATORS = _discover()
detector_check = pytest.mark.parametrize(
    "estimator",
    [pytest.param(found, id=f"detector-check-{found.__name__}") for found in ESTIMATORS],
)


def _counts(rows: Iterable[Sequence[int]]) -> pl.DataFrame:
    """Return counts with an adjusted expectation, a tenth below the crude one."""
    crude = pl.col("n_drug").cast(pl.Float64) * pl.col("n_event") / pl.col("n_total")
    adjusted = pl.when(pl.col("n_total") > 0).then(0.9 * crude).otherwise(0.0)
    return make_counts(rows).with_columns(expected_adjusted=adjusted)


def _small_tables() -> list[tuple[int, int, int, int]]:
    """Every table of up to four cases: each pattern of zero cells and margins."""
    sizes = itertools.product(range(5), repeat=4)
    return [
        (n, nd, ne, total)
        for n, nd, ne, total in sizes
        if n <= min(nd, ne) and max(nd, ne) <= total and nd + ne - n <= total
    ]


def _large_tables() -> list[tuple[int, int, int, int]]:
    random = np.random.default_rng(20240611)
    rows = []
    for _ in range(300):
        total = int(10 ** random.uniform(1, 8))
        nd, ne = (int(total * 10 ** random.uniform(-5, -0.1)) for _ in range(2))
        n = int(min(nd, ne) * random.uniform() ** 3)
        rows.append((max(n, nd + ne - total), nd, ne, total))
    return rows


SOUND = _counts(_small_tables() + _large_tables())
HUGE = _counts(
    [
        (1_600_000_000, 2**31 - 1, 2**31 + 5, 3_000_000_000),
        (3, 2**31, 4, 3_000_000_000),
        (2**31 - 1, 2**31, 2**31, 2**32 - 1),
        (0, 1_400_000_000, 1_500_000_000, 3_000_000_000),
    ]
)


def test_the_package_has_estimators() -> None:
    assert len(ESTIMATORS) >= 8


@detector_check
def test_needs_nothing_but_counts(estimator: Estimator) -> None:
    missing = "a detector that needs more must find it in SUPPLIED to be checked"
    assert _required(estimator) == ["counts"], missing


@detector_check
def test_leaves_its_input_unchanged(estimator: Estimator) -> None:
    counts = SOUND.clone()
    before = counts.to_dict(as_series=False)
    estimator(counts)
    assert counts.to_dict(as_series=False) == before


@detector_check
def test_keeps_rows_in_order_and_adds_columns(estimator: Estimator) -> None:
    result = estimator(SOUND)
    assert_frame_equal(result.select(SOUND.columns), SOUND)
    assert result.columns[: SOUND.width] == SOUND.columns
    added = result.columns[SOUND.width :]
    assert added
    assert all(result.schema[name] == pl.Float64 for name in added)


@detector_check
def test_row_order_has_no_effect(estimator: Estimator) -> None:
    shuffled = SOUND.sample(fraction=1, shuffle=True, seed=5)
    expected = SOUND.select("drug").join(estimator(shuffled), on="drug", maintain_order="left")
    assert_frame_equal(estimator(SOUND), expected, check_exact=True)


@detector_check
def test_each_row_stands_alone(estimator: Estimator) -> None:
    together = estimator(SOUND)
    for at in range(0, SOUND.height, 7):
        assert_frame_equal(estimator(SOUND[at : at + 1]), together[at : at + 1], check_exact=True)


@detector_check
def test_chunks_have_no_effect(estimator: Estimator) -> None:
    chunked = pl.concat([SOUND[:100], SOUND[100:103], SOUND[103:]], rechunk=False)
    assert chunked.n_chunks() == 3
    assert_frame_equal(estimator(chunked), estimator(SOUND), check_exact=True)


@detector_check
@pytest.mark.parametrize("column", MARGINS)
def test_a_column_held_as_one_scalar_has_no_effect(estimator: Estimator, column: str) -> None:
    """polars multiplies by the reciprocal of a literal column where it divides by a full one."""
    sizes = itertools.product((0, 3, 7), (49, 98, 147), (49, 343, 500), (7**5, 10**7))
    for value, rows in _counts(list(sizes)).group_by(column):
        scalar = rows.with_columns(pl.lit(value[0], pl.Int64).alias(column))
        assert_frame_equal(estimator(scalar), estimator(rows), check_exact=True)


@detector_check
def test_an_empty_frame_keeps_its_schema(estimator: Estimator) -> None:
    result = estimator(SOUND.clear())
    assert result.schema == estimator(SOUND).schema
    assert result.is_empty()


@detector_check
@pytest.mark.parametrize("column", MARGINS)
def test_a_wrong_column_is_named(estimator: Estimator, column: str) -> None:
    with pytest.raises(CountsError, match=r": counts need the columns .*; got \["):
        estimator(SOUND.drop(column))
    with pytest.raises(CountsError, match=f": {column} must be an integer count of cases; got Flo"):
        estimator(SOUND.with_columns(pl.col(column).cast(pl.Float64)))
    with pytest.raises(CountsError, match=f"^{estimator.__name__}: 0 <= n_observed .* must hold"):
        estimator(SOUND.with_columns(pl.lit(None, pl.Int64).alias(column)))


@detector_check
def test_nothing_is_nan(estimator: Estimator) -> None:
    for counts in (SOUND, HUGE):
        result = estimator(counts)
        added = result.columns[counts.width :]
        nan = result.filter(pl.any_horizontal(pl.col(added).is_nan()))
        assert nan.is_empty(), nan.row(0, named=True)


@detector_check
def test_bounds_enclose_the_point(estimator: Estimator) -> None:
    for counts in (SOUND, HUGE):
        result = estimator(counts)
        for name in result.columns:
            if f"{name}_lower" not in result.columns:
                continue
            point, lower, upper = (pl.col(f"{name}{end}") for end in ("", "_lower", "_upper"))
            outside = result.filter((lower > point) | (upper < point))
            assert outside.is_empty(), outside.row(0, named=True)
            # No bound stands without its point.
            assert result.filter(
                point.is_null() & (lower.is_not_null() | upper.is_not_null())
            ).is_empty()


@detector_check
@pytest.mark.parametrize("dtype", [pl.UInt32, pl.UInt64, pl.Int128])
def test_the_integer_type_has_no_effect(estimator: Estimator, dtype: pl.DataType) -> None:
    for counts in (SOUND, HUGE):
        recast = counts.with_columns(pl.col(MARGINS).cast(dtype))
        added = estimator(recast).drop(MARGINS)
        assert_frame_equal(added, estimator(counts).drop(MARGINS), check_exact=True)


@detector_check
def test_large_margins_do_not_overflow(estimator: Estimator) -> None:
    """A product of integer margins would wrap, and change with the scale of the table."""
    result = estimator(HUGE)
    added = result.columns[HUGE.width :]
    for name in added:
        values = result[name]
        assert values.null_count() <= 1, name
        assert not values.is_infinite().any(), name
    # Sizes that do not depend on the number of cases: the same at a thousandth of the table.
    table = (1_600_000_000, 2_147_000_000, 2_148_000_000, 3_000_000_000)
    thousandth = tuple(count // 1000 for count in table)
    both = estimator(_counts([table, thousandth]))
    for name in set(added) & {"prr", "ror", "rrr"}:
        assert_series_equal(both[name][:1], both[name][1:], rel_tol=1e-14)


@detector_check
def test_the_docstring_has_its_sections(estimator: Estimator) -> None:
    text = inspect.getdoc(estimator) or ""
    sections = ["Parameters", "Returns", "Raises", "Notes", "References", "Examples"]
    places = [text.find(f"\n{section}\n{'-' * len(section)}\n") for section in sections]
    assert all(place > 0 for place in places), dict(zip(sections, places, strict=True))
    assert places == sorted(places)
    assert text.splitlines()[0].endswith(".")
    assert ".. [1]" in text
    assert ">>> " in text
