"""The anytime-valid test: daily repeated looks at every pair with a bounded false-alarm rate.

On each day, every pair is compared with that day's other reports only, given the day's margins. So
it is not confounded by calendar time: launches, growth and news move margins, not the split within
a day.

A pair's e-value is a product over days, the mean over five rate ratios r of::

    product over days of  r^n / (1 + (r - 1) more / N)^fewer

with n the day's cases of the pair, `fewer` and `more` the smaller and the larger of the day's cases
of the drug and of the event, and N all cases of the day. Its logarithm is ``n ln r`` less a cost
of the margins alone, so the state of a pair is five costs, and the past of a pair first reported
today is exact. docs/adr/0011 derives the formula.
"""

import math
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import polars as pl

from detectors.anytime_valid_state import (
    NEVER,
    DayCounts,
    DayMargins,
    Floats,
    Ints,
    SafeTest,
    split_pairs,
)
from detectors.e_values import e_bh_levels
from schemas.errors import InputError

__all__ = ["RATE_RATIOS", "advance", "e_values", "recompute", "start"]

RATE_RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0)
"""Rate ratios of the alternative, each with a weight of one fifth."""

_RATIOS = np.array(RATE_RATIOS)
_LOG_RATIOS = np.log(_RATIOS)
_BLOCK = 1 << 16  # pairs worked on at a time: their temporaries stay in the processor's cache


def start(level: float = 0.05) -> SafeTest:
    """Begin the test, before the first day.

    Parameters
    ----------
    level
        Chance that a pair without an association ever crosses, in (0, 1).

    Returns
    -------
    SafeTest
        The state without days or pairs; pairs enter with their first case.

    Raises
    ------
    InputError
        If `level` is not in (0, 1).

    Examples
    --------
    >>> start().n_hypotheses
    0
    """
    if not 0 < level < 1:
        msg = f"safe test: level must lie in (0, 1); got {level!r}"
        raise InputError(msg)
    return _empty(level, np.empty(0, dtype=np.int64), recomputed=False)


def advance(test: SafeTest, day: DayCounts) -> SafeTest:
    """Add the counts of one complete day.

    Parameters
    ----------
    test
        The state after earlier days; not changed.
    day
        All of the day's counts. Days without a case may be left out: they change nothing.

    Returns
    -------
    SafeTest
        The state after the day, to the last bit what `recompute` gives for all days.

    Raises
    ------
    InputError
        If the day does not follow the last one. For a correction to a past day, `recompute`.

    Notes
    -----
    A day without a case of a pair cannot raise its e-value, so only pairs of the day can cross.

    Examples
    --------
    >>> from detectors.anytime_valid_state import daily_counts
    >>> row = {"day": [19000], "drugs": [[4]], "events": [[1]], "n": [1]}
    >>> (day,) = daily_counts(pl.DataFrame(row))
    >>> advance(start(), day).n_observed.tolist()
    [1]
    """
    if test.days and day.margins.day <= test.days[-1].day:
        msg = (
            f"safe test: days must follow one another, a correction needs recompute; "
            f"got day {day.margins.day} after {test.days[-1].day}"
        )
        raise InputError(msg)
    new = np.setdiff1d(day.pairs, test.pairs, assume_unique=True)
    past = np.zeros((len(RATE_RATIOS), len(new)))
    for earlier in test.days:
        _add_costs(past, new, earlier)
    places = np.searchsorted(test.pairs, new)
    advanced = SafeTest(
        level=test.level,
        pairs=np.insert(test.pairs, places, new),
        n_observed=np.insert(test.n_observed, places, 0),
        costs=np.insert(test.costs, places, past, axis=1),
        crossed=np.insert(test.crossed, places, NEVER),
        days=(*test.days, day.margins),
        recomputed=test.recomputed,
    )
    _add_day(advanced, day)
    return advanced


def recompute(days: Iterable[DayCounts], level: float = 0.05) -> SafeTest:
    """Compute the test from all daily buckets, after a correction to a past day.

    The definition of the test: `advance` day by day gives the same arrays. Lost is the order in
    which counts became known: the error guarantee does not cover a correction made *because of*
    an alert.

    Parameters
    ----------
    days
        The current daily buckets, in order.
    level
        Chance that a pair without an association ever crosses, in (0, 1).

    Returns
    -------
    SafeTest
        The state after the last day, marked as recomputed.

    Raises
    ------
    InputError
        If `level` is not in (0, 1), or the days are not in order.

    Examples
    --------
    >>> recompute([]).recomputed
    True
    """
    buckets = list(days)
    order = [bucket.margins.day for bucket in buckets]
    for earlier, later in pairwise(order):
        if later <= earlier:
            msg = f"safe test: daily buckets must be in order; got day {later} after {earlier}"
            raise InputError(msg)
    pairs = np.unique(np.concatenate([start(level).pairs, *(day.pairs for day in buckets)]))
    margins = tuple(bucket.margins for bucket in buckets)
    test = _empty(level, pairs, days=margins, recomputed=True)
    for bucket in buckets:
        _add_day(test, bucket)
    return test


