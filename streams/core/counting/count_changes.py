"""Changes of the counts of pairs and margins by cases."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from streams.core.counting.arrays import flattened, spread
from streams.core.counting.sorted_counts import Keys

__all__ = ["QUARTER_BITS", "Changes", "CountChanges", "period_strata"]

QUARTER_BITS = 10
"""Bits of the age band and sex in a stratum of `period_strata`; those above are the quarter."""


class Changes(NamedTuple):
    """Keys whose counts change, and the places of the rows that change them, ascending."""

    keys: Keys
    rows: Keys

    def where(self, inside: npt.NDArray[np.bool_]) -> "Changes":
        """Keep the changes of the rows that are inside."""
        # Rows of a restored state are sorted by day: those of a month are a slice, without a copy.
        first, last = np.flatnonzero(inside)[[0, -1]] if inside.any() else (0, -1)
        stretch = slice(*np.searchsorted(self.rows, (first, last + 1)).tolist())
        keys, rows = self.keys[stretch], self.rows[stretch]
        if inside[first : last + 1].all():
            return Changes(keys, rows)
        kept = inside[rows]
        return Changes(keys[kept], rows[kept])


@dataclass(frozen=True, slots=True)
class CountChanges:
    """Changes of pairs and margins.

    Attributes
    ----------
    days, n
        Of each row: its day [days since 1970-01-01], and the change of its keys, +1 or -1.
    periods
        Stratum of each row by calendar quarter, age band and sex: see `period_strata`.
    pairs, drugs, events, totals
        Changed keys: drug and event; drug and stratum; event and stratum; 0 and stratum.
    """

    days: npt.NDArray[np.int32]
    n: npt.NDArray[np.int8]
    periods: Keys
    pairs: Changes
    drugs: Changes
    events: Changes
    totals: Changes

    @classmethod
    def of(cls, rows: pl.DataFrame) -> Self:
        """Return the changes of a frame of `streams.core.counting.case_log.CASE_LOG`."""
        # With numpy: for few rows it is done before polars has planned to explode them.
        drugs, events = flattened(rows["drugs"]), flattened(rows["events"])
        of_drug = spread(drugs.first, drugs.after)[0]
        of_event = spread(events.first, events.after)[0]
        # Every drug of a row, once for each of its events.
        which, places = spread(events.first[of_drug], events.after[of_drug])
        major_drug, major_event = (lists.codes.astype(np.int64) << 32 for lists in (drugs, events))
        stratum = rows["stratum"].to_numpy().astype(np.int64)
        return cls(
            days=rows["day"].to_numpy(),
            n=rows["n"].to_numpy(),
            periods=period_strata(rows["day"].to_numpy(), rows["block"].to_numpy()),
            pairs=Changes(major_drug[which] | events.codes[places], of_drug[which]),
            drugs=Changes(major_drug | stratum[of_drug], of_drug),
            events=Changes(major_event | stratum[of_event], of_event),
            totals=Changes(stratum, np.arange(len(stratum))),
        )

    def between(self, first_day: int, last_day: int) -> "CountChanges":
        """Keep the days from first to last, both included."""
        inside = (self.days >= first_day) & (self.days <= last_day)
        parts = (self.pairs, self.drugs, self.events, self.totals)
        return CountChanges(
            self.days, self.n, self.periods, *(part.where(inside) for part in parts)
        )


def period_strata(days: npt.NDArray[np.int32], blocks: npt.NDArray[np.uint16]) -> Keys:
    """Return the stratum of each case by calendar quarter, age band and sex, as a number.

    Sorted numbers are in order of the quarters; `QUARTER_BITS` splits them.

    Parameters
    ----------
    days
        Days of first receipt [days since 1970-01-01].
    blocks
        Codes of age band and sex.

    Examples
    --------
    >>> strata = period_strata(np.array([0, 90], np.int32), np.array([5, 5], np.uint16))
    >>> (strata >> QUARTER_BITS).tolist()
    [7880, 7881]
    """
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return (months // 3 + 4 * 1970) << QUARTER_BITS | blocks
