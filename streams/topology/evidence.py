"""What the cases that came and went since the last evaluation say of pairs already published.

A facet is a kind of case whose first one is news in itself: fatal, of a child, of a region. Those
that a published revision had are a bit mask. A further trigger of the kind (a lot, a facility, a
country) is one more bit, once the rows of the case log carry it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from streams.topology.counting import Keys, Vocabulary, distinct, join_key
from streams.topology.strata import PAEDIATRIC, REGIONS

__all__ = ["FATAL", "PAEDIATRIC_BIT", "Evidence", "Pending", "facets_of_strata", "region_mask"]

FATAL, PAEDIATRIC_BIT = 1, 2
_REGION_BITS = {name: 4 << at for at, name in enumerate(REGIONS)}
_FACETS = 2 + len(REGIONS)

Masks = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


def region_mask(regions: Sequence[str]) -> int:
    """Return the bits of regions by name."""
    return sum(_REGION_BITS[name] for name in regions)


def facets_of_strata(strata: Vocabulary, separator: str) -> Masks:
    """Return the facets that each stratum, `age group, sex, region`, says of its cases."""
    parts = (name.split(separator) for name in strata.names)
    return np.array(
        [
            (PAEDIATRIC_BIT if age in PAEDIATRIC else 0) | _REGION_BITS.get(region, 0)
            for age, _, region in parts
        ],
        dtype=np.int64,
    )


@dataclass(frozen=True, slots=True)
class Evidence:
    """What changed of pairs, one element a pair, and of their cases.

    Attributes
    ----------
    gained
        Facets of which the pair has more cases than at the last evaluation.
    fewer
        Facets of which it has fewer for amended cases alone, which are still its own.
    left
        Whether a case is no longer one of the pair's.
    left_pairs, left_cases
        One element a case that left: the place of its pair, and the hash of its id.
    """

    gained: Masks
    fewer: Masks
    left: npt.NDArray[np.bool_]
    left_pairs: npt.NDArray[np.intp]
    left_cases: Hashes

    @classmethod
    def none(cls, size: int) -> "Evidence":
        """Nothing, of so many pairs."""
        return cls(
            np.zeros(size, dtype=np.int64),
            np.zeros(size, dtype=np.int64),
            np.zeros(size, dtype=np.bool_),
            np.empty(0, dtype=np.intp),
            np.empty(0, dtype=np.uint64),
        )


class Pending:
    """The rows of the case log since the last evaluation."""

    def __init__(self) -> None:
        self._rows: list[pl.DataFrame] = []

    def note(self, rows: pl.DataFrame) -> None:
        """Keep rows of `streams.topology.caselog.CASE_LOG`."""
        if rows.height:
            self._rows.append(rows)

    def clear(self) -> None:
        """Forget them: they are evaluated."""
        self._rows.clear()

    def evidence(
        self, pairs: Keys, first_day: int | None, last_day: int, facets: Masks
    ) -> Evidence:
        """Say what the rows change of some pairs, within a range of days.

        Parameters
        ----------
        pairs
            Sorted, each once.
        first_day, last_day
            The days of the window, both included [days since 1970-01-01].
        facets
            What `facets_of_strata` gives.
        """
        if len(pairs) == 0 or not self._rows:
            return Evidence.none(len(pairs))
        rows = self._of_drugs(distinct(pairs >> 32), first_day, last_day)
        at = np.searchsorted(pairs, rows["key"].to_numpy())
        at[at == len(pairs)] = 0
        meant = pairs[at] == rows["key"].to_numpy()
        at, rows = at[meant], rows.filter(pl.Series(meant))
        n = rows["n"].to_numpy()
        bits = facets[rows["stratum"].to_numpy()] | np.where(rows["fatal"].to_numpy(), FATAL, 0)
        gained = _facets_where(_changes(at, bits, n, len(pairs)) > 0)
        if (n > 0).all():
            return replace(Evidence.none(len(pairs)), gained=gained)
        balance = pl.DataFrame({"at": at, "case": rows["case_id"].hash(), "n": n}).with_columns(
            of_case=pl.col("n").cast(pl.Int64).sum().over("at", "case")
        )
        stays = balance["of_case"].to_numpy() >= 0
        gone = balance.filter(~stays).unique(["at", "case"])
        left = np.zeros(len(pairs), dtype=np.bool_)
        left[gone["at"].to_numpy()] = True
        amended = _changes(at[stays], bits[stays], n[stays], len(pairs))
        return Evidence(
            gained,
            _facets_where(amended < 0),
            left,
            gone["at"].to_numpy(),
            gone["case"].to_numpy(),
        )

    def _of_drugs(self, drugs: Keys, first_day: int | None, last_day: int) -> pl.DataFrame:
        within = pl.col("day") <= last_day
        if first_day is not None:
            within &= pl.col("day") >= first_day
        wanted = pl.Series(drugs.astype(np.uint32)).implode()
        return (
            pl.concat([rows.lazy() for rows in self._rows])
            .filter(within)
            .select("case_id", "stratum", "fatal", "drugs", "events", "n")
            .explode("drugs")
            .filter(pl.col("drugs").is_in(wanted))
            .explode("events")
            .with_columns(key=join_key(pl.col("drugs"), pl.col("events")))
            .collect()
        )


def _changes(
    at: npt.NDArray[np.intp], bits: Masks, n: npt.NDArray[np.int8], size: int
) -> npt.NDArray[np.float64]:
    """Return the sum of `n` by facet and pair; sums of small integers are exact."""
    has = [(bits >> place & 1) > 0 for place in range(_FACETS)]
    return np.array([np.bincount(at[of], weights=n[of], minlength=size) for of in has])


def _facets_where(holds: npt.NDArray[np.bool_]) -> Masks:
    masks: Masks = (holds.astype(np.int64) << np.arange(_FACETS)[:, None]).sum(axis=0)
    return masks
