"""Tabulate a long table of cases as a counts frame, in one batch."""

import polars as pl

from schemas.counts import COUNTS
from schemas.errors import CountsError

__all__ = ["MENTIONS", "tabulate"]

MENTIONS = ("case_id", "drug", "event")
"""Columns of a long table: a case, a drug and an event it names. Rows may repeat."""


def tabulate(mentions: pl.DataFrame) -> pl.DataFrame:
    """Count distinct cases for every drug-event pair of a long table.

    The batch counterpart of the stream's incremental counts: for tables from other sources, and
    for recounts.

    Parameters
    ----------
    mentions
        Columns of `MENTIONS`; a case with two drugs and three events has six rows, in any order,
        repeated or not.

    Returns
    -------
    polars.DataFrame
        Columns of `schemas.counts.COUNTS`, sorted by drug and event; unit: distinct cases. The
        population is the cases of the table.

    Raises
    ------
    CountsError
        If a column is missing, or a row does not name its case, drug or event.

    Notes
    -----
    A case counts once for a pair, a drug or an event, however many rows say so; and for every pair
    of its drugs and its events, also where no row puts the two together: otherwise the margins
    would not be those of one 2x2 table. Totals are cases, not sums over pairs (as in PhViD and
    vigipy).

    References
    ----------
    .. [1] Evans SJW, Waller PC, Davis S (2001). Use of proportional reporting ratios (PRRs) for
       signal generation from spontaneous adverse drug reaction reports. Pharmacoepidemiology and
       Drug Safety 10(6), 483-486. doi:10.1002/pds.677.

    Examples
    --------
    Two cases; the first says twice that A came with rash:

    >>> import polars as pl
    >>> rows = [("1", "A", "rash"), ("1", "A", "rash"), ("2", "A", "fever")]
    >>> table = tabulate(pl.DataFrame(rows, schema=["case_id", "drug", "event"], orient="row"))
    >>> table.rows()
    [('A', 'fever', 1, 2, 1, 2), ('A', 'rash', 1, 2, 1, 2)]
    """
    missing = [name for name in MENTIONS if name not in mentions.columns]
    if missing:
        msg = f"tabulate: the table needs the columns {list(MENTIONS)}; got {mentions.columns}"
        raise CountsError(msg)
    nameless = mentions.filter(pl.any_horizontal(pl.col(MENTIONS).is_null()))
    if nameless.height:
        msg = (
            f"tabulate: every row must name its case, drug and event; {nameless.height} of "
            f"{mentions.height} rows do not, first {nameless.row(0, named=True)}"
        )
        raise CountsError(msg)
    drugs = mentions.lazy().select("case_id", "drug").unique()
    events = mentions.lazy().select("case_id", "event").unique()
    of_drug = drugs.group_by("drug").agg(pl.len().alias("n_drug"))
    of_event = events.group_by("event").agg(pl.len().alias("n_event"))
    counted = (
        drugs.join(events, on="case_id")
        .group_by("drug", "event")
        .agg(pl.len().alias("n_observed"))
        .join(of_drug, on="drug")
        .join(of_event, on="event")
        .with_columns(pl.lit(mentions["case_id"].n_unique(), dtype=pl.Int64).alias("n_total"))
        .select(pl.col(name).cast(dtype) for name, dtype in COUNTS.items())
        .sort("drug", "event")
        .collect()
    )
    return counted
