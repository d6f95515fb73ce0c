"""Log of re-routed messages: at most one line a minute, since a sender may cause many a second."""

import logging
import time
from collections.abc import Callable, Sequence

from schemas.rejected import Rejected
from streams.runtime.embedded.case_stage import CountedBatch
from streams.runtime.observability.observer import Observer
from streams.runtime.wire.batches import Batch

__all__ = ["ReroutingLog"]

_LOG = logging.getLogger(__name__)
_INTERVAL = 60.0  # seconds between two lines


class ReroutingLog(Observer):
    """Logs the number of messages that were re-routed since the last line, and where one was.

    Parameters
    ----------
    clock
        A monotonic clock [s].
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = clock()
        self._number = 0

    def batch_counted(
        self, batch: Batch, counted: CountedBatch, rejected: Sequence[Rejected], seconds: float
    ) -> None:
        """Log the re-routed messages, if the last line is a minute old."""
        self._number += len(counted.rerouted)
        if not counted.rerouted or (now := self._clock()) < self._due:
            return
        example = counted.rerouted[0].origin
        _LOG.info(
            "re-routed %d messages to the partitions of their cases, such as %s",
            self._number,
            example,
            extra={"event": "rerouted", "number": self._number, "example": example},
        )
        self._number, self._due = 0, now + _INTERVAL
