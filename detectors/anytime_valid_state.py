"""Input and state of the anytime-valid test: daily counts and costs, as frozen plain arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from schemas.errors import CountsError, StateError

__all__ = ["NEVER", "DayCounts", "DayMargins", "SafeTest", "daily_counts", "split_pairs"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NEVER = int(np.iinfo(np.int32).min)
"""Value of `SafeTest.crossed` for a pair that has not crossed."""

FORMAT = 1
"""Version of `SafeTest.to_arrays`, the rate ratios and the formula included."""

_SHIFT = 32
_MASK = (1 << _SHIFT) - 1


def split_pairs(pairs: Ints) -> tuple[Ints, Ints]:
    """Return the drug and the event codes of pair keys, ``drug << 32 | event``."""
    return pairs >> _SHIFT, pairs & _MASK


@dataclass(frozen=True, slots=True, eq=False)
class DayMargins:
    """One day's distinct cases: all, by drug, and by event. Codes are sorted, small and dense."""

    day: int  # days since 1970-01-01
    n_total: int
    drugs: Ints  # codes
    n_drug: Ints
    events: Ints  # codes
    n_event: Ints

    def __post_init__(self) -> None:
        """Raise if no set of cases can have these margins."""
        where = f"day {self.day}"
        _require_keys(where, "drugs", self.drugs, self.n_drug)
        _require_keys(where, "events", self.events, self.n_event)
        top = max(_largest(self.n_drug), _largest(self.n_event), 1)
        if isinstance(self.n_total, bool) or not isinstance(self.n_total, int | np.integer):
            msg = f"{where}: n_total must be a whole number of cases; got {self.n_total!r}"
            raise CountsError(msg)
        if self.n_total < top:
            msg = f"{where}: n_total must be at least every margin, {top}; got {self.n_total}"
            raise CountsError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class DayCounts:
    """One day's margins, and its distinct cases by drug-event pair."""

    margins: DayMargins
    pairs: Ints  # drug code << 32 | event code, sorted
    n_observed: Ints

    def __post_init__(self) -> None:
        """Raise if the pair counts contradict the margins."""
        where = f"day {self.margins.day}"
        _require_keys(where, "pairs", self.pairs, self.n_observed)
        drugs, events = split_pairs(self.pairs)
        n_drug = _looked_up(self.margins.drugs, self.margins.n_drug, drugs)
        n_event = _looked_up(self.margins.events, self.margins.n_event, events)
        n = self.n_observed
        sound = (n <= n_drug) & (n <= n_event) & (n_drug + n_event - n <= self.margins.n_total)
        if not sound.all():
            first = int(np.flatnonzero(~sound)[0])
            row = {
                "drug": int(drugs[first]),
                "event": int(events[first]),
                "n_observed": int(n[first]),
                "n_drug": int(n_drug[first]),
                "n_event": int(n_event[first]),
                "n_total": self.margins.n_total,
            }
            msg = (
                f"{where}: n_observed <= min(n_drug, n_event) and n_drug + n_event - n_observed "
                f"<= n_total must hold; {np.count_nonzero(~sound)} of {len(n)} pairs break it, "
                f"first {row}"
            )
            raise CountsError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class SafeTest:
    """State of the test: per pair five costs, a count and a crossing day; and all daily margins.

    Sixty bytes a pair (five million: 300 MB), and 16 bytes for each drug and event of each day.
    """

    level: float  # chance that a null pair ever crosses
    pairs: Ints  # drug code << 32 | event code, sorted
    n_observed: Ints  # cases since the first day
    costs: Floats  # one row a rate ratio, one column a pair [nats]
    crossed: NDArray[np.int32]  # first day the e-value reached 1 / level, or NEVER
    days: tuple[DayMargins, ...]  # in order; a pair seen for the first time needs them all
    recomputed: bool = field(default=False)  # a past day was corrected: say so in the alert

    @property
    def n_hypotheses(self) -> int:
        """Return the number of possible pairs: drugs times events seen so far, which grows."""
        drugs = _distinct([day.drugs for day in self.days])
        return len(drugs) * len(_distinct([day.events for day in self.days]))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as named arrays, for storage; `from_arrays` reads them."""
        days = self.days
        return {
            "format": np.array(FORMAT),
            "level": np.array(self.level),
            "recomputed": np.array(self.recomputed),
            "pairs": self.pairs,
            "n_observed": self.n_observed,
            "costs": self.costs,
            "crossed": self.crossed,
            "day": np.array([day.day for day in days], dtype=np.int64),
            "n_total": np.array([day.n_total for day in days], dtype=np.int64),
            "drugs_of_day": np.array([len(day.drugs) for day in days], dtype=np.int64),
            "events_of_day": np.array([len(day.events) for day in days], dtype=np.int64),
            "drugs": _joined([day.drugs for day in days]),
            "n_drug": _joined([day.n_drug for day in days]),
            "events": _joined([day.events for day in days]),
            "n_event": _joined([day.n_event for day in days]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Read what `to_arrays` wrote.

        Raises
        ------
        StateError
            If the arrays were written by another version. Recompute from the daily buckets.
        """
        version = arrays["format"].item() if "format" in arrays else None
        if version != FORMAT:
            msg = f"safe test: stored state must be of format {FORMAT}; got {version!r}"
            raise StateError(msg)
        drugs = [0, *np.cumsum(arrays["drugs_of_day"]).tolist()]
        events = [0, *np.cumsum(arrays["events_of_day"]).tolist()]
        days = zip(
            arrays["day"].tolist(),
            arrays["n_total"].tolist(),
            _parts(arrays["drugs"], drugs),
            _parts(arrays["n_drug"], drugs),
            _parts(arrays["events"], events),
            _parts(arrays["n_event"], events),
            strict=True,
        )
        return cls(
            level=arrays["level"].item(),
            pairs=arrays["pairs"],
            n_observed=arrays["n_observed"],
            costs=arrays["costs"],
            crossed=arrays["crossed"],
            days=tuple(DayMargins(*day) for day in days),
            recomputed=arrays["recomputed"].item(),
        )


