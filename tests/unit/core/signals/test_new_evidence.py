"""What cases since the last evaluation say of signals, against a recount case by case."""

from collections import Counter
from typing import Any

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.counting.count_changes import CountChanges
from streams.core.signals.new_evidence import (
    FATAL,
    PAEDIATRIC_BIT,
    ChangesSinceEvaluation,
    region_mask,
)
from tests.support.frames import log_row, make_log

# By stratum: what its cases are.
FACETS = [0, PAEDIATRIC_BIT, region_mask(["japan"]), PAEDIATRIC_BIT | region_mask(["asia"])]
BITS = [1 << bit for bit in range(7)]

codes = st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True)
case_rows = st.tuples(
    st.integers(0, 4),  # day
    st.sampled_from("ABC"),  # case
    st.integers(0, 3),  # stratum
    st.booleans(),  # fatal
    codes,
    codes,
    st.sampled_from([1, -1]),
)
pairs_asked = st.sets(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=6)


def _noted(parts: list[list[tuple[Any, ...]]]) -> ChangesSinceEvaluation:
    pending = ChangesSinceEvaluation()
    for part in parts:
        names = ("day", "case_id", "stratum", "fatal", "drugs", "events", "n")
        rows = make_log(
            log_row(seq, **dict(zip(names, row, strict=True))) for seq, row in enumerate(part)
        )
        pending.note(rows, CountChanges.of(rows).pairs)
    return pending


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.lists(case_rows, max_size=5), max_size=3),
    pairs_asked,
    st.none() | st.integers(0, 4),
    st.integers(0, 4),
)
def test_evidence_is_what_a_recount_says(
    parts: list[list[tuple[Any, ...]]],
    asked: set[tuple[int, int]],
    first: int | None,
    last: int,
) -> None:
    pairs = sorted(asked)
    keys = np.array([drug << 32 | event for drug, event in pairs], dtype=np.int64)
    evidence = _noted(parts).evidence(keys, first, last, np.array(FACETS, dtype=np.int64))
    gone_from = set()
    for at, (drug, event) in enumerate(pairs):
        mine = [
            (case, FACETS[stratum] | (FATAL if fatal else 0), n)
            for part in parts
            for day, case, stratum, fatal, drugs, events, n in part
            if (first is None or first <= day) and day <= last and drug in drugs and event in events
        ]
        balance = Counter[str]()
        for case, _, n in mine:
            balance[case] += n
        gone = {case for case, n in balance.items() if n < 0}
        gone_from |= {(at, case) for case in gone}
        more = [bit for bit in BITS if sum(n for _, bits, n in mine if bits & bit) > 0]
        less = [
            bit
            for bit in BITS
            if sum(n for case, bits, n in mine if bits & bit and case not in gone) < 0
        ]
        assert (evidence.gained[at], evidence.fewer[at]) == (sum(more), sum(less))
        assert evidence.left[at] == bool(gone)
    hashes = dict(zip(pl.Series(["A", "B", "C"]).hash().to_list(), "ABC", strict=True))
    left = [
        (at, hashes[case])
        for at, case in zip(evidence.left_pairs.tolist(), evidence.left_cases.tolist(), strict=True)
    ]
    assert len(left) == len(set(left))
    assert set(left) == gone_from


def test_what_was_evaluated_is_no_evidence() -> None:
    pending = _noted([[(1, "A", 1, True, [0], [0], 1)]])
    asked = np.array([0], dtype=np.int64), None, 4, np.array(FACETS, dtype=np.int64)
    assert pending.evidence(*asked).gained.tolist() == [FATAL | PAEDIATRIC_BIT]
    pending.clear()
    assert pending.evidence(*asked).gained.tolist() == [0]
