"""Streamed is recomputed, to the last bit; and both are what plain arithmetic gives."""

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import anytime_valid
from detectors.anytime_valid import RATE_RATIOS
from detectors.anytime_valid_state import DayCounts, SafeTest, daily_counts, split_pairs

CASES = st.lists(
    st.tuples(
        st.integers(100, 112),
        st.lists(st.integers(0, 5), max_size=3, unique=True),
        st.lists(st.integers(0, 5), max_size=3, unique=True),
    ),
    max_size=60,
)
Case = tuple[int, list[int], list[int]]


def buckets(cases: list[Case]) -> list[DayCounts]:
    codes = pl.List(pl.UInt32)
    schema: dict[str, Any] = {"day": pl.Int32, "drugs": codes, "events": codes}
    return daily_counts(pl.DataFrame(cases, schema=schema, orient="row").with_columns(n=1))


def streamed(days: list[DayCounts], level: float) -> SafeTest:
    test = anytime_valid.start(level)
    for day in days:
        test = anytime_valid.advance(test, day)
    return test


def assert_same_bits(one: SafeTest, other: SafeTest) -> None:
    left, right = one.to_arrays(), other.to_arrays()
    for name in left.keys() - {"recomputed"}:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)
    assert anytime_valid.e_values(one).equals(anytime_valid.e_values(other))


def by_hand(cases: list[Case], level: float) -> dict[tuple[int, int], tuple[float, int | None]]:
    """Look at every pair on every day, cases or none: log e-value at the end, day of crossing."""
    pairs = {(drug, event) for _, drugs, events in cases for drug in drugs for event in events}
    result = {}
    for drug, event in pairs:
        logs = [0.0] * len(RATE_RATIOS)
        crossed = None
        for day in sorted({day for day, _, _ in cases}):
            of_day = [case for case in cases if case[0] == day]
            n_drug = sum(drug in drugs for _, drugs, _ in of_day)
            n_event = sum(event in events for _, _, events in of_day)
            n = sum(drug in drugs and event in events for _, drugs, events in of_day)
            fewer, more = sorted((n_drug, n_event))
            for at, r in enumerate(RATE_RATIOS):
                logs[at] += n * math.log(r) - fewer * math.log1p((r - 1) * more / len(of_day))
            if crossed is None and sum(map(math.exp, logs)) / len(logs) * level >= 1 + 1e-9:
                crossed = day
        result[drug, event] = (math.log(sum(map(math.exp, logs)) / len(logs)), crossed)
    return result


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_streamed_is_recomputed_and_both_are_the_definition(cases: list[Case]) -> None:
    days, level = buckets(cases), 0.7  # a line low enough to be crossed and not crossed
    test = streamed(days, level)
    assert_same_bits(test, anytime_valid.recompute(days, level))
    expected = by_hand(cases, level)
    drugs, events = (codes.tolist() for codes in split_pairs(test.pairs))
    log_e = anytime_valid.e_values(test)["log_e_value"].to_list()
    crossed = anytime_valid.e_values(test)["crossed_on"].cast(pl.Int32).to_list()
    got = dict(zip(zip(drugs, events, strict=True), zip(log_e, crossed, strict=True), strict=True))
    assert got.keys() == expected.keys()
    for pair, (value, day) in expected.items():
        assert got[pair][0] == pytest.approx(value, rel=1e-9, abs=1e-12)
        assert got[pair][1] == day


@settings(max_examples=30, deadline=None)
@given(CASES, st.integers(0, 12))
def test_streaming_goes_on_from_a_recomputed_state(cases: list[Case], upto: int) -> None:
    days = buckets(cases)
    test = anytime_valid.recompute(days[:upto])
    for day in days[upto:]:
        test = anytime_valid.advance(test, day)
    assert_same_bits(test, anytime_valid.recompute(days))
    assert test.recomputed


@settings(max_examples=30, deadline=None)
@given(CASES, st.data())
def test_a_correction_recomputed_is_a_history_without_the_mistake(
    cases: list[Case], data: st.DataObject
) -> None:
    rows = pl.DataFrame(
        cases,
        schema={"day": pl.Int32, "drugs": pl.List(pl.UInt32), "events": pl.List(pl.UInt32)},
        orient="row",
    ).with_columns(n=1)
    wrong = data.draw(st.lists(st.integers(0, len(cases) - 1), unique=True)) if cases else []
    retracted = pl.concat([rows, rows[wrong].with_columns(n=-1).cast(rows.schema)])
    right = [case for at, case in enumerate(cases) if at not in wrong]
    assert_same_bits(
        anytime_valid.recompute(daily_counts(retracted)), streamed(buckets(right), 0.05)
    )


@settings(max_examples=20, deadline=None)
@given(CASES)
def test_advancing_leaves_the_earlier_state_alone(cases: list[Case]) -> None:
    days = buckets(cases)
    for upto in range(len(days)):
        before = streamed(days[:upto], 0.05)
        copy = SafeTest.from_arrays({k: v.copy() for k, v in before.to_arrays().items()})
        anytime_valid.advance(before, days[upto])
        assert_same_bits(before, copy)
