"""When the detector looks at its counts: at once while the stream keeps up, less often behind it.

A look costs a good deal before it scores the first pair, and on a backlog it gives alerts that are
revised a moment later. But an alert that waits for its look is late. So looks take at most half of
the time, whatever they cost; the broker's answer is no part of that, since nobody works while it is
awaited. While reports come by the thousand, which is what a backlog is read in, looks and the
publishing of their alerts take at most a tenth, and at least a second lies between two.
"""

import time
from collections.abc import Callable

__all__ = ["LookPacing"]

BACKLOG = 5_000  # reports of one poll; steady streams bring fewer, and the poll after a slow look
BACKLOG_SECONDS = 1.0  # from look to look while catching up, and ...
BACKLOG_COSTS = 10.0  # ... so many times what the last one took
BACKLOG_POLL = 0.05  # seconds; when nothing comes for so long, the backlog is over


class LookPacing:
    """Says when the next look at the counts is due.

    Parameters
    ----------
    clock
        Seconds that only rise.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._behind = False
        # Of the last look: when it began and was made, and how long that took without and with
        # the publishing of what it gave.
        self._made = self._cost = self._in_all = 0.0
        self._began = -BACKLOG_SECONDS

    def polled(self, reports: int) -> None:
        """Take note of a poll that brought so many reports to count, or none."""
        self._behind = reports >= BACKLOG

    @property
    def patience(self) -> float:
        """Seconds that the next poll may last, if something counted waits for its look."""
        return min(self.wait(), BACKLOG_POLL) if self._behind else self.wait()

    def wait(self) -> float:
        """Return the seconds until a look is due, if anything was counted; 0 if it is."""
        if self._behind:
            due = self._began + max(BACKLOG_SECONDS, BACKLOG_COSTS * self._in_all)
        else:
            due = self._made + self._cost
        return max(0.0, due - self._clock())

    def begin(self) -> None:
        """Take note that a look begins."""
        self._began = self._clock()

    def made(self) -> None:
        """Take note that the alerts are made, and go out now."""
        self._made = self._clock()
        self._cost = self._made - self._began

    def end(self) -> None:
        """Take note that a look has ended, its alerts published."""
        self._in_all = self._clock() - self._began
