"""The anytime-valid test: every pair evaluated daily, with a bounded false-alarm rate.

On each day, every pair is compared with that day's other reports only, given the day's margins. So
it is not confounded by calendar time: launches, growth and news move margins, not the split within
a day. If days are divided into blocks, such as age bands, it is compared with the other reports of
its block: then what the blocks have in common is no confounder either.

A pair's e-value is a product over blocks, the mean over five rate ratios r of::

    product over blocks of  r^n / (1 + (r - 1) more / N)^fewer

with n the block's cases of the pair, `fewer` and `more` the smaller and the larger of its cases of
the drug and of the event, and N all its cases. Its logarithm is ``n ln r`` less a cost of the
margins alone, so the state of a pair is five costs, and the past of a pair first reported today is
exact. A block without both drug and event contributes a factor of 1. docs/adr/0011 derives the
formula.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from detectors.anytime_valid_history import MarginHistory, growth_of
from detectors.anytime_valid_state import DayCounts, DayMargins, Floats, Ints, split_pairs
from detectors.e_values import e_bh_levels
from schemas.errors import InputError

__all__ = [
    "NEVER",
    "RATE_RATIOS",
    "SafeTest",
    "advance",
    "e_values",
    "log_terms",
    "recompute",
    "start",
]

NEVER = int(np.iinfo(np.int32).min)
"""Value of `SafeTest.crossed` for a pair that has not crossed; of `first_day` before its first."""

RATE_RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0)
"""Rate ratios of the alternative, each with a weight of one fifth."""

_RATIOS = np.array(RATE_RATIOS)
_LOG_RATIOS = np.log(_RATIOS)
_AT_ONCE = 1 << 16  # pairs worked on at a time: their temporaries stay in the processor's cache


@dataclass(frozen=True, slots=True, eq=False)
class SafeTest:
    """State of the test: per pair five costs, a count and a crossing day; and all margins.

    64 bytes a pair (five million: 320 MB), and 16 bytes for each drug and event of each block.
    """

    level: float  # chance that a null pair ever crosses
    pairs: Ints  # drug code << 32 | event code, sorted
    n_observed: Ints  # cases since the first day
    costs: Floats  # one row a rate ratio, one column a pair [nats]
    crossed: NDArray[np.int32]  # first day the e-value reached 1 / level, or NEVER
    first_day: NDArray[np.int32]  # that of the pair's first case
    history: MarginHistory  # a pair seen for the first time needs it
    recomputed: bool  # a past day was corrected: say so in the alert

    @property
    def n_hypotheses(self) -> int:
        """Return the number of possible pairs: drugs times events seen so far, which grows."""
        return len(self.history.drugs) * len(self.history.events)


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


def advance(test: SafeTest, *blocks: DayCounts) -> SafeTest:
    """Add the counts of one complete day.

    Parameters
    ----------
    test
        The state after earlier days; not changed.
    blocks
        All of the day's counts, in the order of the blocks. Days without a case may be left out:
        they change nothing.

    Returns
    -------
    SafeTest
        The state after the day, to the last bit what `recompute` gives for all days.

    Raises
    ------
    InputError
        If the blocks are not of one day, in order, or it does not follow the last one. For a
        correction to a past day, `recompute`.

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
    _require_order(blocks)
    margins = [block.margins for block in blocks]
    last = test.history.last_day
    if last is not None and margins[0].day <= last:
        msg = (
            f"safe test: days must follow one another, a correction needs recompute; "
            f"got day {margins[0].day} after {last}"
        )
        raise InputError(msg)
    if margins[0].day != margins[-1].day:
        msg = f"safe test: one day must be added at a time; got {margins[0].day} "
        raise InputError(msg + f"to {margins[-1].day}")
    of_day = np.unique(np.concatenate([block.pairs for block in blocks]))
    new = np.setdiff1d(of_day, test.pairs, assume_unique=True)
    places = np.searchsorted(test.pairs, new)
    advanced = SafeTest(
        level=test.level,
        pairs=np.insert(test.pairs, places, new),
        n_observed=np.insert(test.n_observed, places, 0),
        costs=np.insert(test.costs, places, test.history.costs(new, _RATIOS), axis=1),
        crossed=np.insert(test.crossed, places, NEVER),
        first_day=np.insert(test.first_day, places, NEVER),
        history=test.history.followed_by(margins),
        recomputed=test.recomputed,
    )
    _add_day(advanced, blocks)
    return advanced


