"""New evidence on published pairs since the last evaluation: facets gained and lost, cases lost.

A facet is a kind of case whose first one is new evidence by itself: fatal, of a child, of a region.
The facets of a published revision are a bit mask. Lots, facilities and countries are unlimited in
number: new ones are found by name, for the few signals of the domain's products, and have bits of
their own (`streams.core.alerts.context`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import polars as pl

from streams.core.cases.strata import PAEDIATRIC, REGIONS
from streams.core.counting.count_changes import Changes
from streams.core.counting.sorted_counts import Keys, Places, places_of
from streams.core.counting.vocabulary import Vocabulary

__all__ = [
    "DESIGNATED",
    "EXPOSURE",
    "FATAL",
    "GONE",
    "NEW_COUNTRY",
    "NEW_FACILITY",
    "NEW_LOT",
    "PAEDIATRIC_BIT",
    "REGION_BITS",
    "VERIFICATION",
    "CaseChanges",
    "ChangesSinceEvaluation",
    "Flags",
    "Hashes",
    "Masks",
    "facets_of_cases",
    "facets_of_strata",
    "region_mask",
]

FATAL, PAEDIATRIC_BIT = 1, 2
# Of products of the domain: `streams.core.alerts.context` compares them with published alerts.
NEW_COUNTRY, NEW_LOT, NEW_FACILITY, DESIGNATED, EXPOSURE, VERIFICATION, GONE = (
    1 << bit for bit in range(7)
)
REGION_BITS: Mapping[str, int] = MappingProxyType(
    {name: 4 << place for place, name in enumerate(REGIONS)}
)
"""Facet of each region, by name, sorted as `REGIONS`."""
_FACETS = 2 + len(REGIONS)
_MOST_STRATA = 1 << 12  # age groups by sexes by regions are a few hundred

Masks = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]


def region_mask(regions: Sequence[str]) -> int:
    """Return the bits of regions by name."""
    return sum(REGION_BITS[name] for name in regions)


def facets_of_strata(strata: Vocabulary, separator: str) -> Masks:
    """Return the facets of the cases of each stratum, `age group, sex, region`, by its code."""
    return np.array([_facets_of(name, separator) for name in strata.names], dtype=np.int64)


@lru_cache(maxsize=_MOST_STRATA)
def _facets_of(stratum: str, separator: str) -> int:
    age, _, region = stratum.split(separator)
    return (PAEDIATRIC_BIT if age in PAEDIATRIC else 0) | REGION_BITS.get(region, 0)


def facets_of_cases(
    cases: pl.DataFrame, places: Places, facets: Masks, size: int
) -> tuple[Masks, Masks]:
    """Return the facets of each case, and the facets of the cases of each pair.

    Parameters
    ----------
    cases
        Rows with `stratum` and `fatal`, a row a case and pair.
    places
        Place of the pair of each row.
    facets
        Result of `facets_of_strata`.
    size
        Number of pairs.
    """
    bits = _bits_of(cases, facets)
    present = np.zeros(size, dtype=np.int64)
    np.bitwise_or.at(present, places, bits)
    return bits, present


def _bits_of(cases: pl.DataFrame, facets: Masks) -> Masks:
    fatal = np.where(cases["fatal"].to_numpy(), FATAL, 0)
    bits: Masks = facets[cases["stratum"].to_numpy()] | fatal
    return bits


@dataclass(frozen=True, slots=True)
class CaseChanges:
    """Changes of pairs since the last evaluation, with one element a pair, and of their cases.

    Attributes
    ----------
    gained
        Facets with more cases than at the last evaluation.
    fewer
        Facets with fewer cases because of amended cases, which are still of the pair.
    left
        Whether a case is no longer one of the pair's.
    left_pairs, left_cases
        One element a case that left: the place of its pair, and the hash of its id.
    domain
        Bits such as `NEW_COUNTRY`, of signals of the domain's products; None: no such signal.
    taken_back
        As `left_pairs` and `left_cases`, of cases of any day up to the last; None: the window is
        open to the past, so they are the same.
    """

    gained: Masks
    fewer: Masks
    left: Flags
    left_pairs: npt.NDArray[np.intp]
    left_cases: Hashes
    domain: Masks | None = None
    taken_back: tuple[npt.NDArray[np.intp], Hashes] | None = None

    @classmethod
    def none(cls, size: int) -> "CaseChanges":
        """Return no changes for a number of pairs."""
        return cls(
            np.zeros(size, dtype=np.int64),
            np.zeros(size, dtype=np.int64),
            np.zeros(size, dtype=np.bool_),
            np.empty(0, dtype=np.intp),
            np.empty(0, dtype=np.uint64),
        )


class ChangesSinceEvaluation:
    """Rows of the case log since the last evaluation."""

    def __init__(self) -> None:
        self._noted: list[tuple[pl.DataFrame, Changes]] = []

    def note(self, rows: pl.DataFrame, pairs: Changes) -> None:
        """Keep rows of `streams.core.counting.case_log.CASE_LOG`, and the pairs they change."""
        if rows.height:
            self._noted.append((rows, pairs))

    def clear(self) -> None:
        """Discard all rows after an evaluation."""
        self._noted.clear()

    def evidence(
        self, pairs: Keys, first_day: int | None, last_day: int, facets: Masks
    ) -> CaseChanges:
        """Return the changes of pairs within a range of days.

        Parameters
        ----------
        pairs
            Sorted, each once.
        first_day, last_day
            The days of the window, both included [days since 1970-01-01].
        facets
            Result of `facets_of_strata`.
        """
        if len(pairs) == 0 or not self._noted:
            return CaseChanges.none(len(pairs))
        days = first_day, last_day
        parts = [_of_pairs(pairs, rows, changes, days) for rows, changes in self._noted]
        rows = pl.concat([rows for _, rows in parts])
        places = np.concatenate([places for places, _ in parts])
        n = rows["n"].to_numpy()
        bits = _bits_of(rows, facets)
        gained = _facets_where(_changes(places, bits, n, len(pairs)) > 0)
        left = np.zeros(len(pairs), dtype=np.bool_)
        left[places[n < 0]] = True
        doubtful = np.flatnonzero(
            left[places]
        )  # of pairs with a case that left; it may have returned
        if len(doubtful) == 0:
            return replace(CaseChanges.none(len(pairs)), gained=gained)
        cases = rows["case_id"].gather(doubtful).hash().to_numpy()
        order = np.lexsort((cases, places[doubtful]))
        cases, doubtful = cases[order], doubtful[order]
        pair = places[doubtful]
        begins = np.flatnonzero(
            np.append(True, (pair[1:] != pair[:-1]) | (cases[1:] != cases[:-1]))  # a case of a pair
        )
        gone = np.add.reduceat(n[doubtful].astype(np.int64), begins) < 0
        stays = np.ones(len(places), dtype=np.bool_)
        stays[doubtful] = ~np.repeat(gone, np.diff(begins, append=len(doubtful)))
        amended = _changes(places[stays], bits[stays], n[stays], len(pairs))
        left[:] = False
        left[pair[begins[gone]]] = True
        return CaseChanges(
            gained, _facets_where(amended < 0), left, pair[begins[gone]], cases[begins[gone]]
        )


def _of_pairs(
    pairs: Keys, rows: pl.DataFrame, changes: Changes, days: tuple[int | None, int]
) -> tuple[Places, pl.DataFrame]:
    """Return the changes of these pairs and days: the place of the pair, and the row."""
    found, places = places_of(pairs, changes.keys)
    changed = changes.rows[found]
    day = rows["day"].to_numpy()
    inside = day <= days[1] if days[0] is None else (day >= days[0]) & (day <= days[1])
    wanted = inside[changed]
    of_case = rows[["case_id", "stratum", "fatal", "n"]]
    return places[wanted], of_case[changed[wanted]]


def _changes(
    places: npt.NDArray[np.intp], bits: Masks, n: npt.NDArray[np.int8], size: int
) -> npt.NDArray[np.float64]:
    """Return the sum of `n` by facet and pair; sums of small integers are exact."""
    has = [(bits >> bit & 1) > 0 for bit in range(_FACETS)]
    return np.array(
        [
            np.bincount(places[with_facet], weights=n[with_facet], minlength=size)
            for with_facet in has
        ]
    )


def _facets_where(holds: Flags) -> Masks:
    masks: Masks = (holds.astype(np.int64) << np.arange(_FACETS)[:, None]).sum(axis=0)
    return masks
