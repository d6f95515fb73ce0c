"""Expected counts within strata after any changes, against sums over the cases that are left."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.counting.adjusted_margins import AdjustedMargins
from streams.core.counting.count_changes import CountChanges, period_strata
from streams.core.counting.sorted_counts import Keys
from tests.support.frames import log_row, make_log

EPOCH = date(1970, 1, 1)
PAIRS = [(drug, event) for drug in range(3) for event in range(3)]
KEYS = np.array([drug << 32 | event for drug, event in PAIRS])
Case = tuple[int, int, tuple[int, ...], tuple[int, ...]]

names = st.lists(st.integers(0, 2), min_size=1, max_size=2, unique=True).map(tuple)
cases = st.tuples(st.sampled_from([0, 1, 100, 101, 200, 300]), st.integers(0, 6), names, names)
changes = st.lists(st.tuples(cases, st.sampled_from([1, 1, 1, -1])), min_size=1, max_size=8)


def _exact(left: Counter[Case], drug: int, event: int) -> Fraction:
    strata: dict[tuple[int, int, int], list[tuple[Case, int]]] = defaultdict(list)
    for (at, block, drugs, events), n in left.items():
        day = EPOCH + timedelta(days=at)
        strata[day.year, (day.month - 1) // 3, block].append(((at, block, drugs, events), n))
    expected = Fraction(0)
    for inside in strata.values():
        n_drug = sum(n for (_, _, drugs, _), n in inside if drug in drugs)
        n_event = sum(n for (_, _, _, events), n in inside if event in events)
        expected += Fraction(n_drug * n_event, sum(n for _, n in inside))
    return expected


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(changes, st.integers(0, 2**9 - 1)), min_size=1, max_size=6))
def test_sums_kept_are_sums_from_the_first_stratum(
    steps: list[tuple[list[tuple[Case, int]], int]],
) -> None:
    kept = AdjustedMargins()
    left: Counter[Case] = Counter()
    so_far = []
    for batch, asked in steps:
        rows = []
        for case, n in batch:
            if n < 0 and not left[case]:
                continue
            left[case] += n
            left += Counter()  # without zeros
            rows.append((case, n))
        so_far += rows
        kept.fold(CountChanges.of(_log(rows)))
        some = np.array([bool(asked >> bit & 1) for bit in range(len(KEYS))])
        found = kept.expected(KEYS[some])
        again = AdjustedMargins()
        again.fold(CountChanges.of(_log(so_far)))
        assert found.tolist() == again.expected(KEYS)[some].tolist()  # to the last bit
        log = _of_pairs(left)
        assert kept.comparators(KEYS, *log).tolist() == [_others(left, *pair) for pair in PAIRS]
        exact = [float(_exact(left, *pair)) for pair in PAIRS]
        np.testing.assert_allclose(found, np.array(exact)[some], rtol=1e-12)


def _stratum(at: int, block: int) -> tuple[int, int, int]:
    day = EPOCH + timedelta(days=at)
    return day.year, (day.month - 1) // 3, block


def _others(left: Counter[Case], drug: int, event: int) -> int:
    """Count the cases without the drug in the strata of the pair."""
    held = {
        _stratum(at, block) for at, block, drugs, events in left if drug in drugs if event in events
    }
    return sum(
        n
        for (at, block, drugs, _), n in left.items()
        if drug not in drugs and _stratum(at, block) in held
    )


def _of_pairs(left: Counter[Case]) -> tuple[Keys, Keys]:
    """Return pair and stratum of each case that names a pair."""
    named = [
        (drug << 32 | event, at, block)
        for at, block, drugs, events in left.elements()
        for drug in drugs
        for event in events
    ]
    keys, days, blocks = np.array(named, dtype=np.int64).reshape(-1, 3).T
    return keys, period_strata(days.astype(np.int32), blocks.astype(np.uint16))


def _log(rows: list[tuple[Case, int]]) -> pl.DataFrame:
    return make_log(
        log_row(seq, day=day, block=block, drugs=list(drugs), events=list(events), n=n)
        for seq, ((day, block, drugs, events), n) in enumerate(rows)
    )


def test_without_a_case_nothing_is_expected() -> None:
    assert AdjustedMargins().expected(KEYS).tolist() == [0.0] * len(KEYS)
