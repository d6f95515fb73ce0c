"""Order of the rows of the case log, and removal of those of a case that cancel out."""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from streams.core.counting.sorted_counts import Keys, Places

__all__ = ["along_seq", "by_day", "cancelled"]

Flags = npt.NDArray[np.bool_]


def by_day(rows: pl.DataFrame) -> pl.DataFrame:
    """Sort rows by day; those of a day keep their order."""
    return rows.sort("day", maintain_order=True)  # the order is that of `seq`


def cancelled(rows: pl.DataFrame) -> pl.DataFrame:
    """Remove rows of a case that cancel out.

    Along `seq` the rows of a case alternate, so all cancel but a leading -1, which retracts a row
    of an earlier run, and a trailing +1, which is current.
    """
    back = rows["case_id"].filter(rows["n"] < 0)
    if len(back) == 0:
        return rows
    # Most cases only enter.
    moved = np.flatnonzero(rows["case_id"].is_in(back.implode()).to_numpy())
    doubtful = rows[["seq", "case_id", "n"]][moved]
    order, first, last = along_seq(doubtful)
    n = doubtful["n"].to_numpy()[order]
    stays = (first & (n < 0)) | (last & (n > 0))
    kept = np.ones(rows.height, dtype=np.bool_)
    kept[moved[order[~stays]]] = False
    return rows.filter(kept)


def along_seq(rows: pl.DataFrame, *keys: Keys) -> tuple[Places, Flags, Flags]:
    """Order rows by case, and by the further keys given, then along `seq`.

    Returns
    -------
    tuple
        Their places in that order, and whether each is the first and the last row of its case.
    """
    columns: list[npt.NDArray[Any]] = [rows["case_id"].rank("dense").to_numpy(), *keys]
    order = np.lexsort((rows["seq"].to_numpy(), *columns))
    begins = np.zeros(len(order) + 1, dtype=np.bool_)
    begins[[0, -1]] = True
    for values in columns:
        ordered = values[order]
        begins[1:-1] |= ordered[1:] != ordered[:-1]
    return order, begins[:-1], begins[1:]
