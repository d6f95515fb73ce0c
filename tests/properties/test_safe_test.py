"""Streamed is recomputed, to the last bit; and both are what plain arithmetic gives."""

import math
from collections import Counter
from itertools import chain, groupby
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors import anytime_valid
from detectors.anytime_valid import RATE_RATIOS, SafeTest
from detectors.anytime_valid_state import (
    DayCounts,
    daily_counts,
    split_pairs,
    without_repeats,
)

CASES = st.lists(
    st.tuples(
        st.integers(100, 112),
        st.lists(st.integers(0, 5), max_size=3, unique=True),
        st.lists(st.integers(0, 5), max_size=3, unique=True),
        st.integers(0, 2),
    ),
    max_size=60,
)
Case = tuple[int, list[int], list[int], int]  # day, drugs, events, block
ARRAYS = ("pairs", "n_observed", "costs", "crossed", "first_day")


def buckets(cases: list[Case]) -> list[DayCounts]:
    codes = pl.List(pl.UInt32)
    schema: dict[str, Any] = {"day": pl.Int32, "drugs": codes, "events": codes, "block": pl.UInt8}
    return daily_counts(pl.DataFrame(cases, schema=schema, orient="row").with_columns(n=1))


def streamed(days: list[DayCounts], level: float) -> SafeTest:
    test = anytime_valid.start(level)
    for blocks in of_days(days):
        test = anytime_valid.advance(test, *blocks)
    return test


def of_days(counts: list[DayCounts]) -> list[list[DayCounts]]:
    return [list(of_day) for _, of_day in groupby(counts, key=lambda block: block.margins.day)]


def assert_same_bits(one: SafeTest, other: SafeTest) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.n_hypotheses == other.n_hypotheses
    assert one.history.last_day == other.history.last_day
    assert one.history.first_day == other.history.first_day
    assert anytime_valid.e_values(one).equals(anytime_valid.e_values(other))


def by_hand(cases: list[Case], level: float) -> dict[tuple[int, int], tuple[float, int | None]]:
    """Look at every pair on every day, cases or none: log e-value at the end, day of crossing."""
    pairs = {(drug, event) for _, drugs, events, _ in cases for drug in drugs for event in events}
    result = {}
    for drug, event in pairs:
        logs = [0.0] * len(RATE_RATIOS)
        crossed = None
        for day in sorted({case[0] for case in cases}):
            for block in range(3):
                inside = [case for case in cases if (case[0], case[3]) == (day, block)]
                n_drug = sum(drug in drugs for _, drugs, _, _ in inside)
                n_event = sum(event in events for _, _, events, _ in inside)
                n = sum(drug in drugs and event in events for _, drugs, events, _ in inside)
                fewer, more = sorted((n_drug, n_event))
                for at, r in enumerate(RATE_RATIOS) if inside else ():
                    cost = fewer * math.log1p((r - 1) * more / len(inside))
                    logs[at] += n * math.log(r) - cost
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
    days = of_days(buckets(cases))
    test = anytime_valid.recompute(list(chain.from_iterable(days[:upto])))
    for blocks in days[upto:]:
        test = anytime_valid.advance(test, *blocks)
    assert_same_bits(test, anytime_valid.recompute(list(chain.from_iterable(days))))
    assert test.recomputed


@settings(max_examples=30, deadline=None)
@given(CASES, st.data())
def test_a_correction_recomputed_is_a_history_without_the_mistake(
    cases: list[Case], data: st.DataObject
) -> None:
    rows = pl.DataFrame(
        cases,
        schema={
            **{"day": pl.Int32, "drugs": pl.List(pl.UInt32), "events": pl.List(pl.UInt32)},
            "block": pl.UInt8,
        },
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
    days = of_days(buckets(cases))
    for upto, blocks in enumerate(days):
        before = streamed(list(chain.from_iterable(days[:upto])), 0.05)
        copies = [getattr(before, name).copy() for name in ARRAYS]
        anytime_valid.advance(before, *blocks)
        for name, copy in zip(ARRAYS, copies, strict=True):
            np.testing.assert_array_equal(getattr(before, name), copy, err_msg=name)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(100, 102),
            st.integers(0, 1),
            st.sampled_from([(0,), (0, 1), (1,)]),
            st.sampled_from([(2,), (2, 3)]),
            st.integers(0, 2),
            st.sampled_from([1, 1, -1]),
        ),
        max_size=40,
    )
)
# Two bands of one group, another source, and a case that left the lowest band.
@example([(100, 0, (0,), (2,), 2, 1), (100, 0, (0,), (2,), 1, 1), (100, 1, (0,), (2,), 0, 1)])
@example([(100, 0, (0,), (2,), 2, 1), (100, 0, (0,), (2,), 1, 1), (100, 0, (0,), (2,), 1, -1)])
def test_alike_reports_of_a_source_and_day_enter_once(
    rows: list[tuple[int, int, tuple[int, ...], tuple[int, ...], int, int]],
) -> None:
    codes = pl.List(pl.UInt32)
    schema = {"day": pl.Int32, "source": pl.UInt32, "drugs": codes, "events": codes}
    frame = pl.DataFrame(rows, schema={**schema, "block": pl.UInt8, "n": pl.Int8}, orient="row")
    left: Counter[tuple[int, int, tuple[int, ...], tuple[int, ...], int]] = Counter()
    for day, source, drugs, events, block, n in rows:
        left[day, source, drugs, events, block] += n
    once: dict[tuple[int, int, tuple[int, ...], tuple[int, ...]], int] = {}
    for (day, source, drugs, events, block), n in left.items():
        if n > 0:
            same = day, source, drugs, events
            once[same] = min(block, once.get(same, block))
    expected = sorted((day, block, d, e) for (day, _, d, e), block in once.items())
    found = without_repeats(frame)
    assert found["n"].to_list() == [1] * len(expected)
    got = found.select("day", "block", "drugs", "events").rows()
    assert sorted((day, block, tuple(d), tuple(e)) for day, block, d, e in got) == expected
