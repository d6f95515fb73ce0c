"""Margins by calendar quarter, age band and sex, and the expected counts adjusted for them."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from detectors.expected import add_over_strata
from streams.core.counting.count_changes import QUARTER_BITS, CountChanges
from streams.core.counting.sorted_counts import (
    Counts,
    Keys,
    SortedCounts,
    distinct,
    places_of,
    split_key,
    summed,
)

__all__ = ["AdjustedMargins"]

Floats = npt.NDArray[np.float64]
_SHIFT = 32
_NO_KEYS = np.empty(0, dtype=np.int64)


class AdjustedMargins:
    """Cases by drug, by event and in all, in each stratum of quarter, age band and sex.

    The expected count of a pair is a sum over strata in their order. A day's cases change only the
    strata of the current quarter, so the sum over earlier quarters is kept for every pair asked
    for, until one of those quarters changes; it is to the last bit the sum from the first stratum.
    """

    def __init__(self) -> None:
        # Keys: stratum, then code.
        self._drugs, self._events, self._totals = SortedCounts(), SortedCounts(), SortedCounts()
        self._kept: Keys = _NO_KEYS  # pairs, sorted
        self._sums: Floats = np.empty(0)  # of each over the strata of earlier quarters
        self._before: int | None = None  # the quarter that those are earlier than

    def fold(self, changes: CountChanges) -> None:
        """Add changes to the margins."""
        strata = changes.periods
        for counts, keys, rows in (
            (self._drugs, changes.drugs.keys >> _SHIFT, changes.drugs.rows),
            (self._events, changes.events.keys >> _SHIFT, changes.events.rows),
            (self._totals, 0, changes.totals.rows),
        ):
            if len(rows) == 0:
                continue
            changed, n = summed(strata[rows] << _SHIFT | keys, changes.n[rows])
            moved = n != 0  # a case that left and came back in the same form moves nothing
            if moved.any():
                counts.fold(changed[moved], n[moved])
                self._forget_from(int(changed[moved][0] >> _SHIFT >> QUARTER_BITS))

    def _forget_from(self, quarter: int) -> None:
        if self._before is not None and quarter < self._before:
            self._kept, self._sums, self._before = _NO_KEYS, np.empty(0), None

    def expected(self, pairs: Keys) -> Floats:
        """Return the expected cases of pairs, adjusted for quarter, age band and sex.

        Parameters
        ----------
        pairs
            Their keys, sorted, each once.
        """
        strata = (self._totals.keys >> _SHIFT)[self._totals.counts > 0]
        if len(strata) == 0:
            return np.zeros(len(pairs))
        quarters = strata >> QUARTER_BITS
        current = int(quarters[-1])
        sums = self._of_earlier(pairs, strata, quarters, current)
        self._add(sums, pairs, strata[quarters == current])
        return sums

    def comparators(self, pairs: Keys, of_cases: Keys, strata: Keys) -> Counts:
        """Return, for each pair, the cases without its drug in the strata of its own cases.

        Where there are few, the cases expected are mostly the drug's own.

        Parameters
        ----------
        pairs
            Their keys, in any order, each once.
        of_cases, strata
            Pair and stratum of each of their cases: see `period_strata`.
        """
        numbers = np.zeros(len(pairs), dtype=np.int64)
        for place, pair in enumerate(pairs.tolist()):
            held = distinct(strata[of_cases == pair]) << _SHIFT
            numbers[place] = (self._totals.get(held) - self._drugs.get(held | pair >> _SHIFT)).sum()
        return numbers

    def margins(self, pairs: Keys, strata: Keys) -> npt.NDArray[np.int64]:
        """Return the cases of drug, of event, and in all, of a stratum for each pair.

        Parameters
        ----------
        pairs
            Keys, in any order; a pair may come several times.
        strata
            One for each: see `streams.core.counting.count_changes.period_strata`.

        Returns
        -------
        numpy.ndarray
            Three rows, one column a pair [cases].
        """
        drugs, events = split_key(pairs)
        prefix = strata << _SHIFT
        return np.array(
            [
                self._drugs.get(prefix | drugs),
                self._events.get(prefix | events),
                self._totals.get(prefix),
            ]
        )

    def of_event(self, event: int) -> tuple[Keys, Counts, Counts]:
        """Return the strata with a case, in their order; their cases, those with an event.

        Parameters
        ----------
        event
            Its code.
        """
        present = self._totals.counts > 0
        strata = self._totals.keys[present] >> _SHIFT
        return strata, self._totals.counts[present], self._events.get(strata << _SHIFT | event)

    def _of_earlier(self, pairs: Keys, strata: Keys, quarters: Keys, current: int) -> Floats:
        """Return the sum of each pair over the quarters before the current one."""
        if self._before is not None and self._before < current:
            over = (quarters >= self._before) & (quarters < current)
            self._add(self._sums, self._kept, strata[over])
        elif self._before is not None and self._before > current:  # the last cases were retracted
            self._kept, self._sums = _NO_KEYS, np.empty(0)
        self._before = current
        known, places = places_of(self._kept, pairs)
        sums = np.zeros(len(pairs))
        sums[known] = self._sums[places]
        unknown = np.ones(len(pairs), dtype=np.bool_)
        unknown[known] = False
        if unknown.any():
            new = pairs[unknown]
            past = np.zeros(len(new))
            self._add(past, new, strata[quarters < current])
            sums[unknown] = past
            where = np.searchsorted(self._kept, new)
            self._kept = np.insert(self._kept, where, new)
            self._sums = np.insert(self._sums, where, past)
        return sums

    def _add(self, sums: Floats, pairs: Keys, strata: Keys) -> None:
        """Add to the sum of each pair its expected cases in these strata, in their order."""
        if len(pairs) == 0:
            return
        totals = self._totals.get(strata << _SHIFT).tolist()
        drugs, events = split_key(pairs)
        by_drug = _by_code(self._drugs, strata, drugs)
        add_over_strata(sums, totals, by_drug, _by_code(self._events, strata, events))


def _by_code(margins: SortedCounts, strata: Keys, codes: Keys) -> Iterator[Floats]:
    """Yield, stratum by stratum, the cases with each code."""
    starts = np.searchsorted(margins.keys, strata << _SHIFT)
    ends = np.searchsorted(margins.keys, (strata + 1) << _SHIFT)
    largest = int(codes.max())
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        found = split_key(margins.keys[start:end])[1]
        inside = np.searchsorted(found, largest, "right")
        counts = np.zeros(largest + 1)
        counts[found[:inside]] = margins.counts[start : start + inside]
        yield counts[codes]
