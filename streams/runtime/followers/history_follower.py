"""Follows `pv.deltas` into a history of the counted cases, for pages that ask what was known."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import polars as pl

from schemas.delta import Delta
from schemas.errors import StateError
from streams.core.cases.strata import AgeBands
from streams.core.counting.case_history import CaseHistory, KnownCases
from streams.core.detection.input_offsets import is_next
from streams.runtime.followers.topic_follower import following_topic
from streams.runtime.settings import Settings
from streams.runtime.wire.deltas import decode_delta

__all__ = ["FollowedHistory", "following"]


class FollowedHistory(CaseHistory):
    """A history that a thread adds to while others read it.

    Parameters
    ----------
    age_bands
        Age bands of the strata.
    """

    def __init__(self, age_bands: AgeBands) -> None:
        super().__init__(age_bands)
        self.problem = "the counts are not yet read to the end"
        self._lock = threading.Lock()

    def apply(self, delta: Delta) -> None:
        """Add the changes of a delta, while nobody reads."""
        with self._lock:
            super().apply(delta)

    def offsets_on(self, day: int) -> dict[int, int]:
        """Return the next offset of each partition at the close of a day."""
        with self._lock:
            return super().offsets_on(day)

    def known(self, offsets: Mapping[int, int]) -> KnownCases:
        """Return the cases as they were counted at a position."""
        with self._lock:
            return super().known(offsets)

    def daily_counts(self, drug: str, event: str, last_day: int) -> pl.DataFrame:
        """Return the 2x2 table of a pair at the close of each day, as it was known then."""
        with self._lock:
            return super().daily_counts(drug, event, last_day)


@contextmanager
def following(
    settings: Settings, history: FollowedHistory, counted: Callable[[Delta], None]
) -> Iterator[None]:
    """Follow the deltas in a background thread while the body runs.

    Deltas that were deleted before this server read them end it: a history with a gap would be
    wrong. The reason is logged and kept in `history.problem`.

    Parameters
    ----------
    counted
        Called with each delta, once, after the history has it.
    """
    offsets: dict[int, int] = {}
    read: set[str] = set()

    def take(source: str, offset: int, raw: bytes) -> None:
        if source not in read and offset > 0:
            msg = (
                f"the changes before offset {offset} must be there; they were deleted. Figures "
                "that are computed from cases need all of them: keep the topic without a limit"
            )
            raise StateError(msg)
        read.add(source)
        delta = decode_delta(raw)
        if is_next(delta, offsets, source):
            history.apply(delta)
            counted(delta)

    def note(problem: str | None) -> None:
        history.problem = problem

    with following_topic(settings, "deltas", take, note):
        yield
