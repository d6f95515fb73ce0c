"""Rows picked column by column: what polars' own frame operations give, without its threads."""

import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from streams.core.counting.arrays import by_key, rows_at, rows_where, stacked

ROWS = st.lists(
    st.tuples(st.integers(-3, 3), st.sampled_from(["", "a", "b", "Ω"]), st.booleans()),
    max_size=12,
)
SCHEMA = {"key": pl.Int64, "name": pl.String, "on": pl.Boolean}

# While polars' only thread is held up, whatever is handed over to it does not end.
HELD_UP = """
import os, sys, threading
import numpy as np, polars as pl
from streams.core.counting import arrays
from streams.core.counting import vocabulary
rows = pl.DataFrame({"key": range(300), "name": [str(i % 7) for i in range(300)]})
held = threading.Event()
def hold(column):
    held.set()
    threading.Event().wait()
def begin(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
held_up = pl.col("name").map_batches(hold, return_dtype=pl.String)
begin(lambda: rows.group_by("key").agg(held_up))
held.wait()
found = []
begun = begin(lambda: found.append(eval(sys.argv[1])))
begun.join(float(sys.argv[2]))
print("waits" if begun.is_alive() else "ended" if found else "failed", flush=True)
os._exit(0)
"""


def _frame(rows: list[tuple[int, str, bool]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@given(ROWS, st.data())
def test_rows_are_those_of_polars(rows: list[tuple[int, str, bool]], data: st.DataObject) -> None:
    frame = _frame(rows)
    places = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=9)) if rows else []
    at = np.array(places, dtype=np.intp)
    assert_frame_equal(rows_at(frame, at), frame[at])
    wanted = frame["on"].to_numpy()
    assert_frame_equal(rows_where(frame, wanted), frame.filter(pl.col("on")))
    assert_frame_equal(stacked([frame, frame[at]]), pl.concat([frame, frame[at]]))
    assert stacked([frame, frame]).n_chunks() == 1


@given(ROWS)
def test_by_key_is_a_left_join(rows: list[tuple[int, str, bool]]) -> None:
    once = _frame(rows).unique("key", keep="first", maintain_order=True)
    keys = np.arange(-2, 5)
    joined = pl.DataFrame({"key": keys}).join(once, on="key", how="left", maintain_order="left")
    assert_frame_equal(by_key(once, keys).drop("key"), joined.drop("key"))


@pytest.mark.parametrize(
    "expression",
    [
        "arrays.rows_at(rows, np.arange(20))",
        "arrays.rows_where(rows, rows['key'] > 5)",
        "arrays.stacked([rows, rows])",
        "arrays.by_key(rows, np.arange(20))",
        "vocabulary.numbered(rows['name'])",
    ],
)
def test_nothing_is_handed_over_to_threads_of_polars(expression: str) -> None:
    assert _while_held_up(expression, seconds=60) == "ended"


def test_what_polars_does_with_a_frame_is_handed_over() -> None:
    # Else the test above would show nothing.
    assert _while_held_up("rows.filter(pl.col('key') > 5)", seconds=2) == "waits"


def _while_held_up(expression: str, *, seconds: float) -> str:
    only = {**os.environ, "POLARS_MAX_THREADS": "1", "POLARS_ENGINE_AFFINITY": "in-memory"}
    asked = [sys.executable, "-c", HELD_UP, expression, str(seconds)]
    ended = subprocess.run(asked, env=only, check=True, capture_output=True, text=True)
    return ended.stdout.strip()
