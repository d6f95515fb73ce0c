"""Signed counts in sorted arrays, against a plain dictionary; and the codes of names."""

from collections import Counter

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.counting.sorted_counts import SortedCounts, join_key, split_key

folds = st.lists(st.lists(st.tuples(st.integers(0, 12), st.integers(-3, 3)), max_size=8))
codes = st.integers(0, 2**31 - 1)


def _fold(counts: SortedCounts, rows: list[tuple[int, int]]) -> None:
    counts.fold(*np.array(rows, dtype=np.int64).reshape(-1, 2).T)


@settings(deadline=None, max_examples=100)
@given(folds, st.sets(st.integers(0, 8)))
def test_any_folds_equal_a_dictionary(
    changes: list[list[tuple[int, int]]], checked: set[int]
) -> None:
    counts, expected = SortedCounts(), Counter[int]()
    for at, rows in enumerate(changes):
        _fold(counts, [(_key(key), n) for key, n in rows])
        for key, n in rows:
            expected[_key(key)] += n
        if at in checked:  # which asks for the sums, kept from then on
            _check(counts, expected)
    _check(counts, expected)


def _key(small: int) -> int:
    return small // 4 << 32 | small % 4


def _check(counts: SortedCounts, expected: Counter[int]) -> None:
    asked = np.array([-1, *map(_key, range(14))])
    assert counts.get(asked).tolist() == [expected[key] for key in asked.tolist()]
    majors = [2, 0, 7, 1, 2]
    sums = [sum(n for key, n in expected.items() if key >> 32 == major) for major in majors]
    assert counts.sums(np.array(majors)).tolist() == sums
    assert (np.diff(counts.keys) > 0).all()
    held = dict(zip(counts.keys.tolist(), counts.counts.tolist(), strict=True))
    assert {key: n for key, n in held.items() if n} == {k: n for k, n in expected.items() if n}


def test_keys_whose_count_is_zero_are_dropped_once_they_are_many() -> None:
    counts = SortedCounts()
    _fold(counts, [(key, 1) for key in range(4)])
    assert counts.keys.tolist() == [0, 1, 2, 3]
    _fold(counts, [(key, -1) for key in range(3)])
    assert counts.keys.tolist() == [0, 1, 2, 3]
    _fold(counts, [(9, 1)])
    assert (counts.keys.tolist(), counts.counts.tolist()) == ([3, 9], [1, 1])


def test_an_empty_fold_and_a_new_key_without_a_count_change_nothing() -> None:
    counts = SortedCounts()
    _fold(counts, [(key, 1) for key in range(4)])
    _fold(counts, [])
    _fold(counts, [(5, 1), (5, -1)])
    assert counts.keys.tolist() == [0, 1, 2, 3]
    assert counts.get(np.array([5, 7])).tolist() == [0, 0]


def test_small_integers_in_the_changes_do_not_overflow() -> None:
    counts = SortedCounts()
    for _ in range(2):
        counts.fold(np.array([1, 1, 1]), np.array([127, 127, 127], dtype=np.int8))
        counts.sums(np.array([0]))
    assert counts.get(np.array([1])).tolist() == [762]
    assert counts.sums(np.array([0])).tolist() == [762]


def test_counts_are_found_in_any_order_of_the_keys() -> None:
    counts = SortedCounts()
    _fold(counts, [(1, 1), (3, 1), (5, 1)])
    _fold(counts, [(3, 2), (4, 1), (3, -1), (7, 1)])
    assert counts.get(np.array([7, 3, 1, 4, 6, 3])).tolist() == [1, 2, 1, 1, 0, 2]
    assert counts.keys.tolist() == [1, 3, 4, 5, 7]


def test_margins_follow_changes_once_they_were_asked_for() -> None:
    counts = SortedCounts()
    assert counts.sums(np.array([0])).tolist() == [0]
    _fold(counts, [(_key(0), 1), (_key(5), 2)])
    assert counts.sums(np.array([1, 0, 9])).tolist() == [2, 1, 0]
    _fold(counts, [(_key(5), -2), (_key(6), 3), (9 << 32, 1)])
    assert counts.sums(np.array([9, 1, 0])).tolist() == [1, 3, 1]


def test_margins_are_sums_over_the_minor_code() -> None:
    counts = SortedCounts()
    _fold(counts, [(0 << 32 | 1, 2), (0 << 32 | 7, 3), (2 << 32 | 1, 4)])
    assert counts.sums(np.array([2, 1, 0, 4])).tolist() == [4, 0, 5, 0]
    assert SortedCounts().sums(np.array([1, 0])).tolist() == [0, 0]
    assert SortedCounts().sums(np.array([], dtype=np.int64)).tolist() == []


@settings(deadline=None)
@given(st.lists(st.tuples(codes, codes), min_size=1, max_size=9))
def test_keys_sort_by_the_first_code_then_the_second(pairs: list[tuple[int, int]]) -> None:
    frame = pl.DataFrame(pairs, schema={"a": pl.UInt32, "b": pl.UInt32}, orient="row")
    keys = frame.select(key=join_key(pl.col("a"), pl.col("b")))["key"].to_numpy()
    major, minor = split_key(keys)
    assert list(zip(major.tolist(), minor.tolist(), strict=True)) == pairs
    in_order = [pairs[at] for at in np.argsort(keys, kind="stable")]
    assert in_order == sorted(pairs)
