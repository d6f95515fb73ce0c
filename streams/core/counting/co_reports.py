"""Products named in the cases of a pair, and the cases of a window by these, from the case log."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors.bystanders import ProductGroups
from streams.core.counting.adjusted_margins import AdjustedMargins
from streams.core.counting.arrays import spread
from streams.core.counting.case_log import CaseLog
from streams.core.counting.count_changes import period_strata
from streams.core.counting.sorted_counts import (
    Counts,
    Keys,
    distinct,
    is_in,
    places_of,
    split_key,
    summed,
)

__all__ = ["co_reported", "product_groups"]

_NO_KEYS = np.empty(0, dtype=np.int64)


class _Cases(NamedTuple):
    """Cases that enter (+1) and leave (-1), or sums of them."""

    named: npt.NDArray[np.bool_]  # a row a case, a column a product
    stratum: Keys  # its place among the strata
    n: Counts
    n_event: Counts


def co_reported(
    log: CaseLog, pairs: Keys, first_day: int | None, last_day: int
) -> list[tuple[Keys, Counts]]:
    """Return the products named in the cases of each pair, with the number of these cases.

    Parameters
    ----------
    pairs
        Their keys, sorted, each once.
    first_day, last_day
        Days of receipt, both ends included; with None, those of the cumulative window: all.

    Returns
    -------
    list
        For each pair codes of drugs, ascending, and counts; the pair's own drug has all its cases.
    """
    keys, changes = [_NO_KEYS], [np.empty(0, dtype=np.int8)]
    for run in log.runs:
        found, rows = run.places(pairs)
        inside = _inside(run.days[rows], first_day, last_day)
        found, rows = found[inside], rows[inside]
        codes, first, after = run.flattened("drugs")
        which, places = spread(first[rows], after[rows])
        keys.append(places_of(pairs, found)[1][which] << 32 | codes[places])
        changes.append(run.rows["n"].to_numpy()[rows][which])
    named, n = summed(np.concatenate(keys), np.concatenate(changes))
    named, n = named[n > 0], n[n > 0]
    of_pair, drugs = split_key(named)
    bounds = np.searchsorted(of_pair, np.arange(len(pairs) + 1))
    return [
        (drugs[start:end], n[start:end])
        for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
    ]


def product_groups(
    log: CaseLog,
    margins: AdjustedMargins,
    products: Sequence[tuple[str, int]],
    event: int,
    days: tuple[int | None, int],
) -> ProductGroups:
    """Return the cases of a window by the products that they name, quarter, age band and sex.

    It costs as much as there are cases that name one of the products; the other cases are the
    rest of the margins.

    Parameters
    ----------
    margins
        Those of the window.
    products
        Names and codes, sorted by name.
    event
        Its code.
    days
        First and last day of the window, as for `co_reported`.
    """
    codes = np.array([code for _, code in products], dtype=np.int64)
    strata, totals, events = margins.of_event(event)
    parts = []
    for run in log.runs:
        which, rows = _mentions(run.index("drugs"), codes)
        inside = _inside(run.days[rows], *days)
        which, rows = which[inside], rows[inside]
        cases = distinct(rows)
        named = np.zeros((len(cases), len(codes)), dtype=np.bool_)
        named[np.searchsorted(cases, rows), which] = True
        in_stratum = period_strata(run.days[cases], run.rows["block"].to_numpy()[cases])
        counted, places = places_of(strata, in_stratum)  # the others entered and left
        cases = cases[counted]
        n = run.rows["n"].to_numpy()[cases].astype(np.int64)
        has_event = is_in(cases, _mentions(run.index("events"), np.array([event]))[1])
        parts.append(_Cases(named[counted], places, n, n * has_event))
    naming = [_sums(parts, len(strata), events=of_events) for of_events in (False, True)]
    nothing = np.zeros((len(strata), len(codes)), dtype=np.bool_)
    parts.append(_Cases(nothing, np.arange(len(strata)), totals - naming[0], events - naming[1]))
    named, places, n, n_event = (np.concatenate(column) for column in zip(*parts, strict=True))
    names = tuple(name for name, _ in products)
    return ProductGroups.of_cases(names, named, places, n, n_event)


def _mentions(index: Keys, names: Keys) -> tuple[Keys, Keys]:
    """Return every mention of names in an index of `LogRun.index`: place of the name, and row."""
    starts, ends = np.searchsorted(index, names << 32), np.searchsorted(index, (names + 1) << 32)
    which, places = spread(starts, ends)
    return which, split_key(index[places])[1]


def _sums(parts: Sequence[_Cases], size: int, *, events: bool) -> Counts:
    """Return the sums by stratum of the cases, or of those with the event."""
    sums = np.zeros(size, dtype=np.int64)
    for part in parts:
        np.add.at(sums, part.stratum, part.n_event if events else part.n)
    return sums


def _inside(
    days: npt.NDArray[np.int32], first_day: int | None, last_day: int
) -> npt.NDArray[np.bool_]:
    if first_day is None:
        return np.ones(len(days), dtype=np.bool_)
    inside: npt.NDArray[np.bool_] = (days >= first_day) & (days <= last_day)
    return inside
