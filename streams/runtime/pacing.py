"""When the detector looks at its counts: at once while the stream keeps up, less often behind it.

A look costs a good deal before it scores the first pair, and on a backlog it gives alerts that are
revised a moment later. But an alert that waits for its look is late. So looks take at most half of
the time, whatever they cost; and when reports come by the thousand, which is what a backlog is
read in, at most one a second.
"""

import time
from collections.abc import Callable

__all__ = ["LookPacing"]

BACKLOG = 5_000  # reports waiting for a look; steady streams bring fewer between two
BACKLOG_SECONDS = 1.0  # between two looks while catching up


class LookPacing:
    """Says when the next look at the counts is due.

    Parameters
    ----------
    clock
        Seconds that only rise.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting = 0
        self._ended = self._cost = 0.0  # of the last look
        self._began = -BACKLOG_SECONDS

    def counted(self, reports: int) -> None:
        """Take note of reports that were counted and wait for a look."""
        self._waiting += reports

    def wait(self) -> float:
        """Return the seconds until a look is due, if anything was counted; 0 if it is."""
        if self._waiting >= BACKLOG:
            due = self._began + BACKLOG_SECONDS
        else:
            due = self._ended + self._cost
        return max(0.0, due - self._clock())

    def begin(self) -> None:
        """Take note that a look begins."""
        self._began = self._clock()
        self._waiting = 0

    def end(self) -> None:
        """Take note that a look has ended, its alerts published."""
        self._ended = self._clock()
        self._cost = self._ended - self._began
