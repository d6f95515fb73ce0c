"""Builders of polars frames: counts of pairs, and rows of the case log."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from schemas.counts import MARGINS
from streams.core.counting.case_log import CASE_LOG


def make_margins(rows: Iterable[Sequence[int]]) -> pl.DataFrame:
    """Return a row of counts for each (n_observed, n_drug, n_event, n_total)."""
    return pl.DataFrame(list(rows), schema=dict.fromkeys(MARGINS, pl.Int64), orient="row")


def make_counts(rows: Iterable[Sequence[int]]) -> pl.DataFrame:
    """Return the same with names before them: row 0 is of `drug 0` and `event 0`."""
    names = [pl.format(f"{name} {{}}", "row").alias(name) for name in ("drug", "event")]
    return make_margins(rows).with_row_index("row").select(*names, *MARGINS)


def log_row(seq: int, **fields: Any) -> dict[str, Any]:
    """Return a row of the case log: one case of drug 0 and event 0 enters on day 0."""
    usual = {
        "seq": seq,
        "day": 0,
        "case_id": str(seq),
        "stratum": 0,
        "block": 0,
        "serious": False,
        "fatal": False,
        "drugs": [0],
        "events": [0],
        "origin": 0,
        "indications": 0,
        "completeness": 0,
        "suspected_duplicate": False,
        "life_threatening": False,
        "courses": None,
        "onsets": None,
        "n": 1,
    }
    return usual | fields


def make_log(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Return rows of the case log as a frame; see `log_row`."""
    return pl.DataFrame(list(rows), schema=dict(CASE_LOG), orient="row")
