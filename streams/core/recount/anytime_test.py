"""Recomputes the anytime-valid tests of every pair from the days of the cases."""

import polars as pl

from detectors.anytime_valid import e_values, recompute
from detectors.anytime_valid_state import daily_counts

__all__ = ["BLOCKED", "TESTED", "anytime_statistics"]

_UNIT = "\x1f"

TESTED = ("e_value", "log_e_value", "e_bh_level")
"""Statistics of the test."""

BLOCKED = ("e_value_blocked", "log_e_value_blocked", "e_bh_level_blocked")
"""The same within day and age band."""


def anytime_statistics(cases: pl.DataFrame, *, blocked: bool) -> pl.DataFrame:
    """Return the statistics of the anytime-valid test of every pair of these cases.

    Parameters
    ----------
    cases
        `day` and the joined names `drugs` and `events`; if blocked, `block` and `origin`.
    blocked
        Whether days are divided into blocks, and alike reports of a source enter once.
    """
    drugs, drug_names = _coded(cases["drugs"])
    events, event_names = _coded(cases["events"])
    rows = pl.DataFrame({"day": cases["day"], "drugs": drugs, "events": events}).with_columns(n=1)
    if blocked:
        # Country, marks and source: the second says whether the source is a sender.
        source = (
            cases["origin"]
            .str.split(_UNIT)
            .list.slice(1, 2)
            .list.eval(
                pl.when(pl.int_range(pl.len()) == 0)
                .then(pl.element().str.contains("u", literal=True).cast(pl.String))
                .otherwise(pl.element())
            )
        )
        rows = (
            rows.with_columns(cases["block"], source.list.join(_UNIT).alias("source"))
            .sort("block")
            .unique(["day", "source", "drugs", "events"], keep="first", maintain_order=True)
            .drop("source")
        )
    found = e_values(recompute(daily_counts(rows))).select(
        pl.col("drug").replace_strict(range(len(drug_names)), drug_names, return_dtype=pl.String),
        pl.col("event").replace_strict(
            range(len(event_names)), event_names, return_dtype=pl.String
        ),
        *TESTED,
    )
    return found.rename(dict(zip(TESTED, BLOCKED, strict=True))) if blocked else found


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
