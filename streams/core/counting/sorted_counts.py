"""Exact signed counts by integer key, in sorted arrays."""

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = [
    "Counts",
    "Keys",
    "Places",
    "SortedCounts",
    "distinct",
    "is_in",
    "join_key",
    "places_of",
    "split_key",
    "starts_of",
    "summed",
]

Keys = npt.NDArray[np.int64]
"""Sorted or unsorted integer keys, each two 31-bit codes: `join_key(major, minor)`."""
Counts = npt.NDArray[np.int64]
"""Signed counts [cases]."""
Places = npt.NDArray[np.intp]
"""Places in an array."""
_SHIFT = 32
_MASK = (1 << _SHIFT) - 1
_NO_KEYS = np.empty(0, dtype=np.int64)
_NOWHERE = np.empty(0, dtype=np.intp)


def join_key(major: pl.Expr, minor: pl.Expr) -> pl.Expr:
    """Pack two codes below 2**31 into one key that sorts by the first, then the second."""
    return major.cast(pl.Int64) * (1 << _SHIFT) + minor.cast(pl.Int64)


def split_key(keys: Keys) -> tuple[Keys, Keys]:
    """Unpack what `join_key` packed."""
    return keys >> _SHIFT, keys & _MASK


def distinct(keys: Keys) -> Keys:
    """Return every key once, sorted.

    >>> distinct(np.array([3, 1, 3]))
    array([1, 3])
    """
    # Sorting takes a twentieth of the hashing that `np.unique` does of integers.
    ordered = np.sort(keys)
    return ordered[starts_of(ordered)]


def starts_of(keys: Keys) -> Places:
    """Return the first place of each distinct key among sorted ones.

    >>> starts_of(np.array([3, 3, 5])).tolist()
    [0, 2]
    """
    first = np.ones(len(keys), dtype=np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    return np.flatnonzero(first)


def places_of(keys: Keys, asked: Keys) -> tuple[Places, Places]:
    """Return the places of the keys asked for that are among sorted ones: in `asked`, in `keys`.

    >>> [places.tolist() for places in places_of(np.array([2, 5, 7]), np.array([5, 6, 7]))]
    [[0, 2], [1, 2]]
    """
    if len(keys) == 0:
        return _NOWHERE, _NOWHERE
    places = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    known = np.flatnonzero(keys[places] == asked)
    return known, places[known]


def is_in(asked: Keys, keys: Keys | None) -> npt.NDArray[np.bool_]:
    """Return whether each key is among sorted others, if there are any."""
    found = np.zeros(len(asked), dtype=np.bool_)
    if keys is not None:
        found[places_of(keys, asked)[0]] = True
    return found


class SortedCounts:
    """Exact sums of signed counts by key: sorted keys, and their counts in the same order.

    Attributes
    ----------
    keys
        The keys, sorted; some may have the count 0.
    counts
        Their counts, in the same order.
    """

    def __init__(self) -> None:
        self.keys: Keys = _NO_KEYS
        self.counts: Counts = _NO_KEYS
        self._sums: Counts | None = None  # by major code, from the first use of `sums`

    def fold(self, keys: Keys, n: npt.NDArray[np.signedinteger]) -> None:
        """Add to the counts of keys; a key may come several times."""
        if len(keys) == 0:
            return
        keys, n = summed(keys, n)
        if self._sums is not None:
            self._sums = _added(self._sums, keys, n)
        known, places = places_of(self.keys, keys)
        self.counts[places] += n[known]
        new = n != 0
        new[known] = False
        if not new.any():
            return
        places = np.searchsorted(self.keys, keys[new])
        self.keys = np.insert(self.keys, places, keys[new])
        self.counts = np.insert(self.counts, places, n[new])
        # Pairs that left a sliding window would otherwise stay for ever.
        present = self.counts != 0
        if np.count_nonzero(present) < 0.75 * len(present):
            self.keys, self.counts = self.keys[present], self.counts[present]

    def get(self, keys: Keys) -> Counts:
        """Return the count of every key asked for; 0 where there is none."""
        counts = np.zeros(len(keys), dtype=np.int64)
        found, places = places_of(self.keys, keys)
        counts[found] = self.counts[places]
        return counts

    def sums(self, majors: Keys) -> Counts:
        """Return, for every major code asked for, the counts summed over its minor codes."""
        if self._sums is None:
            self._sums = _added(_NO_KEYS, self.keys, self.counts)
        within = np.flatnonzero(majors < len(self._sums))
        sums = np.zeros(len(majors), dtype=np.int64)
        sums[within] = self._sums[majors[within]]
        return sums


def summed(keys: Keys, n: npt.NDArray[np.signedinteger]) -> tuple[Keys, Counts]:
    """Return every key once, sorted, with the sum of its changes."""
    ones = n == 1
    if ones.all():
        # Most batches only add cases: sorting the keys and measuring the run of each takes a sixth
        # of the time of sorting them with their changes.
        keys = np.sort(keys)
        starts = starts_of(keys)
        return keys[starts], np.diff(starts, append=len(keys))
    if ones.any():
        added, n_added = summed(keys[ones], n[ones])
        keys, n = np.append(keys[~ones], added), np.append(n[~ones], n_added)
    order = np.argsort(keys)
    keys, n = keys[order], n[order]
    del order  # a restored state has hundreds of millions of changes
    starts = starts_of(keys)
    return keys[starts], np.add.reduceat(n, starts, dtype=np.int64)


def _added(sums: Counts, keys: Keys, n: Counts) -> Counts:
    """Add changes to the sums by major code."""
    # float64 sums of integers below 2**53 are exact
    added = np.bincount(keys >> _SHIFT, weights=n, minlength=len(sums)).astype(np.int64)
    added[: len(sums)] += sums
    return added
