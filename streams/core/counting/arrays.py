"""Row operations on small frames in the calling thread: select, stack, align by key.

polars runs most frame operations in its thread pool and waits for them. An evaluation of a few
hundred pairs has a hundred such waits; on a machine with all processors busy each takes a few
milliseconds, since two threads must be scheduled. Operations on single columns stay in the calling
thread.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from streams.core.counting.sorted_counts import Keys, Places, places_of

__all__ = ["Flat", "by_key", "flattened", "rows_at", "rows_where", "spread", "stacked"]


def rows_at(frame: pl.DataFrame, places: Places) -> pl.DataFrame:
    """Return the rows at some places, in that order."""
    at = pl.Series(places)
    return pl.DataFrame([column[at] for column in frame.get_columns()])


def rows_where(frame: pl.DataFrame, wanted: npt.NDArray[np.bool_] | pl.Series) -> pl.DataFrame:
    """Return the rows that are wanted."""
    mask = pl.Series(wanted)
    return pl.DataFrame([column.filter(mask) for column in frame.get_columns()])


def stacked(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return the rows of all frames, at least one, in one piece."""
    columns = zip(*(frame.get_columns() for frame in frames), strict=True)
    return pl.DataFrame([pl.concat(pieces, rechunk=True) for pieces in columns])


def by_key(rows: pl.DataFrame, keys: Keys) -> pl.DataFrame:
    """Return one row for every key: that of `rows` (its `key`, each once), else one of nulls.

    >>> by_key(pl.DataFrame({"key": [7, 3], "n": [1, 2]}), np.array([3, 5, 7]))["n"].to_list()
    [2, None, 1]
    """
    held = rows["key"].to_numpy()
    order = np.argsort(held)
    asked, found = places_of(held[order], keys)
    places = np.full(len(keys), rows.height)  # of a row of nulls after the last one
    places[asked] = order[found]
    return rows_at(stacked([rows, rows.clear(1)]), places)


class Flat(NamedTuple):
    """What lists hold, one after the other.

    Attributes
    ----------
    codes
        What they hold.
    first, after
        Where each list begins among `codes`, and where it has ended.
    """

    codes: npt.NDArray[np.uint32]
    first: Keys
    after: Keys


def flattened(lists: pl.Series) -> Flat:
    """Return what a column of lists of codes holds; a null is an empty list.

    >>> flattened(pl.Series([[4, 5], [], None, [6]], dtype=pl.List(pl.UInt32))).first.tolist()
    [0, 2, 2, 2]
    """
    if lists.null_count() == len(lists):
        nothing = np.zeros(len(lists), dtype=np.int64)
        return Flat(np.empty(0, dtype=np.uint32), nothing, nothing)
    sizes = lists.list.len().fill_null(0).to_numpy().astype(np.int64)
    codes = lists.explode(empty_as_null=False, keep_nulls=False).to_numpy()
    after = sizes.cumsum()
    return Flat(codes, after - sizes, after)


def spread(starts: Keys, ends: Keys) -> tuple[Keys, Keys]:
    """Return every place from each start to its end, with the number of the stretch it is in.

    >>> [each.tolist() for each in spread(np.array([7, 3]), np.array([9, 4]))]
    [[0, 0, 1], [7, 8, 3]]
    """
    sizes = ends - starts
    which = np.repeat(np.arange(len(sizes)), sizes)
    before = np.cumsum(sizes) - sizes
    return which, np.arange(len(which)) + (starts - before)[which]
