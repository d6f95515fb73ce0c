"""Explorer of one product or event: all of its pairs, also those that are no signal."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import polars as pl

from schemas.normal_form import normal_drug, normal_term
from schemas.subscription import Tier
from streams.console.desk import Desk
from streams.console.map.live_map import MapSignal
from streams.core.explanation.explanation import ExplainedRun
from streams.core.explanation.explorer import pairs_of_event, pairs_of_product
from streams.figures.drawing.intervals import IntervalEstimate
from streams.figures.marks.interval_cell import IntervalCellFacts, interval_cell

__all__ = ["Axis", "Explored", "ExploredPair", "explored", "found_names", "is_now"]

_MOST_NAMES = 50
_MOST_PAIRS, _LOWEST = 200, 20  # rows, and those of the other end among them


class Axis(StrEnum):
    """What is explored."""

    PRODUCTS = "products"
    EVENTS = "events"


@dataclass(frozen=True, slots=True)
class ExploredPair:
    """One pair.

    Attributes
    ----------
    name
        The other name of the pair: event of a product, product of an event.
    key
        Key of its signal; empty if it never was one.
    is_on
        Whether a rule is on.
    """

    name: str
    key: str
    is_on: bool
    n_observed: int
    expected: float | None
    expected_adjusted: float | None
    ic: float | None
    ic_lower: float | None
    ic_upper: float | None

    def cell(self, language: str) -> str:
        """Return the interval as a figure of the size of a cell."""
        estimate = IntervalEstimate(self.ic, self.ic_lower, self.ic_upper)
        return interval_cell(IntervalCellFacts(estimate, is_on=self.is_on), language=language)


@dataclass(frozen=True, slots=True)
class Explored:
    """A product or event.

    Attributes
    ----------
    label
        Its name as it is shown.
    pairs
        Those with the highest lower bounds first.
    n_pairs
        Number of all of them.
    is_whole
        Whether pairs that are no signal are among them.
    """

    label: str
    pairs: Sequence[ExploredPair]
    n_pairs: int
    is_whole: bool


def explored(
    desk: Desk, tier: Tier, axis: Axis, name: str, signals: Sequence[MapSignal], *, now: bool
) -> Explored | None:
    """Return the pairs of a product or event; None if nothing names it.

    The HTTP API gives no counts of pairs that are no signal: only authorities see them, on a
    server that has the counts, and for now alone.

    Parameters
    ----------
    signals
        The latest revision of each signal that the tier knows on the day.
    now
        Whether the day of the page is that of the counts.
    """
    known = {one.key: one for one in signals if _is_of(axis, one, name)}
    if tier is Tier.AUTHORITY and desk.explained is not None and now:
        return _of_counts(desk.explained(), axis, name, known)
    if not known:
        return None
    pairs = [_of_signal(axis, one) for one in known.values()]
    pairs.sort(key=lambda pair: (-(pair.ic_lower or 0.0), pair.name))
    first = next(iter(known.values()))
    label = first.drug if axis is Axis.PRODUCTS else first.event
    return Explored(label, pairs, len(pairs), is_whole=False)


def _is_of(axis: Axis, signal: MapSignal, name: str) -> bool:
    if axis is Axis.PRODUCTS:
        return normal_drug(signal.drug) == normal_drug(name)
    return normal_term(signal.event) == normal_term(name)


def _of_signal(axis: Axis, one: MapSignal) -> ExploredPair:
    return ExploredPair(
        name=one.event if axis is Axis.PRODUCTS else one.drug,
        key=one.key,
        is_on=one.is_on,
        n_observed=one.n_observed,
        expected=one.expected,
        expected_adjusted=one.expected_adjusted,
        ic=one.ic,
        ic_lower=one.ic_lower,
        ic_upper=one.ic_upper,
    )


def _of_counts(
    run: ExplainedRun, axis: Axis, name: str, known: Mapping[str, MapSignal]
) -> Explored | None:
    find: Callable[..., pl.DataFrame] = pairs_of_product
    this, other = "drug_label", "event_label"
    if axis is Axis.EVENTS:
        find, this, other = pairs_of_event, other, this
    table = find(run, name)
    if not table.height:
        return None
    # The last rows stand for the other end.
    shown = table
    if table.height > _MOST_PAIRS:
        shown = pl.concat([table.head(_MOST_PAIRS - _LOWEST), table.tail(_LOWEST)])
    pairs = []
    for row in shown.iter_rows(named=True):
        signal = known.get(row["signal_key"])
        pairs.append(
            ExploredPair(
                name=row[other],
                key="" if signal is None else signal.key,
                is_on=signal is not None and signal.is_on,
                n_observed=row["n_observed"],
                expected=row["expected"],
                expected_adjusted=row["expected_adjusted"],
                ic=row["ic"],
                ic_lower=row["ic_lower"],
                ic_upper=row["ic_upper"],
            )
        )
    return Explored(table[this][0], pairs, table.height, is_whole=True)


def found_names(signals: Iterable[MapSignal], text: str) -> list[tuple[Axis, str]]:
    """Return the products and events of signals whose names hold a text."""
    wanted = text.casefold()
    found = {
        (axis, name)
        for one in signals
        for axis, name in ((Axis.PRODUCTS, one.drug), (Axis.EVENTS, one.event))
        if wanted in name.casefold()
    }
    return sorted(found)[:_MOST_NAMES]


def is_now(day: date, desk: Desk) -> bool:
    """Return whether a day is not before the last one of the counts."""
    return desk.intake.closed is None or day >= desk.intake.closed
