"""When the detector looks at its counts: at once while the stream keeps up, less often behind it.

A look costs a good deal before it scores the first pair, and on a backlog it gives alerts that are
revised a moment later. But an alert that waits for its look is late. So looks that are soon made
take at most half of the time; one that took longer was at many pairs, and to wait for more of them
saves little. The broker's answer is no part of that, since nobody works while it is awaited. While
the newest report that waits for its look is old, a backlog is being read: then from look to look it
is as long as that report was old when it came, for its alert is late anyway; but no more than a
minute, or ten times what a look and the publishing of its alerts took. It is over when every report
that stood there a moment ago has come, not when there is a pause: batches of it come with pauses.
"""

import math
import time
from collections.abc import Callable

__all__ = ["EvaluationSchedule"]

LONGEST_REST = 0.1  # seconds from a look to the next
BACKLOG_AGE = 2.0  # seconds; a stream that is kept up with brings younger reports
BACKLOG_SECONDS = 60.0  # from look to look while catching up, at most; or if that is more ...
BACKLOG_COSTS = 10.0  # ... so many times what the last one took
BACKLOG_POLL = 0.5  # seconds; a poll of it lasts no longer, to see what stands still
STANDSTILL = 5.0  # seconds of empty polls; whoever sends has trouble: what is here is looked at


class EvaluationSchedule:
    """Says when the next look at the counts is due.

    Parameters
    ----------
    clock
        Seconds that only rise.

    Attributes
    ----------
    behind
        Whether a backlog is being read.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.behind = False
        self._age = math.inf  # of the newest report since the last look, when it came
        self._empty_since: float | None = None  # the first of the polls that brought nothing
        # Of the last look: when it began and was made, and how long that took without and with
        # the publishing of what it gave.
        self._made = self._cost = self._in_all = 0.0
        self._began = clock()  # what came before is looked at with what comes of a backlog

    def polled(self, age: float | None) -> None:
        """Take note of a poll.

        Parameters
        ----------
        age
            Of the newest report that came to be counted, since it was sent [s]; `None`: none came.
        """
        if age is not None:
            self._age = min(self._age, age)
            self.behind = self._age > BACKLOG_AGE
            self._empty_since = None
            return
        # From the first of them, not from what came before it: to count that may take seconds.
        if self._empty_since is None:
            self._empty_since = self._clock()
        elif self._clock() - self._empty_since >= STANDSTILL:
            self.behind = False

    def caught_up(self) -> None:
        """Take note that every report has come that stood there a moment ago."""
        self.behind = False

    @property
    def patience(self) -> float:
        """Seconds that the next poll may last, if something counted waits for its look."""
        return min(self.wait(), BACKLOG_POLL) if self.behind else self.wait()

    def wait(self) -> float:
        """Return the seconds until a look is due, if anything was counted; 0 if it is."""
        if self.behind:
            longest = max(BACKLOG_SECONDS, BACKLOG_COSTS * self._in_all)
            due = self._began + min(self._age, longest)
        else:
            due = self._made + min(self._cost, LONGEST_REST)
        return max(0.0, due - self._clock())

    def begin(self) -> None:
        """Take note that a look begins."""
        self._began = self._clock()
        self._age = math.inf

    def made(self) -> None:
        """Take note that the alerts are made, and go out now."""
        self._made = self._clock()
        self._cost = self._made - self._began

    def end(self) -> None:
        """Take note that a look has ended, its alerts published."""
        self._in_all = self._clock() - self._began
