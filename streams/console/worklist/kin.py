"""Kin: signals of one event that rest on the cases of a stronger one, folded under it.

A signal is kin of a stronger signal of the same event and window if at least half of its cases name
the other product too, or if its alert says that the other product explains it. The stronger signal
is on if either is, is not explained by another product, and has the higher IC025, in this order.
"""

from collections.abc import Iterable
from urllib.parse import quote

import polars as pl

from schemas.normal_form import normal_drug
from streams.console.worklist.signal_columns import StoredCopy, story_of

__all__ = ["EXPLAINED", "KIN", "explained_of", "folded", "kin_of", "stronger_first"]

EXPLAINED = pl.Schema({"key": pl.String, "leader": pl.String, "n_shared": pl.Int64})
"""Signals that another product explains, as their alerts say."""
KIN = pl.Schema({"key": pl.String, "leader": pl.String, "n_shared": pl.Int64, "n_named": pl.Int64})
"""Signals with a stronger one whose product at least half of their cases name."""
_MOST_DEPTH = 8  # of kin of kin; a longer chain is cut there


def explained_of(stored: Iterable[StoredCopy]) -> pl.DataFrame:
    """Return which products explain copies of signals, by the keys of their signals."""
    rows = [
        (
            one.copy["signal_key"],
            f"{quote(normal_drug(by['product']), safe=' ')}|{story_of(one.copy)}",
            by["n_shared"],
        )
        for one in stored
        for by in one.copy.get("explained_by") or ()
    ]
    return pl.DataFrame(rows, schema=EXPLAINED, orient="row")


def stronger_first(signals: pl.DataFrame) -> pl.DataFrame:
    """Return keys with their rank among all: the strongest signal has the lowest."""
    return (
        signals.sort(
            ["is_on", "is_explained", "ic_lower", "key"],
            descending=[True, False, True, False],
            nulls_last=True,
        )
        .select("key", "n_cases")
        .with_row_index("strength")
    )


def kin_of(signals: pl.DataFrame, mentions: pl.DataFrame, explained: pl.DataFrame) -> pl.DataFrame:
    """Return the kin among signals, each with every leader that it may be folded under.

    Parameters
    ----------
    signals
        Of whole stories.
    mentions
        The cases that these signals name.
    explained
        Result of `explained_of`.
    """
    ranks = stronger_first(signals)
    strength = ranks.select("key", "strength")
    named = mentions.group_by("key").agg(pl.len().cast(pl.Int64).alias("n_named"))
    # Numbers in place of names: the join has a row for each pair of signals that share a case.
    ranked = mentions.join(strength, on="key").select(
        "strength", pl.struct("story", "case").hash().alias("case")
    )
    shared = (
        ranked.join(ranked, on="case", suffix="_leader")
        .filter(pl.col("strength_leader") < pl.col("strength"))
        .group_by("strength", "strength_leader")
        .agg(pl.len().cast(pl.Int64).alias("n_shared"))
        .join(strength, on="strength")
        .join(
            strength.rename({"key": "leader", "strength": "strength_leader"}), on="strength_leader"
        )
        .join(named, on="key")
        .filter(2 * pl.col("n_shared") >= pl.col("n_named"))
        .select(KIN.names())
    )
    by_alert = (
        explained.join(ranks, on="key")
        .join(strength.rename({"key": "leader", "strength": "strength_leader"}), on="leader")
        .filter(pl.col("strength_leader") < pl.col("strength"))
        .select("key", "leader", "n_shared", pl.col("n_cases").alias("n_named"))
    )
    return pl.concat([by_alert, shared]).unique(["key", "leader"], keep="first").select(KIN.names())


def folded(listed: pl.DataFrame, kin: pl.DataFrame, strength: pl.DataFrame) -> pl.DataFrame:
    """Return listed signals with kin directly below their leaders.

    A group stands where its first member would. Within it the leader is first.

    Parameters
    ----------
    listed
        Keys, in order.
    kin
        Result of `kin_of`.
    strength
        Result of `stronger_first`, of all signals.

    Returns
    -------
    polars.DataFrame
        `key`, `leader`, `n_shared` and `n_named`; the last three are null for who is no kin.
    """
    placed = listed.select("key").with_row_index("place")
    parents = (
        kin.join(placed.select("key"), on="key", how="semi")
        .join(placed.select(pl.col("key").alias("leader")), on="leader", how="semi")
        .join(strength.select(pl.col("key").alias("leader"), "strength"), on="leader")
        .sort("strength")
        .unique("key", keep="first", maintain_order=True)
        .drop("strength")
    )
    rows = placed.join(parents, on="key", how="left", maintain_order="left")
    rows = rows.with_columns(pl.coalesce("leader", "key").alias("root"))
    step = parents.select(pl.col("key").alias("root"), pl.col("leader").alias("above"))
    for _ in range(_MOST_DEPTH):
        rows = rows.join(step, on="root", how="left", maintain_order="left")
        if rows["above"].null_count() == len(rows):
            rows = rows.drop("above")
            break
        rows = rows.with_columns(pl.coalesce("above", "root").alias("root")).drop("above")
    return (
        rows.with_columns(pl.col("place").min().over("root").alias("group"))
        .sort(["group", pl.col("leader").is_not_null(), "place"])
        .select(KIN.names())
    )
