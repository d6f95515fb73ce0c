"""The batch count of a long table, against sets in plain Python."""

from itertools import product

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.tabulate import tabulate
from schemas.counts import COUNTS, require_counts
from schemas.errors import CountsError

ROWS = st.lists(
    st.tuples(st.sampled_from("12345"), st.sampled_from("AB"), st.sampled_from("xyz")), max_size=30
)


def table(rows: list[tuple[str, str, str]]) -> pl.DataFrame:
    return pl.DataFrame(
        rows, schema={name: pl.String for name in ("case_id", "drug", "event")}, orient="row"
    )


@given(ROWS)
def test_counts_distinct_cases(rows: list[tuple[str, str, str]]) -> None:
    counted = tabulate(table(rows))
    with_drug = {d: {c for c, drug, _ in rows if drug == d} for d in "AB"}
    with_event = {e: {c for c, _, event in rows if event == e} for e in "xyz"}
    both = {(d, e): with_drug[d] & with_event[e] for d, e in product("AB", "xyz")}
    total = len({c for c, _, _ in rows})
    expected = [
        (d, e, len(cases), len(with_drug[d]), len(with_event[e]), total)
        for (d, e), cases in sorted(both.items())
        if cases
    ]
    assert counted.rows() == expected
    assert dict(counted.schema) == dict(COUNTS)
    require_counts(counted, where="test")


def test_a_row_without_a_name_is_refused() -> None:
    rows = table([("1", "A", "x")]).vstack(table([("1", "A", "x")]).with_columns(drug=None))
    with pytest.raises(CountsError, match=r"1 of 2 rows do not, first .*'drug': None"):
        tabulate(rows)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(CountsError, match=r"needs the columns \['case_id', 'drug', 'event'\]"):
        tabulate(table([]).drop("event"))
