"""Windows over event time: exact sums of daily buckets, updated with every change."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

import numpy as np
import polars as pl

from schemas.alert import Window, WindowKind
from schemas.errors import InputError
from streams.core.counting.adjusted_margins import AdjustedMargins
from streams.core.counting.case_log import CaseLog
from streams.core.counting.count_changes import CountChanges
from streams.core.counting.sorted_counts import Counts, Keys, SortedCounts, split_key

__all__ = ["Tally", "WindowSpec", "WindowedCounts"]

_EPOCH = date(1970, 1, 1)
_TRUNCATE = {WindowKind.MONTH: "1mo", WindowKind.QUARTER: "1q"}
_MONTHS = {WindowKind.MONTH: 1, WindowKind.QUARTER: 3}


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """Kind of window over event time: `cumulative`, `month`, `quarter`, or `sliding`."""

    kind: WindowKind
    days: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `cumulative`, `month`, `quarter`, or `sliding:N` (N days, the last one included).

        >>> WindowSpec.parse("sliding:365").days
        365

        Raises
        ------
        InputError
            If the text is none of these.
        """
        kind, _, days = text.partition(":")
        if kind == "sliding" and re.fullmatch(r"[1-9][0-9]{0,4}", days):
            return cls(WindowKind.SLIDING, int(days))
        if text in ("cumulative", "month", "quarter"):
            return cls(WindowKind(text))
        msg = f"window: cumulative, month, quarter or sliding:DAYS must be given; got {text!r}"
        raise InputError(msg)

    @property
    def text(self) -> str:
        """Return the specification as `parse` reads it.

        >>> WindowSpec.parse("sliding:365").text
        'sliding:365'
        """
        return self.kind.value if self.days is None else f"{self.kind.value}:{self.days}"

    def window(self, label: str, today: date) -> Window:
        """Describe the instance of this window that a label names, as of a day."""
        if self.kind is WindowKind.CUMULATIVE:
            return Window(kind=self.kind, label=label, first_day=None, last_day=today)
        if self.days is not None:
            first = today - timedelta(days=self.days - 1)
            return Window(kind=self.kind, label=label, first_day=first, last_day=today)
        first = self._start(label)
        month = first.month - 1 + _MONTHS[self.kind]
        end = date(first.year + month // 12, month % 12 + 1, 1)
        return Window(
            kind=self.kind, label=label, first_day=first, last_day=end - timedelta(days=1)
        )

    def label(self, start: date) -> str:
        """Name the instance that starts on a day."""
        if self.kind is WindowKind.MONTH:
            return f"{start.year}-{start.month:02}"
        if self.kind is WindowKind.QUARTER:
            return f"{start.year}-Q{(start.month + 2) // 3}"
        return "cumulative" if self.days is None else f"sliding-{self.days}d"

    def _start(self, label: str) -> date:
        year, _, part = label.partition("-")
        month = int(part) if self.kind is WindowKind.MONTH else 3 * int(part[1:]) - 2
        return date(int(year), month, 1)


class Tally:
    """Counts of one window instance: pairs, and margins by stratum.

    `drugs`, `events` and `totals` are by age group, sex and region; `adjusted` is by calendar
    quarter, age band and sex.
    """

    def __init__(self) -> None:
        self.pairs = SortedCounts()
        self.drugs = SortedCounts()
        self.events = SortedCounts()
        self.totals = SortedCounts()
        self.adjusted = AdjustedMargins()

    def fold(self, changes: CountChanges) -> None:
        """Add changes to the counts."""
        for counts, (keys, rows) in (
            (self.pairs, changes.pairs),
            (self.drugs, changes.drugs),
            (self.events, changes.events),
            (self.totals, changes.totals),
        ):
            counts.fold(keys, changes.n[rows])
        self.adjusted.fold(changes)

    def table(self, pairs: Keys, n_observed: Counts | None = None) -> pl.DataFrame:
        """Return `key` and the four counts of every pair asked for, in that order.

        Parameters
        ----------
        pairs
            Their keys.
        n_observed
            Their counts, if they were looked up before.
        """
        drugs, events = split_key(pairs)
        return pl.DataFrame(
            {
                "key": pairs,
                "n_observed": self.pairs.get(pairs) if n_observed is None else n_observed,
                "n_drug": self.drugs.sums(drugs),
                "n_event": self.events.sums(events),
                "n_total": np.full(len(pairs), self.totals.counts.sum(), dtype=np.int64),
            }
        )

    def expected_adjusted(self, pairs: Keys) -> pl.Series:
        """Return the expected cases within strata of every pair asked for, in that order [cases].

        Parameters
        ----------
        pairs
            Their keys, sorted, each once.
        """
        return pl.Series("expected_adjusted", self.adjusted.expected(pairs))


class WindowedCounts:
    """Instances of one kind of window, by label."""

    def __init__(self, spec: WindowSpec) -> None:
        self.spec = spec
        self.tallies: dict[str, Tally] = {}
        self._last_day: int | None = None  # of a sliding window; None before the first evaluation
        if spec.kind in (WindowKind.CUMULATIVE, WindowKind.SLIDING):
            self.tallies[spec.label(_EPOCH)] = Tally()

    def fold(self, changes: CountChanges) -> set[str]:
        """Add changes to their instances and return the labels of those instances.

        A sliding window counts the days it already covers; `advance` adds the later ones. Its label
        is returned whatever the days: a published alert may name a case that has left it.
        """
        if self.spec.days is not None:
            (label,) = self.tallies
            if self._last_day is None:
                return {label}
            first = self._last_day - self.spec.days + 1
            self.tallies[label].fold(changes.between(first, self._last_day))
            return {label}
        if self.spec.kind is WindowKind.CUMULATIVE:
            (label,) = self.tallies
            self.tallies[label].fold(changes)
            return {label}
        days = pl.Series(changes.days[changes.totals.rows]).cast(pl.Date)
        labels = set()
        for start in days.dt.truncate(_TRUNCATE[self.spec.kind]).unique().to_list():
            label = self.spec.label(start)
            window = self.spec.window(label, start)
            within = changes.between((start - _EPOCH).days, (window.last_day - _EPOCH).days)
            self.tallies.setdefault(label, Tally()).fold(within)
            labels.add(label)
        return labels

    def advance(self, today: int, log: CaseLog) -> None:
        """Move a sliding window so that it ends today; a window never moves back."""
        if self.spec.days is None or (self._last_day is not None and today <= self._last_day):
            return
        (tally,) = self.tallies.values()
        start = today - self.spec.days + 1
        if self._last_day is None:
            entering = log.between(start, today)
        else:
            old_start = self._last_day - self.spec.days + 1
            leaving = log.between(old_start, min(start - 1, self._last_day))
            tally.fold(CountChanges.of(leaving.with_columns(-pl.col("n"))))
            entering = log.between(max(start, self._last_day + 1), today)
        tally.fold(CountChanges.of(entering))
        self._last_day = today
