"""Aggregation level of each code of drugs and events."""

from itertools import islice

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.domain import domain_vocabulary
from streams.core.cases.levels import unmarked
from streams.core.counting.sorted_counts import Keys, split_key
from streams.core.counting.vocabulary import Vocabulary

__all__ = ["LevelCodes"]

_PRODUCT, _CLASS, _UNIT = range(3)  # level of a drug, by code


class LevelCodes:
    """Aggregation levels of the codes of two vocabularies; grows with them."""

    def __init__(self) -> None:
        self._drugs: npt.NDArray[np.int8] = np.empty(0, dtype=np.int8)
        self._families: npt.NDArray[np.bool_] = np.empty(0, dtype=np.bool_)

    def learn(self, drugs: Vocabulary, events: Vocabulary) -> None:
        """Classify the new names of two vocabularies."""
        classes = domain_vocabulary().classes
        new = [
            _UNIT if unmarked(name) != name else _CLASS if name in classes else _PRODUCT
            for name in islice(drugs.names, len(self._drugs), None)
        ]
        if new:
            self._drugs = np.append(self._drugs, np.array(new, dtype=np.int8))
        more = [unmarked(name) != name for name in islice(events.names, len(self._families), None)]
        if more:
            self._families = np.append(self._families, np.array(more, dtype=np.bool_))

    def is_scored(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Return whether each pair is scored: families only with classes, other events with all.

        Every case counts for the margin of a family. For a product a family repeats the pairs of
        its terms; only for a class is it scored as an event of its own.
        """
        drugs, events = split_key(keys)
        scored = ~self._families[events]
        of_family = np.flatnonzero(~scored)
        scored[of_family] = self._drugs[drugs[of_family]] == _CLASS
        return scored

    def scored(self, keys: Keys) -> Keys:
        """Return the pairs that are scored."""
        return keys[self.is_scored(keys)]

    def is_plain(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Return whether each pair is of a product or class and a term."""
        drugs, events = split_key(keys)
        plain: npt.NDArray[np.bool_] = (self._drugs[drugs] != _UNIT) & ~self._families[events]
        return plain

    def is_of_product(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Return whether each pair is of a product and a term: plain, and of no class."""
        of_product: npt.NDArray[np.bool_] = self._drugs[split_key(keys)[0]] == _PRODUCT
        return of_product & self.is_plain(keys)

    def is_unit(self, drugs: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
        """Return whether each code of a drug is a lot or facility."""
        units: npt.NDArray[np.bool_] = self._drugs[drugs] == _UNIT
        return units

    def is_family(self, events: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
        """Return whether each code of an event is a hazard family."""
        families: npt.NDArray[np.bool_] = self._families[events]
        return families

    def without_levels(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Return rows of the case log without lots, facilities and families."""
        wanted = {
            "drugs": np.flatnonzero(self._drugs == _UNIT),
            "events": np.flatnonzero(self._families),
        }
        dropped = [
            pl.col(column).list.eval(
                pl.element().filter(~pl.element().is_in(codes.astype(np.uint32).tolist()))
            )
            for column, codes in wanted.items()
            if len(codes)
        ]
        return rows.with_columns(dropped) if dropped else rows
