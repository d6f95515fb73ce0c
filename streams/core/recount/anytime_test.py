"""Recomputes the anytime-valid tests of every pair from the days of the cases."""

import polars as pl

from detectors.alarm_budget import PERIOD, entry_threshold
from detectors.anytime_valid import e_values, recompute
from detectors.anytime_valid_state import daily_counts
from schemas.domain import domain_vocabulary

__all__ = ["BLOCKED", "BUDGETED", "TESTED", "anytime_statistics", "budgeted_threshold"]

_UNIT = "\x1f"
# The test covers only names of senders; in those a space follows what looks like a mark.
_OF_LEVEL = "^(lot|facility|family):[^ ]"

TESTED = ("e_value", "log_e_value", "e_bh_level")
"""Statistics of the test."""

BLOCKED = ("e_value_blocked", "log_e_value_blocked", "e_bh_level_blocked")
"""The same within day and age band."""


BUDGETED = "e_value_budgeted"
"""The first of these, scaled by the alarm's entry threshold."""


def budgeted_threshold(cases: pl.DataFrame, closed: int) -> float:
    """Return the e-value that a pair needs for an alarm on the last day tested.

    Parameters
    ----------
    cases
        `day`, and the joined names `drugs` and `events`, of all cases up to and including the last
        day tested; at least one.
    closed
        That day [days since 1970-01-01].
    """
    # Pairs are counted twice, a year apart: those that are new make the difference.
    earlier = cases.filter(pl.col("day") <= closed - PERIOD)
    n_new = _n_pairs(cases) - _n_pairs(earlier)
    n_days = closed - min(cases["day"].to_list()) + 1
    return entry_threshold(n_new, cases.height - earlier.height, n_days)


def _n_pairs(cases: pl.DataFrame) -> int:
    """Return the number of distinct pairs of a product and a term that some case reports."""
    classes = list(domain_vocabulary().classes)
    name = pl.col("drugs")
    pairs = (
        cases.lazy()
        .select(pl.col("drugs", "events").str.strip_chars(_UNIT).str.split(_UNIT))
        .unique()
        .explode("drugs")
        .explode("events")
        .filter(
            ~name.is_in(classes)
            & ~pl.any_horizontal(pl.col("drugs", "events").str.contains(_OF_LEVEL))
            & ~pl.any_horizontal((pl.col("drugs", "events") == "").fill_null(True))
        )
        .unique()
        .collect()
    )
    return pairs.height


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
    of_level = pl.element().str.contains(_OF_LEVEL)
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
