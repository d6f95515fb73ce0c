"""The latest revisions of a tier as a frame, kept up with the read model."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock

import polars as pl

from schemas.subscription import Tier
from streams.console.worklist.decided_signals import DECIDED, DecidedSignals
from streams.console.worklist.kin import EXPLAINED, KIN, explained_of, kin_of, stronger_first
from streams.console.worklist.signal_columns import (
    MENTIONS,
    SIGNALS,
    StoredCopy,
    mentions_of,
    signals_of,
)
from streams.delivery.api.service import Service

__all__ = ["LiveSignals", "SignalFrames"]

REFRESH_SECONDS = 1.0
"""Least time between two reads of the read model: a reader cannot follow more."""
_BATCH = 2_000  # copies parsed at a time, so that their JSON does not pile up


@dataclass(frozen=True, slots=True)
class SignalFrames:
    """The latest revisions at one position of the read model. Never changed, only replaced.

    Attributes
    ----------
    position
        Position of the last copy.
    frame
        `SIGNALS`, one row a signal.
    kin
        `KIN` among them.
    strength
        Rank of each by strength, for `streams.console.worklist.kin.folded`.
    decided
        `DECIDED`: those that somebody has decided on.
    version
        Grows with every change, of signals or decisions.
    """

    position: int = 0
    frame: pl.DataFrame = field(default_factory=SIGNALS.to_frame)
    kin: pl.DataFrame = field(default_factory=KIN.to_frame)
    strength: pl.DataFrame = field(default_factory=lambda: stronger_first(SIGNALS.to_frame()))
    decided: pl.DataFrame = field(default_factory=DECIDED.to_frame)
    version: int = 0


class LiveSignals:
    """Reads what is new in the read model, at most once a second, for all readers together.

    Any number of servers may do so on their own read models: nothing is shared but these.

    Parameters
    ----------
    service
        What the read model and the decisions are of.
    tier
        The tier whose copies are read.
    clock
        Monotonic clock [s].
    """

    def __init__(
        self, service: Service, tier: Tier, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._service, self._tier, self._clock = service, tier, clock
        self._decided = DecidedSignals(service) if tier is Tier.AUTHORITY else None
        self._lock = Lock()
        self._read_at: float | None = None
        self._mentions = MENTIONS.to_frame()
        self._explained = EXPLAINED.to_frame()
        self._now = SignalFrames()

    def now(self) -> SignalFrames:
        """Return the signals, at most a second old."""
        with self._lock:
            if self._read_at is None or self._clock() - self._read_at >= REFRESH_SECONDS:
                self._refresh()
                self._read_at = self._clock()
            return self._now

    def reread_decisions(self) -> None:
        """Read again at the next request, since the reader has just decided or signed."""
        with self._lock:
            self._read_at = None

    def _refresh(self) -> None:
        changed: list[str] = []
        position, parts = self._now.position, []
        with self._service.model() as model:
            batch: list[StoredCopy] = []
            for sequence, day, copy in model.latest_after(self._tier, position):
                batch.append(StoredCopy(sequence, day, copy))
                if len(batch) == _BATCH:
                    parts.append(_Part.of(batch))
                    batch = []
            parts.append(_Part.of(batch))
        parts = [part for part in parts if len(part.signals)]
        for part in parts:
            changed += part.signals["key"].to_list()
        if parts:
            self._replace(parts, changed)
        if self._decided is not None:
            decided = self._decided.frame(changed)
            if decided is not self._now.decided:
                version = self._now.version + 1
                self._now = replace(self._now, decided=decided, version=version)

    def _replace(self, parts: "list[_Part]", changed: list[str]) -> None:
        keys = pl.Series(changed, dtype=pl.String).implode()
        kept = self._now.frame.filter(~pl.col("key").is_in(keys))
        new = pl.concat([part.signals for part in parts])
        frame = pl.concat([kept, new]).rechunk()
        self._mentions = pl.concat(
            [
                self._mentions.filter(~pl.col("key").is_in(keys)),
                *(part.mentions for part in parts),
            ]
        ).rechunk()
        self._explained = pl.concat(
            [
                self._explained.filter(~pl.col("key").is_in(keys)),
                *(part.explained for part in parts),
            ]
        )
        stories = new["story"].unique().implode()
        touched = frame.filter(pl.col("story").is_in(stories))
        touched_keys = touched["key"].implode()
        of_them = pl.col("key").is_in(touched_keys)
        kin = kin_of(
            touched,
            self._mentions.filter(pl.col("story").is_in(stories)),
            self._explained.filter(of_them),
        )
        self._now = replace(
            self._now,
            position=int(new["sequence"][-1]),  # the read model yields them in order
            frame=frame,
            kin=pl.concat([self._now.kin.filter(~of_them), kin]),
            strength=stronger_first(frame),
            version=self._now.version + 1,
        )


@dataclass(frozen=True, slots=True)
class _Part:
    signals: pl.DataFrame
    mentions: pl.DataFrame
    explained: pl.DataFrame

    @classmethod
    def of(cls, batch: list[StoredCopy]) -> "_Part":
        return cls(signals_of(batch), mentions_of(batch), explained_of(batch))
