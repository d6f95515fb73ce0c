"""Follows `pv.deltas` into a history of the counted cases, for pages that ask what was known."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager

import polars as pl

from schemas.delta import Delta
from schemas.errors import BrokerError, StateError
from streams.core.cases.strata import AgeBands
from streams.core.counting.case_history import CaseHistory, KnownCases
from streams.core.detection.input_offsets import is_next
from streams.runtime.broker.topic_tail import TopicTail
from streams.runtime.broker.topics import topic_name
from streams.runtime.settings import Settings
from streams.runtime.wire.deltas import decode_delta

__all__ = ["FollowedHistory", "following"]

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS = 5.0  # s before the topic is opened again after an error


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
    settings: Settings, history: FollowedHistory, learnt: Callable[[int], None]
) -> Iterator[None]:
    """Follow the deltas in a background thread while the body runs.

    A delta that cannot be read, or deltas that were deleted before this server read them, end it:
    a history with a gap would be wrong. The reason is logged and kept in `history.problem`.

    Parameters
    ----------
    learnt
        Called with the latest day of receipt so far [days since 1970-01-01].
    """
    stop = threading.Event()

    def run() -> None:
        place: dict[str, int] = {}
        counted: dict[int, int] = {}
        while not stop.is_set():
            try:
                with closing(TopicTail(settings, "deltas", lambda key: place.get(key, 0))) as tail:
                    _follow(tail, history, place, counted, learnt, stop)
            except BrokerError as error:
                _note(history, str(error))
                stop.wait(_RETRY_SECONDS)
            except StateError as error:
                _note(history, f"{topic_name(settings, 'deltas')}: {error}")
                return

    thread = threading.Thread(target=run, name="tocsin-history", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _follow(
    tail: TopicTail,
    history: FollowedHistory,
    place: dict[str, int],
    counted: dict[int, int],
    learnt: Callable[[int], None],
    stop: threading.Event,
) -> None:
    while not stop.is_set():
        for source, offset, raw in tail.poll():
            if source not in place and offset > 0:
                msg = (
                    f"the changes before offset {offset} must be there; they were deleted. Figures "
                    "that are computed from cases need all of them: keep the topic without a limit"
                )
                raise StateError(msg)
            delta = decode_delta(raw)
            if is_next(delta, counted, source):
                history.apply(delta)
                learnt(delta.watermark)
            place[source] = offset + 1
        if history.problem is not None and tail.drained():
            history.problem = None


def _note(history: FollowedHistory, problem: str) -> None:
    if history.problem != problem:  # an error that persists is logged once
        _LOG.error("following the counts failed: %s", problem)
    history.problem = problem
