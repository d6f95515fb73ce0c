"""Input of the anytime-valid test: counts of days, or of their blocks, as frozen plain arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from schemas.errors import CountsError

__all__ = [
    "DayCounts",
    "DayMargins",
    "daily_counts",
    "split_pairs",
    "without_repeats",
]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_SHIFT = 32
_BLOCK_BITS = 16
_MASK = (1 << _SHIFT) - 1


def split_pairs(pairs: Ints) -> tuple[Ints, Ints]:
    """Return the drug and the event codes of pair keys, ``drug << 32 | event``."""
    return pairs >> _SHIFT, pairs & _MASK


@dataclass(frozen=True, slots=True, eq=False)
class DayMargins:
    """Distinct cases of one block of a day: all, by drug, and by event.

    Codes are sorted, small and dense. A day that is not divided is one block.
    """

    day: int  # days since 1970-01-01
    n_total: int
    drugs: Ints  # codes
    n_drug: Ints
    events: Ints  # codes
    n_event: Ints
    block: int = 0  # such as an age band

    def __post_init__(self) -> None:
        """Raise if no set of cases can have these margins."""
        where = _place(self)
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
    """Margins of one block of a day, and its distinct cases by drug-event pair."""

    margins: DayMargins
    pairs: Ints  # drug code << 32 | event code, sorted
    n_observed: Ints

    def __post_init__(self) -> None:
        """Raise if the pair counts contradict the margins."""
        where = _place(self.margins)
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


def daily_counts(cases: pl.DataFrame) -> list[DayCounts]:
    """Count cases by day and block, as input of the test, from lists of codes.

    Parameters
    ----------
    cases
        `day` [date, or days since 1970-01-01], `drugs` and `events` [lists of distinct codes, each
        smaller than 2^31], `n` [+1 a case enters, -1 it leaves] and, if days are divided, `block`
        [small integers]. Several rows may add up.

    Returns
    -------
    list of DayCounts
        The blocks with a case, in order of day and block.

    Examples
    --------
    >>> row = {"day": [19000], "drugs": [[4, 7]], "events": [[1]], "n": [1]}
    >>> (day,) = daily_counts(pl.DataFrame(row))
    >>> day.margins.drugs.tolist(), split_pairs(day.pairs)[0].tolist(), day.n_observed.tolist()
    ([4, 7], [4, 7], [1, 1])
    """
    block = pl.col("block") if "block" in cases.columns else pl.lit(0)
    rows = cases.lazy().select(
        place=pl.col("day").cast(pl.Int32).cast(pl.Int64) * (1 << _BLOCK_BITS)
        + block.cast(pl.Int64),
        drugs="drugs",
        events="events",
        n="n",
    )
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
    places, n_total = totals["place"], totals["n"].to_list()
    parts = [_split(frame, places) for frame in (drugs, events, pairs)]
    return [
        DayCounts(_margins(place, total, of_drug, of_event), *of_pair)
        for place, total, of_drug, of_event, of_pair in zip(
            places.to_list(), n_total, *parts, strict=True
        )
    ]


def _margins(
    place: int, total: int, of_drug: tuple[Ints, Ints], of_event: tuple[Ints, Ints]
) -> DayMargins:
    block = place & (1 << _BLOCK_BITS) - 1
    return DayMargins(place >> _BLOCK_BITS, total, *of_drug, *of_event, block=block)


def without_repeats(cases: pl.DataFrame) -> pl.DataFrame:
    """Keep one of the reports of a day that have the same source, drugs and events.

    Copies of a report, and batches of alike ones, are not independent evidence: the test would
    take each for a case of its own.

    Parameters
    ----------
    cases
        As for `daily_counts`, with `block`, and `source` [integer code of the sender].

    Returns
    -------
    polars.DataFrame
        `day`, `block`, `drugs`, `events` and `n`, which is 1: one row for each group that has a
        case; of the blocks of its cases the first.

    Examples
    --------
    >>> alike = {"day": [19000] * 3, "source": [0, 0, 1], "drugs": [[4]] * 3, "events": [[1]] * 3}
    >>> without_repeats(pl.DataFrame(alike | {"block": [2, 1, 1], "n": [1, 1, 1]}))["n"].sum()
    2
    """
    same = ["day", "source", "drugs", "events"]
    present = (
        cases.lazy()
        .group_by(*same, "block")
        .agg(pl.col("n").cast(pl.Int64).sum())
        .filter(pl.col("n") > 0)
    )
    first = present.group_by(same).agg(pl.col("block").min())
    return first.select("day", "block", "drugs", "events", n=pl.lit(1, pl.Int64)).collect()


def _counted(rows: pl.LazyFrame, key: pl.Expr) -> pl.LazyFrame:
    counts = rows.group_by("place", key=key).agg(pl.col("n").cast(pl.Int64).sum())
    return counts.filter(pl.col("n") != 0).sort("place", "key")


def _split(counts: pl.DataFrame, places: pl.Series) -> list[tuple[Ints, Ints]]:
    edges = [*counts["place"].search_sorted(places, side="left").to_list(), counts.height]
    keys, n = _parts(counts["key"].to_numpy(), edges), _parts(counts["n"].to_numpy(), edges)
    return list(zip(keys, n, strict=True))


def _parts(values: Ints, edges: Sequence[int]) -> list[Ints]:
    return [values[first:end] for first, end in pairwise(edges)]


def _place(block: DayMargins) -> str:
    return f"day {block.day}" + (f", block {block.block}" if block.block else "")


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
