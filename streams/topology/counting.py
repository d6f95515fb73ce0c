"""Exact signed counts under integer keys, in sorted arrays; and the codes names are counted by."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["Keys", "SortedCounts", "Vocabulary", "join_key", "split_key"]

Keys = npt.NDArray[np.int64]
"""Sorted or unsorted integer keys, each two 31-bit codes: `join_key(major, minor)`."""

_SHIFT = 32
_MASK = (1 << _SHIFT) - 1


def join_key(major: pl.Expr, minor: pl.Expr) -> pl.Expr:
    """Pack two codes below 2**31 into one key that sorts by the first, then the second."""
    return major.cast(pl.Int64) * (1 << _SHIFT) + minor.cast(pl.Int64)


def split_key(keys: Keys) -> tuple[Keys, Keys]:
    """Unpack what `join_key` packed."""
    return keys >> _SHIFT, keys & _MASK


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
        """Return the codes of a column of names [UInt32], learning new ones."""
        distinct = names.unique().to_list()
        self.learn(distinct)
        codes = [self._codes[name] for name in distinct]
        return names.replace_strict(
            pl.Series(distinct, dtype=pl.String), codes, return_dtype=pl.UInt32
        )

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
    is found by binary search and added in place; only new keys move memory.
    """

    def __init__(self) -> None:
        self.keys: Keys = np.empty(0, dtype=np.int64)
        self.counts: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)

    def fold(self, changes: pl.DataFrame) -> None:
        """Add a frame of `key` and `n`; a key may stand in several rows."""
        if changes.height == 0:
            return
        summed = changes.group_by("key").agg(pl.col("n").cast(pl.Int64).sum()).sort("key")
        keys, n = summed["key"].to_numpy(), summed["n"].to_numpy()
        at = np.searchsorted(self.keys, keys)
        known = at < len(self.keys)
        known[known] = self.keys[at[known]] == keys[known]
        self.counts[at[known]] += n[known]
        if not known.all():
            new = ~known & (n != 0)
            self.keys = np.insert(self.keys, at[new], keys[new])
            self.counts = np.insert(self.counts, at[new], n[new])
            self._drop_zeros()

    def get(self, keys: Keys) -> npt.NDArray[np.int64]:
        """Return the count of every key asked for; 0 where there is none."""
        if len(self.keys) == 0:
            return np.zeros(len(keys), dtype=np.int64)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.counts[at], 0)

    def by_major(self, size: int) -> npt.NDArray[np.int64]:
        """Return the counts summed over the minor code, one for every major code below `size`."""
        # float64 sums of integers below 2**53 are exact
        majors = self.keys >> _SHIFT
        return np.bincount(majors, weights=self.counts, minlength=size).astype(np.int64)

    def _drop_zeros(self) -> None:
        # Pairs that left a sliding window would otherwise stay for ever.
        present = self.counts != 0
        if np.count_nonzero(present) < 0.75 * len(present):
            self.keys, self.counts = self.keys[present], self.counts[present]
