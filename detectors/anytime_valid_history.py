"""Margins of all past blocks of the anytime-valid test, searchable by drug and by event.

A pair that is first reported today has a past: each block in which its drug and its event were
both reported, though never together, is evidence against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from detectors.anytime_valid_state import DayMargins, Floats, Ints, split_pairs

__all__ = ["MarginHistory", "growth_of"]

_SHIFT = 32
_MASK = (1 << _SHIFT) - 1
_BLOCK_BITS = 16
_SEALED = 1024  # blocks that are indexed once, together
_NO_CODES = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class _Index:
    """Margins of successive blocks, sorted by code, then block."""

    blocks: Ints  # day << 16 | block, sorted
    n_total: Ints  # by block
    drugs: Ints  # code << 32 | place of the block
    n_drug: Ints
    events: Ints
    n_event: Ints

    @classmethod
    def of(cls, blocks: Sequence[DayMargins]) -> "_Index":
        return cls(
            np.array([block.day << _BLOCK_BITS | block.block for block in blocks], dtype=np.int64),
            np.array([block.n_total for block in blocks], dtype=np.int64),
            *_sorted([block.drugs for block in blocks], [block.n_drug for block in blocks]),
            *_sorted([block.events for block in blocks], [block.n_event for block in blocks]),
        )

    def shared(self, pairs: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """Return the blocks with both drug and event of a pair, in order.

        They are, one element a block and pair: the place of the pair, the fewer and the more of
        the block's cases of the drug and of the event, and all its cases.
        """
        drugs, events = split_pairs(pairs)
        # Of an event there are fewer blocks than of a drug, mostly.
        first = np.searchsorted(self.events, events << _SHIFT)
        after = np.searchsorted(self.events, (events + 1) << _SHIFT)
        which = np.repeat(np.arange(len(pairs)), after - first)
        places = np.arange(len(which)) + np.repeat(first - _before(after - first), after - first)
        block = self.events[places] & _MASK
        wanted = drugs[which] << _SHIFT | block
        found = np.searchsorted(self.drugs, wanted)
        found[found == len(self.drugs)] = 0
        both = np.flatnonzero(self.drugs[found] == wanted) if len(self.drugs) else _NO_CODES
        n_drug, n_event = self.n_drug[found[both]], self.n_event[places[both]]
        fewer, more = np.minimum(n_drug, n_event), np.maximum(n_drug, n_event)
        return which[both], fewer, more, self.n_total[block[both]]

    def add_margins(self, margins: Ints, drugs: Ints, events: Ints, blocks: Ints) -> None:
        """Add the three margins of drugs and events in some of these blocks, one column each."""
        if len(self.blocks) == 0:
            return
        places = np.minimum(np.searchsorted(self.blocks, blocks), len(self.blocks) - 1)
        known = self.blocks[places] == blocks
        margins[2, known] += self.n_total[places[known]]
        for row, (keys, n, codes) in enumerate(
            ((self.drugs, self.n_drug, drugs), (self.events, self.n_event, events))
        ):
            wanted = codes << _SHIFT | places
            found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            named = known & (keys[found] == wanted) if len(keys) else np.zeros_like(known)
            margins[row, named] += n[found[named]]


@dataclass(frozen=True, slots=True, eq=False)
class MarginHistory:
    """Margins of all blocks so far; 16 bytes for each drug and event of each block.

    Attributes
    ----------
    sealed
        Indexes of the earlier blocks.
    recent
        The blocks after them.
    drugs, events
        Codes seen so far, sorted, each once.
    first_day, last_day
        Days of the first and the last block [days since 1970-01-01]; None before the first.
    """

    sealed: tuple[_Index, ...] = ()
    recent: tuple[DayMargins, ...] = ()
    drugs: Ints = field(default_factory=lambda: _NO_CODES)
    events: Ints = field(default_factory=lambda: _NO_CODES)
    first_day: int | None = None
    last_day: int | None = None

    def followed_by(self, blocks: Sequence[DayMargins]) -> "MarginHistory":
        """Return the history with the blocks of later days."""
        if not blocks:
            return self
        recent, sealed = (*self.recent, *blocks), self.sealed
        if len(recent) >= _SEALED:
            sealed, recent = (*sealed, _Index.of(recent)), ()
        return replace(
            self,
            sealed=sealed,
            recent=recent,
            drugs=np.unique(np.concatenate([self.drugs, *(block.drugs for block in blocks)])),
            events=np.unique(np.concatenate([self.events, *(block.events for block in blocks)])),
            first_day=blocks[0].day if self.first_day is None else self.first_day,
            last_day=blocks[-1].day,
        )

    def margins(self, pairs: Ints, days: Ints, blocks: Ints) -> Ints:
        """Return the cases of drug, of event, and in all, of a block of a day for each pair.

        Three rows, one column a pair; 0 where the block has none. A pair may come several times.
        """
        margins = np.zeros((3, len(pairs)), dtype=np.int64)
        for index in self._indexes():
            index.add_margins(margins, *split_pairs(pairs), days << _BLOCK_BITS | blocks)
        return margins

    def _indexes(self) -> list[_Index]:
        return [*self.sealed, *([_Index.of(self.recent)] if self.recent else [])]

    def costs(self, pairs: Ints, ratios: Floats) -> Floats:
        """Return the cost of every pair over all blocks, one row a rate ratio [nats].

        To the last bit the sum of the costs block by block: `numpy.bincount` adds in order.
        """
        found = [index.shared(pairs) for index in self._indexes()]
        if not found:
            return np.zeros((len(ratios), len(pairs)))
        which, fewer, more, total = (np.concatenate(parts) for parts in zip(*found, strict=True))
        costs = fewer * growth_of(more / total, ratios)
        return np.array([np.bincount(which, weights=row, minlength=len(pairs)) for row in costs])


def growth_of(share: npt.NDArray[np.floating], ratios: Floats) -> Floats:
    """Return ``ln(1 + (r - 1) share)``, one row a rate ratio [nats]."""
    growth: Floats = np.log1p(np.multiply.outer(ratios - 1, share))
    return growth


def _sorted(codes: Sequence[Ints], counts: Sequence[Ints]) -> tuple[Ints, Ints]:
    places = np.repeat(np.arange(len(codes)), [len(part) for part in codes])
    keys = np.concatenate([_NO_CODES, *codes]) << _SHIFT | places
    order = np.argsort(keys)
    return keys[order], np.concatenate([_NO_CODES, *counts])[order]


def _before(sizes: Ints) -> Ints:
    """Return how many elements come before each range of these sizes."""
    before: Ints = np.cumsum(sizes) - sizes
    return before
