"""The counts frame: what every detector takes. One row a drug-event pair; unit: distinct cases."""

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

from schemas.errors import CountsError

__all__ = ["COUNTS", "MARGINS", "require_counts", "require_unique_pairs"]

COUNTS: Mapping[str, pl.DataType] = MappingProxyType(
    {
        "drug": pl.String(),
        "event": pl.String(),
        "n_observed": pl.Int64(),  # cases with the drug and the event
        "n_drug": pl.Int64(),  # cases with the drug
        "n_event": pl.Int64(),  # cases with the event
        "n_total": pl.Int64(),  # all cases of the population
    }
)
"""Column names and types of a counts frame. Several windows add a `window` column."""

MARGINS = ("n_observed", "n_drug", "n_event", "n_total")
"""The four numbers a 2x2 table is made of."""


def require_counts(counts: pl.DataFrame, *, where: str) -> None:
    """Raise unless the four counts of every row can belong to one 2x2 table.

    Parameters
    ----------
    counts
        A frame with at least the columns of `MARGINS`, of any integer type; unit: cases.
    where
        The caller's name, for the message.

    Raises
    ------
    CountsError
        If a column is missing, is not of an integer type, holds a null, or if
        ``0 <= n_observed <= min(n_drug, n_event)``, ``max(n_drug, n_event) <= n_total`` and
        ``n_drug + n_event - n_observed <= n_total`` do not all hold. The message names the
        first bad row.
    """
    for name in MARGINS:
        if name not in counts.columns:
            msg = f"{where}: counts need the columns {list(MARGINS)}; got {counts.columns}"
            raise CountsError(msg)
        dtype = counts.schema[name]
        if not dtype.is_integer():
            msg = f"{where}: {name} must be an integer count of cases; got {dtype}"
            raise CountsError(msg)
    # One cast, so that unsigned columns cannot underflow in `n_drug + n_event - n_observed`.
    n, nd, ne, total = (pl.col(name).cast(pl.Int64) for name in MARGINS)
    possible = (
        (n >= 0) & (n <= nd) & (n <= ne) & (nd <= total) & (ne <= total) & (nd + ne - n <= total)
    ).fill_null(False)
    sound = counts.select(possible.alias("sound"))["sound"]
    if not sound.all():
        bad = counts.filter(~sound)
        msg = (
            f"{where}: 0 <= n_observed <= min(n_drug, n_event), "
            f"n_drug + n_event - n_observed <= n_total must hold, without nulls; "
            f"{bad.height} of {counts.height} rows break it, first {bad.row(0, named=True)}"
        )
        raise CountsError(msg)


def require_unique_pairs(counts: pl.DataFrame, *, where: str) -> None:
    """Raise if a drug-event pair (within a window, where there is one) stands in two rows.

    Raises
    ------
    CountsError
        If `drug` or `event` is missing or null, or a pair is repeated.
    """
    keys = [name for name in ("window", "drug", "event") if name in counts.columns]
    if not {"drug", "event"} <= set(keys):
        msg = f"{where}: counts need the columns drug and event; got {counts.columns}"
        raise CountsError(msg)
    nameless = counts.filter(pl.any_horizontal(pl.col(keys).is_null()))
    if nameless.height:
        msg = (
            f"{where}: drug and event must be named; {nameless.height} of {counts.height} rows "
            f"are not, first {nameless.row(0, named=True)}"
        )
        raise CountsError(msg)
    if counts.select(pl.struct(keys).n_unique()).item() != counts.height:
        repeated = counts.filter(pl.struct(keys).is_duplicated())
        msg = (
            f"{where}: a pair must stand in one row; {repeated.height} of {counts.height} rows "
            f"repeat one, first {repeated.row(0, named=True)}"
        )
        raise CountsError(msg)
