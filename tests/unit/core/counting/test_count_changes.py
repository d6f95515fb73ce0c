"""What rows of the case log change: pairs and margins, against loops over their lists."""

from datetime import date, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.counting.count_changes import Changes, CountChanges
from tests.support.frames import log_row, make_log

EPOCH = date(1970, 1, 1)

names = st.lists(st.integers(0, 2**31 - 1), max_size=3, unique=True)
cases = st.lists(
    st.tuples(st.integers(-5, 5), st.integers(0, 3), names, names, st.sampled_from([1, -1])),
    max_size=6,
)


def _rows(of: list[tuple[Any, ...]]) -> pl.DataFrame:
    return make_log(
        log_row(seq, day=day, stratum=stratum, block=7, drugs=drugs, events=events, n=n)
        for seq, (day, stratum, drugs, events, n) in enumerate(of)
    )


def _said(changes: CountChanges, part: Changes) -> list[tuple[int, int, int, int]]:
    """Day, both codes of the key, and what it changes by."""
    return [
        (int(changes.days[row]), key >> 32, key & (1 << 32) - 1, int(changes.n[row]))
        for key, row in zip(part.keys.tolist(), part.rows.tolist(), strict=True)
    ]


@settings(deadline=None)
@given(cases, st.integers(-5, 5), st.integers(-5, 5))
def test_every_case_changes_its_pairs_and_margins(
    of: list[tuple[Any, ...]], first: int, last: int
) -> None:
    changes = CountChanges.of(_rows(of))
    for kept, within in (
        (of, changes),
        ([case for case in of if first <= case[0] <= last], changes.between(first, last)),
    ):
        assert _said(within, within.pairs) == [
            (day, drug, event, n)
            for day, _, drugs, events, n in kept
            for drug in drugs
            for event in events
        ]
        assert _said(within, within.drugs) == [
            (day, drug, stratum, n) for day, stratum, drugs, _, n in kept for drug in drugs
        ]
        assert _said(within, within.events) == [
            (day, event, stratum, n) for day, stratum, _, events, n in kept for event in events
        ]
        quarters = [
            (4 * (day := EPOCH + timedelta(days=at)).year + (day.month - 1) // 3) << 10
            for at, *_ in of
        ]
        assert within.periods.tolist() == [quarter | 7 for quarter in quarters]
        assert _said(within, within.totals) == [
            (day, 0, stratum, n) for day, stratum, _, _, n in kept
        ]


def test_rows_in_chunks_and_slices_are_rows() -> None:
    of = [(at, 1, [at, 9], [7], 1) for at in range(5)]
    chunked = pl.concat([_rows(of[:2]), _rows(of[2:])], rechunk=False)
    for rows, kept in ((chunked, of), (chunked.slice(1, 3), of[1:4])):
        changes = CountChanges.of(rows)
        assert _said(changes, changes.pairs) == [
            (day, drug, 7, 1) for day, _, drugs, _, _ in kept for drug in drugs
        ]
