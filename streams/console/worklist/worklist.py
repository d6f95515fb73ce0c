"""The worklist of a desk: what a reader asks for, as listings and windows of rows."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date
from threading import Lock
from typing import Any, Generic, TypeVar

import polars as pl

from schemas.subscription import Tier
from streams.console.desk import Desk
from streams.console.readers import Readers
from streams.console.rows.row_facts import Kin, RowFacts, Standing, row_facts
from streams.console.worklist.baseline import Baseline, baseline_of
from streams.console.worklist.listing import Listing, listing_of, prepared, tab_counts
from streams.console.worklist.live_signals import LiveSignals, SignalFrames
from streams.console.worklist.view import Tab, View
from streams.core.wording.catalogue import Language
from streams.delivery.api.read_model import ReadModel

__all__ = ["WINDOW_ROWS", "AskedListing", "Worklist"]

WINDOW_ROWS = 100
"""Rows that one answer has."""
_MOST_PREPARED = 4  # frames of readers: some 20 MB each with 50,000 signals
_MOST_LISTINGS = 24  # orders of rows: some 5 MB each
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class AskedListing:
    """What a reader asked for.

    Attributes
    ----------
    day
        Day of the page: the last closed day of a replay, else today.
    rows
        All signals, as `prepared`.
    counts
        Rows of each tab.
    """

    view: View
    tier: Tier
    day: date
    signals: SignalFrames
    baseline: Baseline
    rows: pl.DataFrame
    listing: Listing
    counts: dict[Tab, int]


class Worklist:
    """Answers the routes of the worklist.

    Parameters
    ----------
    desk
        What the pages are made from.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._live: dict[Tier, LiveSignals] = {}
        self._lock = Lock()
        self._rows: _Kept[_Prepared] = _Kept(_MOST_PREPARED)
        self._listings: _Kept[Listing] = _Kept(_MOST_LISTINGS)

    def day(self) -> date:
        """Return the day of the page."""
        intake = self._desk.intake
        if intake.replayed and intake.closed is not None:
            return intake.closed
        return self._desk.service.now().date()

    def signals(self, tier: Tier) -> SignalFrames:
        """Return the latest revisions that a tier may see, at most a second old."""
        with self._lock:
            live = self._live.setdefault(tier, LiveSignals(self._desk.service, tier))
        return live.now()

    def readers(self) -> Readers:
        """Open the file of sign-offs and saved views."""
        return Readers(self._desk.readers_path)

    def baseline(self, view: View, reader: str, tier: Tier) -> Baseline:
        """Return what a reader knows."""
        with self.readers() as readers:
            return baseline_of(readers, reader, tier, closed=self.day(), since=view.since)

    def ask(
        self, view: View, reader: str, tier: Tier, *, position: int | None = None
    ) -> AskedListing:
        """Return the listing of a view.

        Parameters
        ----------
        reader
            Name of the reader; empty for one who has not stated one.
        position
            Position of the signals that the reader's page shows: its order is kept if this server
            still has it, so that no row is skipped while others change their places.
        """
        day, signals = self.day(), self.signals(tier)
        baseline = self.baseline(view, reader, tier)
        state = (tier, signals.version, baseline.version, day)
        rows = self._rows.get(state) or self._rows.put(state, _Prepared.of(signals, baseline, day))
        name = (reader, tier, view.filters())
        listing = None if position is None else self._listings.get((*name, position))
        if listing is None:
            listing = self._listings.get((*name, state))
        if listing is None:
            listing = listing_of(rows.frame, signals, view, day)
            self._listings.put((*name, state), listing)
            self._listings.put((*name, signals.position), listing)
        return AskedListing(view, tier, day, signals, baseline, rows.frame, listing, rows.counts)

    def rows(self, asked: AskedListing, first: int, n: int, language: Language) -> list[RowFacts]:
        """Return a window of the rows of a listing.

        Parameters
        ----------
        first
            Place of the first row, from 0.
        n
            Number of rows; fewer at the end.
        """
        window = asked.listing.rows.slice(max(first, 0), n)
        keys = window["key"].implode()
        standing = {
            row["key"]: row
            for row in asked.rows.filter(pl.col("key").is_in(keys))
            .select("key", "priority", "level", "due", "seen", "is_changed")
            .iter_rows(named=True)
        }
        with self._desk.service.model() as model:
            found = [
                self._row(model, asked, listed, standing[listed["key"]], language)
                for listed in window.iter_rows(named=True)
                if listed["key"] in standing
            ]
        return [row for row in found if row is not None]

    def row(self, asked: AskedListing, key: str, language: Language) -> RowFacts | None:
        """Return one row of a listing; None if it is not listed."""
        place = asked.listing.places.get(key)
        found = [] if place is None else self.rows(asked, place, 1, language)
        return found[0] if found else None

    def _row(
        self,
        model: ReadModel,
        asked: AskedListing,
        listed: dict[str, Any],
        standing: dict[str, Any],
        language: Language,
    ) -> RowFacts | None:
        key, due = listed["key"], standing["due"]
        copy = model.latest(asked.tier, key)
        if copy is None:
            return None
        before = asked.baseline.before(model, asked.tier, key, standing["seen"])
        kin = None
        if listed["leader"] is not None:
            leader = model.latest(asked.tier, listed["leader"])
            name = "" if leader is None else str(leader["drug"])
            kin = Kin(listed["n_shared"], listed["n_named"], name)
        return row_facts(
            copy,
            before,
            Standing(
                place=asked.listing.places[key],
                total=standing["priority"],
                level=standing["level"],
                due=due,
                is_overdue=due is not None and due < asked.day,
                is_changed=standing["is_changed"],
            ),
            kin=kin,
            day=asked.day,
            language=language,
        )


@dataclass(frozen=True, slots=True)
class _Prepared:
    frame: pl.DataFrame
    counts: dict[Tab, int]

    @classmethod
    def of(cls, signals: SignalFrames, baseline: Baseline, day: date) -> "_Prepared":
        frame = prepared(signals, baseline, day)
        return cls(frame, tab_counts(frame, day))


class _Kept(Generic[_Value]):
    """The last values asked for, by name."""

    def __init__(self, most: int) -> None:
        self._values: OrderedDict[Hashable, _Value] = OrderedDict()
        self._most = most
        self._lock = Lock()

    def get(self, name: Hashable) -> _Value | None:
        with self._lock:
            if name in self._values:
                self._values.move_to_end(name)
            return self._values.get(name)

    def put(self, name: Hashable, value: _Value) -> _Value:
        with self._lock:
            self._values[name] = value
            self._values.move_to_end(name)
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return value
