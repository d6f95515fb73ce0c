"""Recomputes the anytime-valid test of every pair from the days of the cases."""

import polars as pl

from detectors.anytime_valid import e_values, recompute
from detectors.anytime_valid_state import daily_counts

__all__ = ["TESTED", "anytime_statistics"]

_UNIT = "\x1f"

TESTED = ("e_value", "log_e_value", "e_bh_level")
"""Statistics of the test."""


def anytime_statistics(cases: pl.DataFrame) -> pl.DataFrame:
    """Return the statistics of the anytime-valid test of every pair of these cases."""
    drugs, drug_names = _coded(cases["drugs"])
    events, event_names = _coded(cases["events"])
    days = daily_counts(
        pl.DataFrame({"day": cases["day"], "drugs": drugs, "events": events}).with_columns(n=1)
    )
    return e_values(recompute(days)).select(
        pl.col("drug").replace_strict(range(len(drug_names)), drug_names, return_dtype=pl.String),
        pl.col("event").replace_strict(
            range(len(event_names)), event_names, return_dtype=pl.String
        ),
        *TESTED,
    )


def _coded(joined: pl.Series) -> tuple[pl.Series, list[str]]:
    """Return lists of codes, and the names by code."""
    lists = joined.str.strip_chars(_UNIT).str.split(_UNIT)
    # The test covers only names of senders; in those a space follows what looks like a mark.
    of_level = pl.element().str.contains("^(lot|facility|family):[^ ]")
    lists = lists.to_frame("name").select(pl.col("name").list.eval(pl.element().filter(~of_level)))[
        "name"
    ]
    names = lists.explode().unique().drop_nulls().sort().to_list()
    codes = lists.to_frame("name").select(
        pl.col("name").list.eval(
            pl.element().replace_strict(names, range(len(names)), return_dtype=pl.Int64)
        )
    )
    return codes["name"], names