def daily_counts(cases: pl.DataFrame) -> list[DayCounts]:
    """Count cases by day, as input of the test, from lists of codes.

    Parameters
    ----------
    cases
        `day` [date, or days since 1970-01-01], `drugs` and `events` [lists of distinct codes, each
        smaller than 2^31] and `n` [+1 a case enters, -1 it leaves]. Several rows may add up.

    Returns
    -------
    list of DayCounts
        The days with a case, in order.

    Examples
    --------
    >>> row = {"day": [19000], "drugs": [[4, 7]], "events": [[1]], "n": [1]}
    >>> (day,) = daily_counts(pl.DataFrame(row))
    >>> day.margins.drugs.tolist(), split_pairs(day.pairs)[0].tolist(), day.n_observed.tolist()
    ([4, 7], [4, 7], [1, 1])
    """
    rows = cases.lazy().select(pl.col("day").cast(pl.Int32), "drugs", "events", "n")
    by_drug = rows.explode("drugs").drop_nulls("drugs")
    by_event = rows.explode("events").drop_nulls("events")
    by_pair = by_drug.explode("events").drop_nulls("events")
    drug, event = pl.col("drugs").cast(pl.Int64), pl.col("events").cast(pl.Int64)
    totals, drugs, events, pairs = pl.collect_all(
        [
            _counted(rows, pl.lit(0, pl.Int64)),
            _counted(by_drug, drug),
            _counted(by_event, event),
            _counted(by_pair, drug * (1 << _SHIFT) + event),
        ]
    )
    days, n_total = totals["day"], totals["n"].to_list()
    parts = [_split(frame, days) for frame in (drugs, events, pairs)]
    return [
        DayCounts(DayMargins(day, total, *of_drug, *of_event), *of_pair)
        for day, total, of_drug, of_event, of_pair in zip(
            days.to_list(), n_total, *parts, strict=True
        )
    ]


def _counted(rows: pl.LazyFrame, key: pl.Expr) -> pl.LazyFrame:
    counts = rows.group_by("day", key=key).agg(pl.col("n").cast(pl.Int64).sum())
    return counts.filter(pl.col("n") != 0).sort("day", "key")


def _split(counts: pl.DataFrame, days: pl.Series) -> list[tuple[Ints, Ints]]:
    edges = [*counts["day"].search_sorted(days, side="left").to_list(), counts.height]
    keys, n = _parts(counts["key"].to_numpy(), edges), _parts(counts["n"].to_numpy(), edges)
    return list(zip(keys, n, strict=True))


def _parts(values: Ints, edges: Sequence[int]) -> list[Ints]:
    return [values[first:end] for first, end in pairwise(edges)]


def _require_keys(where: str, what: str, keys: Ints, n: Ints) -> None:
    if len(keys) != len(n):
        msg = f"{where}: {what} need one count each; got {len(keys)} and {len(n)} counts"
        raise CountsError(msg)
    if keys.dtype.kind not in "iu" or n.dtype.kind not in "iu":
        msg = f"{where}: {what} and their counts must be whole numbers; got {keys.dtype}, {n.dtype}"
        raise CountsError(msg)
    if len(keys) and (keys[0] < 0 or np.any(np.diff(keys) <= 0)):
        msg = f"{where}: {what} must be codes of 0 or more, in order, each once; got {keys[:5]}..."
        raise CountsError(msg)
    if np.any(n < 1):
        first = int(np.flatnonzero(n < 1)[0])
        msg = f"{where}: {what} must have a case each; "
        msg += f"got {int(n[first])} of code {int(keys[first])}"
        raise CountsError(msg)


def _looked_up(codes: Ints, counts: Ints, wanted: Ints) -> Ints:
    places = np.searchsorted(codes, wanted)
    known = places < len(codes)
    known[known] = codes[places[known]] == wanted[known]
    found = np.zeros(len(wanted), dtype=np.int64)
    found[known] = counts[places[known]]
    return found


def _largest(counts: Ints) -> int:
    return int(counts.max(initial=0))


def _joined(parts: Sequence[Ints]) -> Ints:
    return np.concatenate([np.empty(0, dtype=np.int64), *parts])


def _distinct(parts: Sequence[Ints]) -> Ints:
    return np.unique(_joined(parts))
