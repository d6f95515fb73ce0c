"""Names as codes, in the order in which they first occurred."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from streams.core.counting.sorted_counts import Keys

__all__ = ["Vocabulary", "numbered"]

_FEW_NAMES = 2_000  # about where polars becomes the faster


def numbered(names: pl.Series) -> tuple[list[str], npt.NDArray[np.integer[Any]]]:
    """Return the distinct names, in order of first appearance, and which of them each one is.

    >>> distinct, places = numbered(pl.Series(["b", "a", "b"]))
    >>> distinct, places.tolist()
    (['b', 'a'], [0, 1, 0])
    """
    distinct = names.unique(maintain_order=True)
    # Not `replace_strict`, which joins two tables.
    return distinct.to_list(), names.cast(pl.Enum(distinct)).to_physical().to_numpy()


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
        if names.dtype != pl.List:
            return self._encoded(names)
        # Elementwise, so that it is called once, with what all lists hold.
        coded = pl.element().map_batches(
            self._encoded, return_dtype=pl.UInt32(), is_elementwise=True
        )
        return names.list.eval(coded)

    def _encoded(self, names: pl.Series) -> pl.Series:
        if len(names) < _FEW_NAMES:  # one by one they are done before polars has begun
            few = names.to_list()
            self.learn(few)
            return pl.Series([self._codes[name] for name in few], dtype=pl.UInt32)
        distinct, places = numbered(names)
        self.learn(distinct)
        codes = np.fromiter(map(self._codes.__getitem__, distinct), np.uint32, len(distinct))
        return pl.Series(codes[places])

    def decode(self, codes: Keys) -> pl.Series:
        """Return the names of codes."""
        names = self._names
        if len(codes) < len(names):  # a few are picked sooner than all are written out
            return pl.Series([names[code] for code in codes.tolist()], dtype=pl.String)
        return pl.Series(names, dtype=pl.String).gather(codes)

    @property
    def names(self) -> Sequence[str]:
        """All names; the position of a name is its code."""
        return self._names
