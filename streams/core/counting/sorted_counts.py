"""Exact signed counts under integer keys, in sorted arrays; and the codes names are counted by."""

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
]

Keys = npt.NDArray[np.int64]
"""Sorted or unsorted integer keys, each two 31-bit codes: `join_key(major, minor)`."""
Counts = npt.NDArray[np.int64]
"""Signed counts [cases]."""
Places = npt.NDArray[np.intp]
"""Places in an array."""
_SHIFT = 32
_MASK = (1 << _SHIFT) - 1
_MOST_WAITING = 1 << 20  # changes of 16 bytes each
_MOST_NEW = 1 << 16  # keys; an evaluation with new ones moves at most these
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
    """Return where each key begins, of sorted ones.

    >>> starts_of(np.array([3, 3, 5])).tolist()
    [0, 2]
    """
    first = np.ones(len(keys), dtype=np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    return np.flatnonzero(first)


def places_of(keys: Keys, asked: Keys) -> tuple[Places, Places]:
    """Return the places of the keys asked for that are among sorted ones: in `asked`, in `keys`.

    >>> [at.tolist() for at in places_of(np.array([2, 5, 7]), np.array([5, 6, 7]))]
    [[0, 2], [1, 2]]
    """
    if len(keys) == 0:
        return _NOWHERE, _NOWHERE
    at = np.minimum(np.searchsorted(keys, asked), len(keys) - 1)
    known = np.flatnonzero(keys[at] == asked)
    return known, at[known]


def is_in(asked: Keys, keys: Keys | None) -> npt.NDArray[np.bool_]:
    """Tell which keys are among sorted others, if there are any."""
    found = np.zeros(len(asked), dtype=np.bool_)
    if keys is not None:
        found[places_of(keys, asked)[0]] = True
    return found


class SortedCounts:
    """Signed counts by key: what is folded in is added up, exactly.

    Keys stand sorted in an array and their counts beside them, so that a batch of 90,000 changes
    is found by binary search and added in place. New keys would move all of them; they gather in
    arrays of their own until they are many, or until somebody wants all keys. Changes are
    buffered until counts are read.
    """

    def __init__(self) -> None:
        self._keys, self._counts = _NO_KEYS, _NO_KEYS
        self._new_keys, self._new_counts = _NO_KEYS, _NO_KEYS  # none of them among `_keys`
        self._waiting: list[tuple[Keys, npt.NDArray[np.signedinteger]]] = []
        self._n_waiting = 0
        self._sums: Counts | None = None  # by major code, once somebody asks for them

    @property
    def keys(self) -> Keys:
        """The keys, sorted; some may have the count 0."""
        self._merge()
        return self._keys

    @property
    def counts(self) -> Counts:
        """The counts, in the order of `keys`."""
        self._merge()
        return self._counts

    def fold(self, keys: Keys, n: npt.NDArray[np.signedinteger]) -> None:
        """Add to the counts of keys; a key may come several times."""
        if len(keys) == 0:
            return
        self._waiting.append((keys, n))
        self._n_waiting += len(keys)
        if self._n_waiting > _MOST_WAITING:
            self._settle()

    def get(self, keys: Keys) -> Counts:
        """Return the count of every key asked for; 0 where there is none."""
        counts = np.zeros(len(keys), dtype=np.int64)
        others = np.arange(len(keys))
        # What changed is what is asked about: no need to find it among all once more.
        for part in (self._settle(), *self._parts):
            found, at = places_of(part[0], keys[others])
            counts[others[found]] = part[1][at]
            others = np.delete(others, found)
        return counts

    def sums(self, majors: Keys) -> Counts:
        """Return, for every major code asked for, the counts summed over its minor codes."""
        self._settle()
        if self._sums is None:
            self._sums = _NO_KEYS
            for part in self._parts:
                self._sums = _added(self._sums, *part)
        within = np.flatnonzero(majors < len(self._sums))
        sums = np.zeros(len(majors), dtype=np.int64)
        sums[within] = self._sums[majors[within]]
        return sums

    @property
    def _parts(self) -> tuple[tuple[Keys, Counts], tuple[Keys, Counts]]:
        return (self._keys, self._counts), (self._new_keys, self._new_counts)

    def _settle(self) -> tuple[Keys, Counts]:
        """Add what waits: to the counts of keys that are known, else to the new ones.

        Returns
        -------
        tuple
            The keys that waited, sorted, each once, and what their counts have become.
        """
        if not self._waiting:
            return _NO_KEYS, _NO_KEYS
        keys, n = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting.clear()
        self._n_waiting = 0
        keys, n = _summed(keys, n)
        if self._sums is not None:
            self._sums = _added(self._sums, keys, n)
        others = np.arange(len(keys))
        for held, counts in self._parts:
            found, at = places_of(held, keys[others])
            known = others[found]
            n[known] = counts[at] = counts[at] + n[known]
            others = np.delete(others, found)
        others = others[n[others] != 0]
        if len(others):
            new = keys[others]
            at = np.searchsorted(self._new_keys, new)
            self._new_keys = np.insert(self._new_keys, at, new)
            self._new_counts = np.insert(self._new_counts, at, n[others])
            if len(self._new_keys) > _MOST_NEW:
                self._merge()
        return keys, n

    def _merge(self) -> None:
        """Settle, and put the new keys among the others."""
        self._settle()
        if len(self._new_keys) == 0:
            return
        at = np.searchsorted(self._keys, self._new_keys)
        self._keys = np.insert(self._keys, at, self._new_keys)
        self._counts = np.insert(self._counts, at, self._new_counts)
        self._new_keys, self._new_counts = _NO_KEYS, _NO_KEYS
        # Pairs that left a sliding window would otherwise stay for ever.
        present = self._counts != 0
        if np.count_nonzero(present) < 0.75 * len(present):
            self._keys, self._counts = self._keys[present], self._counts[present]


def _summed(keys: Keys, n: npt.NDArray[np.signedinteger]) -> tuple[Keys, Counts]:
    """Return every key once, sorted, with the sum of what it is changed by."""
    ones = n == 1
    if ones.all():
        # Most batches only bring cases: to sort the keys and see how long each one's stretch is
        # takes a sixth of sorting them with their changes.
        keys = np.sort(keys)
        starts = starts_of(keys)
        return keys[starts], np.diff(starts, append=len(keys))
    if ones.any():
        came, times = _summed(keys[ones], n[ones])
        keys, n = np.append(keys[~ones], came), np.append(n[~ones], times)
    order = np.argsort(keys)
    keys, n = keys[order], n[order]
    del order  # a restored state has hundreds of millions of changes
    starts = starts_of(keys)
    return keys[starts], np.add.reduceat(n, starts, dtype=np.int64)


def _added(sums: Counts, keys: Keys, n: Counts) -> Counts:
    """Return sums by major code with changes added to them."""
    # float64 sums of integers below 2**53 are exact
    added = np.bincount(keys >> _SHIFT, weights=n, minlength=len(sums)).astype(np.int64)
    added[: len(sums)] += sums
    return added
