"""Exact signed counts under integer keys, in sorted arrays; and the codes names are counted by."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["Counts", "Keys", "SortedCounts", "Vocabulary", "distinct", "join_key", "split_key"]

Keys = npt.NDArray[np.int64]
"""Sorted or unsorted integer keys, each two 31-bit codes: `join_key(major, minor)`."""

Counts = npt.NDArray[np.int64]
"""Signed counts [cases]."""

_SHIFT = 32
_MASK = (1 << _SHIFT) - 1
_MOST_WAITING = 1 << 20  # changes of 16 bytes each


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
    return ordered[np.flatnonzero(np.diff(ordered, prepend=~ordered[:1]))]


class Vocabulary:
    """Names and the small integers they are counted by, in order of first appearance."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names: list[str] = []
        self._codes: dict[str, int] = {}
        self.learn(names)

    def __len__(self) -> int:
        return len(self._names)

    def learn(self, names: Iterable[str]) -> None:
        """Give a code to every name that has none yet."""
        for name in names:
            if name not in self._codes:
                self._codes[name] = len(self._names)
                self._names.append(name)

    def code(self, name: str) -> int:
        """Return the code of a name, a new one if it has none."""
        self.learn((name,))
        return self._codes[name]

    def encode(self, names: pl.Series) -> pl.Series:
        """Return the codes of a column of names, or of lists of names [UInt32]; learn new ones."""
        code = pl.UInt32()
        distinct = names.explode() if names.dtype == pl.List else names
        distinct = distinct.unique(maintain_order=True)
        texts = distinct.to_list()
        self.learn(texts)
        if len(texts) == 1 and names.dtype != pl.List:
            return pl.repeat(self._codes[texts[0]], len(names), dtype=code, eager=True)
        codes = np.fromiter(map(self._codes.__getitem__, texts), np.uint32, len(texts))
        if names.dtype == pl.List:
            coded = pl.element().replace_strict(distinct, codes, return_dtype=code)
            return names.list.eval(coded).cast(pl.List(code))
        return names.replace_strict(distinct, codes, return_dtype=code).cast(code)

    def decode(self, codes: Keys) -> pl.Series:
        """Return the names of codes."""
        return pl.Series(self._names, dtype=pl.String).gather(codes)

    @property
    def names(self) -> Sequence[str]:
        """All names; the position of a name is its code."""
        return self._names


class SortedCounts:
    """Signed counts by key: what is folded in is added up, exactly.

    Keys stand sorted in one array and their counts beside them, so that a batch of 90,000 changes
    is found by binary search and added in place. New keys move all of them; changes wait therefore
    until somebody looks, or until they are many.
    """

    def __init__(self) -> None:
        self._keys: Keys = np.empty(0, dtype=np.int64)
        self._counts: Counts = np.empty(0, dtype=np.int64)
        self._waiting: list[tuple[Keys, Counts]] = []
        self._n_waiting = 0

    @property
    def keys(self) -> Keys:
        """The keys, sorted; some may have the count 0."""
        self._settle()
        return self._keys

    @property
    def counts(self) -> Counts:
        """The counts, in the order of `keys`."""
        self._settle()
        return self._counts

    def fold(self, changes: pl.DataFrame) -> None:
        """Add a frame of `key` and `n`; a key may stand in several rows."""
        if changes.height == 0:
            return
        self._waiting.append((changes["key"].to_numpy(), changes["n"].cast(pl.Int64).to_numpy()))
        self._n_waiting += changes.height
        if self._n_waiting > _MOST_WAITING:
            self._settle()

    def _settle(self) -> None:
        if not self._waiting:
            return
        keys, n = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting.clear()
        self._n_waiting = 0
        order = np.argsort(keys)
        keys = keys[order]
        starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
        keys, n = keys[starts], np.add.reduceat(n[order], starts)
        at = np.searchsorted(self._keys, keys)
        known = at < len(self._keys)
        known[known] = self._keys[at[known]] == keys[known]
        self._counts[at[known]] += n[known]
        new = ~known & (n != 0)
        if new.any():
            self._keys = np.insert(self._keys, at[new], keys[new])
            self._counts = np.insert(self._counts, at[new], n[new])
            self._drop_zeros()

    def get(self, keys: Keys) -> Counts:
        """Return the count of every key asked for; 0 where there is none."""
        self._settle()
        if len(self._keys) == 0:
            return np.zeros(len(keys), dtype=np.int64)
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[at] == keys, self._counts[at], 0)

    def by_major(self, size: int) -> Counts:
        """Return the counts summed over the minor code, one for every major code below `size`."""
        # float64 sums of integers below 2**53 are exact
        majors = self.keys >> _SHIFT
        return np.bincount(majors, weights=self._counts, minlength=size).astype(np.int64)

    def _drop_zeros(self) -> None:
        # Pairs that left a sliding window would otherwise stay for ever.
        present = self._counts != 0
        if np.count_nonzero(present) < 0.75 * len(present):
            self._keys, self._counts = self._keys[present], self._counts[present]
