"""Integer codes of names, in order of first occurrence."""

from collections.abc import Iterable, Sequence

import polars as pl

from streams.core.counting.sorted_counts import Keys

__all__ = ["Vocabulary"]


class Vocabulary:
    """Integer codes of names, in order of first occurrence."""

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

    def find(self, name: str) -> int | None:
        """Return the code of a name; `None` if it has none."""
        return self._codes.get(name)

    def encode(self, names: pl.Series) -> pl.Series:
        """Return the codes of a column of names, or of lists of names [UInt32]; learn new ones."""
        if names.dtype != pl.List:
            return self._encoded(names)
        # Elementwise, so that it is called once, with the items of all lists.
        coded = pl.element().map_batches(
            self._encoded, return_dtype=pl.UInt32(), is_elementwise=True
        )
        return names.list.eval(coded)

    def _encoded(self, names: pl.Series) -> pl.Series:
        distinct = names.unique(maintain_order=True).to_list()
        self.learn(distinct)
        codes = [self._codes[name] for name in distinct]
        # The cast is for a column without rows, which polars returns as it is.
        return names.replace_strict(distinct, codes, return_dtype=pl.UInt32).cast(pl.UInt32)

    def decode(self, codes: Keys) -> pl.Series:
        """Return the names of codes."""
        names = self._names
        if len(codes) < len(names):  # picking a few is faster than a column of all
            return pl.Series([names[code] for code in codes.tolist()], dtype=pl.String)
        return pl.Series(names, dtype=pl.String).gather(codes)

    @property
    def names(self) -> Sequence[str]:
        """Return all names; the position of a name is its code."""
        return self._names