def recompute(days: Iterable[DayCounts], level: float = 0.05) -> SafeTest:
    """Compute the test from all daily buckets, after a correction to a past day.

    The definition of the test: `advance` day by day gives the same arrays. Lost is the order in
    which counts became known: the error guarantee does not cover a correction made *because of*
    an alert.

    Parameters
    ----------
    days
        The current counts of all days and blocks, in order.
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
    blocks = list(days)
    _require_order(blocks)
    pairs = np.unique(np.concatenate([start(level).pairs, *(block.pairs for block in blocks)]))
    history = MarginHistory().followed_by([block.margins for block in blocks])
    test = _empty(level, pairs, history=history, recomputed=True)
    for _, of_day in groupby(blocks, key=lambda block: block.margins.day):
        _add_day(test, list(of_day))
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
    for part in _parts(len(test.pairs)):
        log_e[part] = _log_e(test.n_observed[part], test.costs[:, part])
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


def log_terms(test: SafeTest, pairs: Ints) -> Floats:
    """Return the logarithms of the terms of e-values, whose mean is the e-value.

    Parameters
    ----------
    pairs
        Keys of pairs.

    Returns
    -------
    numpy.ndarray
        ``n ln r - cost``, one row a rate ratio, one column a pair [nats]; NaN of an unknown pair.

    Examples
    --------
    >>> log_terms(start(), np.array([1])).shape
    (5, 1)
    """
    terms = np.full((len(RATE_RATIOS), len(pairs)), np.nan)
    if len(test.pairs):
        places = np.minimum(np.searchsorted(test.pairs, pairs), len(test.pairs) - 1)
        known = np.flatnonzero(test.pairs[places] == pairs)
        places = places[known]
        terms[:, known] = (
            np.multiply.outer(_LOG_RATIOS, test.n_observed[places]) - test.costs[:, places]
        )
    return terms


def _require_order(blocks: Sequence[DayCounts]) -> None:
    order = [(block.margins.day, block.margins.block) for block in blocks]
    for earlier, later in pairwise(order):
        if later <= earlier:
            msg = "safe test: counts must be in order of day and block; got day "
            msg += f"{later[0]}, block {later[1]} after day {earlier[0]}, block {earlier[1]}"
            raise InputError(msg)


def _empty(
    level: float, pairs: Ints, *, history: MarginHistory | None = None, recomputed: bool
) -> SafeTest:
    return SafeTest(
        level=level,
        pairs=pairs,
        n_observed=np.zeros(len(pairs), dtype=np.int64),
        costs=np.zeros((len(RATE_RATIOS), len(pairs))),
        crossed=np.full(len(pairs), NEVER, dtype=np.int32),
        first_day=np.full(len(pairs), NEVER, dtype=np.int32),
        history=history or MarginHistory(),
        recomputed=recomputed,
    )


def _add_day(test: SafeTest, blocks: Sequence[DayCounts]) -> None:
    """Add a day to arrays in place; no one else may reference them."""
    changed = []
    for block in blocks:
        _add_costs(test.costs, test.pairs, block.margins)
        places = np.searchsorted(test.pairs, block.pairs)
        test.n_observed[places] += block.n_observed
        changed.append(places)
    places = np.unique(np.concatenate(changed))
    test.first_day[places[test.first_day[places] == NEVER]] = blocks[0].margins.day
    waiting = places[test.crossed[places] == NEVER]
    log_e = _log_e(test.n_observed[waiting], test.costs[:, waiting])
    test.crossed[waiting[log_e >= -math.log(test.level)]] = blocks[0].margins.day


def _add_costs(costs: Floats, pairs: Ints, block: DayMargins) -> None:
    """Add to each pair the cost from a block's margins: fewer x ln(1 + (r - 1) more / N)."""
    if len(block.drugs) == 0:
        return
    n_event = np.zeros(max(int(split_pairs(pairs)[1].max(initial=0)), _top(block.events)) + 1, int)
    n_event[block.events] = block.n_event
    most = max(_top(block.n_drug), _top(block.n_event))
    growth = growth_of(np.arange(most + 1) / block.n_total, _RATIOS)
    first = np.searchsorted(pairs, block.drugs << 32)
    after = np.searchsorted(pairs, (block.drugs + 1) << 32)
    sizes = after - first
    # Pairs of drugs that are in the block; in parts, each some drugs.
    ends = np.cumsum(sizes)
    edges = np.unique(np.searchsorted(ends, np.arange(0, ends[-1] + _AT_ONCE, _AT_ONCE), "right"))
    for start_, end in pairwise([0, *edges.tolist(), len(sizes)]):
        some = slice(start_, end)
        which = np.repeat(np.arange(end - start_), sizes[some])
        before = np.cumsum(sizes[some]) - sizes[some]
        places = np.arange(len(which)) + (first[some] - before)[which]
        of_event = n_event[split_pairs(pairs[places])[1]]
        both = np.flatnonzero(of_event)
        places, of_event = places[both], of_event[both]
        of_drug = block.n_drug[some][which[both]]
        fewer, more = np.minimum(of_drug, of_event), np.maximum(of_drug, of_event)
        for row, rates in zip(costs, growth, strict=True):
            row[places] += fewer * rates[more]


def _top(values: Ints) -> int:
    return int(values.max(initial=0))


def _log_e(n_observed: Ints, costs: Floats) -> Floats:
    """Return the log of the mean, over the rate ratios, of ``r^n exp(-cost)``."""
    log_terms = np.multiply.outer(_LOG_RATIOS, n_observed) - costs
    largest: Floats = log_terms.max(axis=0, initial=-np.inf)
    mean: Floats = np.exp(log_terms - largest).mean(axis=0)
    return largest + np.log(mean)


def _parts(size: int) -> Iterable[slice]:
    return (slice(first, first + _AT_ONCE) for first in range(0, size, _AT_ONCE))
