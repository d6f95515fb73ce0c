"""Lists of codes, and ranges of places, as flat arrays."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from streams.core.counting.sorted_counts import Keys

__all__ = ["Flat", "flattened", "spread"]


class Flat(NamedTuple):
    """Items of lists, concatenated.

    Attributes
    ----------
    codes
        The items.
    first, after
        Place of the first item of each list in `codes`, and the place after its last.
    """

    codes: npt.NDArray[np.uint32]
    first: Keys
    after: Keys


def flattened(lists: pl.Series) -> Flat:
    """Flatten a column of lists of codes; a null is an empty list.

    >>> flattened(pl.Series([[4, 5], [], None, [6]], dtype=pl.List(pl.UInt32))).first.tolist()
    [0, 2, 2, 2]
    """
    if lists.null_count() == len(lists):
        zeros = np.zeros(len(lists), dtype=np.int64)
        return Flat(np.empty(0, dtype=np.uint32), zeros, zeros)
    sizes = lists.list.len().fill_null(0).to_numpy().astype(np.int64)
    codes = lists.explode(empty_as_null=False, keep_nulls=False).to_numpy()
    after = sizes.cumsum()
    return Flat(codes, after - sizes, after)


def spread(starts: Keys, ends: Keys) -> tuple[Keys, Keys]:
    """Return every place from each start to its end, with the number of its range.

    >>> [numbers.tolist() for numbers in spread(np.array([7, 3]), np.array([9, 4]))]
    [[0, 0, 1], [7, 8, 3]]
    """
    sizes = ends - starts
    which = np.repeat(np.arange(len(sizes)), sizes)
    before = np.cumsum(sizes) - sizes
    return which, np.arange(len(which)) + (starts - before)[which]
