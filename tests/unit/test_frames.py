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

from streams.topology.frames import by_key, codes_of, rows_at, rows_where, stacked

ROWS = st.lists(
    st.tuples(st.integers(-3, 3), st.sampled_from(["", "a", "b", "Ω"]), st.booleans()),
    max_size=12,
)
SCHEMA = {"key": pl.Int64, "name": pl.String, "on": pl.Boolean}

# A look's every step, counted by how often the only thread of polars was given the processor.
HANDED_OVER = """
import glob, sys
import numpy as np, polars as pl
from streams.topology import frames
def turns():
    for task in glob.glob("/proc/self/task/*"):
        with open(task + "/comm") as name:
            if name.read().strip() == "polars-0":
                with open(task + "/schedstat") as said:
                    return int(said.read().split()[2])
rows = pl.DataFrame({"key": range(300), "name": [str(i % 7) for i in range(300)]})
rows.filter(pl.col("key") > 5)  # polars begins its thread
before = turns()
for _ in range(50):
    EXPRESSION
print(turns() - before)
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


@given(st.lists(st.text(max_size=3), max_size=12))
def test_codes_are_the_same_for_the_same_name_alone(names: list[str]) -> None:
    codes = codes_of(pl.Series(names, dtype=pl.String)).tolist()
    assert len(set(zip(names, codes, strict=True))) == len(set(names)) == len(set(codes))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the turns of a thread")
def test_nothing_is_handed_over_to_threads_of_polars() -> None:
    asked = {
        "rows_at": "frames.rows_at(rows, np.arange(20))",
        "rows_where": "frames.rows_where(rows, rows['key'] > 5)",
        "stacked": "frames.stacked([rows, rows])",
        "by_key": "frames.by_key(rows, np.arange(20))",
        "codes_of": "frames.codes_of(rows['name'])",
        "of polars": "rows.filter(pl.col('key') > 5)",
    }
    turns = {name: _turns(expression) for name, expression in asked.items()}
    assert turns.pop("of polars") >= 50  # else the others show nothing
    assert max(turns.values()) < 25, turns  # the thread looks up by itself now and then


def _turns(expression: str) -> int:
    code = HANDED_OVER.replace("EXPRESSION", expression)
    only = {**os.environ, "POLARS_MAX_THREADS": "1", "POLARS_ENGINE_AFFINITY": "in-memory"}
    asked = [sys.executable, "-c", code]
    return int(subprocess.run(asked, env=only, check=True, capture_output=True).stdout)