def e_values(test: SafeTest) -> pl.DataFrame:
    """Return every pair's current e-value, its level under e-BH, and the day it crossed.

    Use `crossed_on` for one pair watched over time, and `e_bh_level` for all pairs on one day that
    was fixed beforehand. The false discovery rate of the pairs flagged on any of several days has
    no bound, nor is one proven at a day chosen by the data while the number of possible pairs grows
    (`detectors.e_values.e_bh_levels`).

    Returns
    -------
    polars.DataFrame
        `drug` and `event` [codes], `n_observed` [cases], `log_e_value` [nats], `e_value` (inf
        beyond 1.8e308), `e_bh_level` [smallest false discovery rate at which e-BH flags the pair
        among all pairs that could have been reported], `crossed_on` [first day that the e-value
        reached 1 / level; null if never]. In order of drug and event.

    Notes
    -----
    The e-value may fall again after it crossed; it is never clipped and never restarted, for it
    would not be an e-value then.

    Examples
    --------
    Three days with ten cases each; on each, the only case of the event is the only one of the drug.
    For r = 10 each day gives 10 / (1 + 9/10):

    >>> from detectors.anytime_valid_state import daily_counts
    >>> days = [19000, 19001, 19002]
    >>> pair = pl.DataFrame({"day": days, "drugs": [[4]] * 3, "events": [[1]] * 3, "n": [1] * 3})
    >>> other = pl.DataFrame({"day": days, "drugs": [[5]] * 3, "events": [[2]] * 3, "n": [9] * 3})
    >>> table = e_values(recompute(daily_counts(pl.concat([pair, other]))))
    >>> table["e_value"][0], table["crossed_on"][0]
    (43.1798, datetime.date(2022, 1, 10))
    """
    log_e = np.empty(len(test.pairs))
    for block in _blocks(len(test.pairs)):
        log_e[block] = _log_e(test.n_observed[block], test.costs[:, block])
    with np.errstate(over="ignore"):
        e = np.exp(log_e)
    drugs, events = split_pairs(test.pairs)
    crossed = pl.Series(test.crossed)
    return pl.DataFrame(
        {
            "drug": drugs.astype(np.uint32),
            "event": events.astype(np.uint32),
            "n_observed": test.n_observed,
            "log_e_value": log_e,
            "e_value": e,
            "e_bh_level": e_bh_levels(e, n_hypotheses=test.n_hypotheses),
            "crossed_on": crossed.set(crossed == NEVER, None).cast(pl.Date),
        }
    )


def _empty(
    level: float, pairs: Ints, *, days: tuple[DayMargins, ...] = (), recomputed: bool
) -> SafeTest:
    return SafeTest(
        level=level,
        pairs=pairs,
        n_observed=np.zeros(len(pairs), dtype=np.int64),
        costs=np.zeros((len(RATE_RATIOS), len(pairs))),
        crossed=np.full(len(pairs), NEVER, dtype=np.int32),
        days=days,
        recomputed=recomputed,
    )


def _add_day(test: SafeTest, day: DayCounts) -> None:
    """Add a day to arrays in place; no one else may reference them."""
    _add_costs(test.costs, test.pairs, day.margins)
    places = np.searchsorted(test.pairs, day.pairs)
    test.n_observed[places] += day.n_observed
    waiting = places[test.crossed[places] == NEVER]
    log_e = _log_e(test.n_observed[waiting], test.costs[:, waiting])
    test.crossed[waiting[log_e >= -math.log(test.level)]] = day.margins.day


def _add_costs(costs: Floats, pairs: Ints, day: DayMargins) -> None:
    """Add to each pair the cost from the day's margins: fewer x ln(1 + (r - 1) more / N)."""
    largest_drug, largest_event = (int(codes.max(initial=0)) for codes in split_pairs(pairs))
    n_drug = _by_code(day.drugs, day.n_drug, largest_drug)
    n_event = _by_code(day.events, day.n_event, largest_event)
    share = np.arange(max(n_drug.max(), n_event.max()) + 1) / day.n_total
    growth = np.log1p(np.multiply.outer(_RATIOS - 1, share))
    for block in _blocks(len(pairs)):
        drugs, events = split_pairs(pairs[block])
        of_drug, of_event = n_drug[drugs], n_event[events]
        fewer = np.minimum(of_drug, of_event).astype(np.float64)
        more = np.maximum(of_drug, of_event)
        for row, rates in zip(costs, growth, strict=True):
            row[block] += fewer * rates[more]


def _by_code(codes: Ints, counts: Ints, largest: int) -> Ints:
    by_code = np.zeros(max(largest, int(codes.max(initial=0))) + 1, dtype=np.int64)
    by_code[codes] = counts
    return by_code


def _log_e(n_observed: Ints, costs: Floats) -> Floats:
    """Return the log of the mean, over the rate ratios, of ``r^n exp(-cost)``."""
    log_terms = np.multiply.outer(_LOG_RATIOS, n_observed) - costs
    largest: Floats = log_terms.max(axis=0, initial=-np.inf)
    mean: Floats = np.exp(log_terms - largest).mean(axis=0)
    return largest + np.log(mean)


def _blocks(size: int) -> Iterable[slice]:
    return (slice(first, first + _BLOCK) for first in range(0, size, _BLOCK))
