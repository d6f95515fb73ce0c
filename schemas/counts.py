"""The counts frame, input of every detector. One row per drug-event pair; unit: distinct cases."""

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
"""The four columns that define a 2x2 table."""


def _sound() -> pl.Expr:
    # One cast, so that unsigned columns cannot underflow; what Int64 cannot hold becomes a null.
    n, nd, ne, total = (pl.col(name).cast(pl.Int64, strict=False) for name in MARGINS)
    sound = (n >= 0) & (n <= nd) & (n <= ne) & (nd <= total) & (ne - n <= total - nd)
    return sound.fill_null(False)


# Built once: building it takes longer than evaluating it on a hundred pairs.
_SOUND = _sound()
_AS_IT_IS = pl.QueryOptFlags.none()


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
    if not counts.lazy().select(_SOUND.all()).collect(optimizations=_AS_IT_IS).item():
        bad = counts.filter(~_SOUND)
        msg = (
            f"{where}: 0 <= n_observed <= min(n_drug, n_event), "
            f"n_drug + n_event - n_observed <= n_total must hold, without nulls; "
            f"{bad.height} of {counts.height} rows break it, first {bad.row(0, named=True)}"
        )
        raise CountsError(msg)


def require_unique_pairs(counts: pl.DataFrame, *, where: str) -> None:
    """Raise if a drug-event pair occurs in two rows (of one window, if there is a `window` column).

    Raises
    ------
    CountsError
        If `drug` or `event` is missing or null, or a pair is repeated.
    """
    keys = [name for name in ("window", "drug", "event") if name in counts.columns]
    if not {"drug", "event"} <= set(keys):
        msg = f"{where}: counts need the columns drug and event; got {counts.columns}"
        raise CountsError(msg)
    if any(counts[key].null_count() for key in keys):
        nameless = counts.filter(pl.any_horizontal(pl.col(keys).is_null()))
        msg = (
            f"{where}: drug and event must be named; {nameless.height} of {counts.height} rows "
            f"are not, first {nameless.row(0, named=True)}"
        )
        raise CountsError(msg)
    # Distinct hashes prove distinct pairs, and are four times cheaper to count. Equal ones do not
    # prove a repeated pair, so the pairs themselves are then compared.
    pair = pl.struct(keys)
    if counts.select(pair.hash().n_unique()).item() == counts.height:
        return
    repeated = counts.filter(pair.is_duplicated())
    if repeated.height:
        msg = (
            f"{where}: a pair must stand in one row; {repeated.height} of {counts.height} rows "
            f"repeat one, first {repeated.row(0, named=True)}"
        )
        raise CountsError(msg)
