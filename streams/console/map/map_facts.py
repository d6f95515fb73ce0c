"""What the map is made from: marks, cells, days and combinations of rules of the signals on."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from streams.console.map.live_map import MapSignal
from streams.figures.calendar_days import CalendarFacts, DayCount
from streams.figures.volcano import SignalMark, VolcanoFacts

__all__ = ["Agreement", "HeatTable", "agreement", "calendar", "changed_marks", "heat", "marks"]

_MOST_EVENTS, _MOST_DRUGS, _MOST_CHANGED, _MOST_COMBINATIONS = 16, 13, 12, 8


def marks(
    signals: Iterable[MapSignal],
    new_after: date,
    *,
    ratios: tuple[float, float] | None,
    powers: tuple[float, float] | None,
) -> VolcanoFacts:
    """Return the facts of the volcano of the signals that are on."""
    return VolcanoFacts(
        [
            SignalMark(
                key=one.key,
                label=f"{one.drug} \N{MULTIPLICATION SIGN} {one.event}",
                log2_ratio=one.log2_ratio,
                log_e_value=one.log_e_value,
                n_observed=one.n_observed,
                n_serious=one.n_serious,
                n_fatal=one.n_fatal,
                is_new=one.day > new_after,
            )
            for one in signals
        ],
        ratios,
        powers,
    )


def changed_marks(signals: Iterable[MapSignal], new_after: date) -> list[MapSignal]:
    """Return the signals that changed, those with most evidence first."""
    changed = [one for one in signals if one.day > new_after]
    changed.sort(key=lambda one: (-(one.log_e_value or 0), -(one.ic_lower or 0), one.key))
    return changed[:_MOST_CHANGED]


@dataclass(frozen=True, slots=True)
class HeatTable:
    """Signals of mostly serious cases by event and product.

    Attributes
    ----------
    cells
        By event and product; a place without a signal is missing.
    """

    events: Sequence[str]
    drugs: Sequence[str]
    cells: Mapping[tuple[str, str], MapSignal]


def heat(signals: Iterable[MapSignal]) -> HeatTable:
    """Return the events with the highest summed lower limits, and the products with most of them.

    At least half of the cases of a signal are serious.
    """
    serious = [one for one in signals if 2 * one.n_serious >= one.n_observed]
    sums = defaultdict[str, float](float)
    for one in serious:
        sums[one.event] += max(one.ic_lower or 0.0, 0.0)
    events = sorted(sums, key=lambda event: (-sums[event], event))[:_MOST_EVENTS]
    shown = [one for one in serious if one.event in set(events)]
    numbers = Counter(one.drug for one in shown)
    drugs = sorted(numbers, key=lambda drug: (-numbers[drug], drug))[:_MOST_DRUGS]
    return HeatTable(events, drugs, {(one.event, one.drug): one for one in shown})


def calendar(revisions: Iterable[MapSignal], day: date, new_after: date) -> CalendarFacts:
    """Return the revisions a day of the year of a day, up to it."""
    first = date(day.year, 1, 1)
    counts = Counter(one.day for one in revisions if first <= one.day <= day)
    return CalendarFacts(
        first, day, [DayCount(one, n) for one, n in sorted(counts.items())], new_after
    )


@dataclass(frozen=True, slots=True)
class Agreement:
    """Combinations of rules that are on, and the number of signals of each.

    Attributes
    ----------
    rules
        Names of all rules, in order.
    rows
        Rules of a combination, and its signals; the most frequent ones.
    n_further, n_in_further
        Number of other combinations, and of their signals.
    """

    rules: Sequence[str]
    rows: Sequence[tuple[frozenset[str], int]]
    n_further: int
    n_in_further: int


def agreement(signals: Sequence[MapSignal]) -> Agreement:
    """Return where the rules agree on the signals that are on."""
    rules = tuple(dict.fromkeys(rule for one in signals for rule in one.asked))
    counts = Counter(frozenset(one.rules) for one in signals)
    rows = sorted(counts.items(), key=lambda row: (-row[1], sorted(row[0])))
    rest = rows[_MOST_COMBINATIONS:]
    return Agreement(rules, rows[:_MOST_COMBINATIONS], len(rest), sum(n for _, n in rest))
