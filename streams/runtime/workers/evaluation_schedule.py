"""Decides when the detector evaluates: immediately while it keeps up, less often while it lags.

While it lags, the interval equals the age of the newest unevaluated report, at most 60 s or ten
times the cost of the last evaluation.

An evaluation has a fixed cost before it scores the first pair, and on a backlog its alerts are
revised a moment later. But an alert is late by the wait for its evaluation. So short evaluations
take at most half of the time. A long one scored many pairs, and batching more of them saves little:
the pause after it is `LONGEST_PAUSE`. The time of the broker's answer does not count, since nothing
is computed meanwhile.

The detector lags while the newest unevaluated report is older than `BACKLOG_AGE`. The lag is over
when every report has been received that was on the topic a moment ago. A pause does not end it: the
batches of a backlog are received with pauses.
"""

import math
import time
from collections.abc import Callable

__all__ = ["EvaluationSchedule"]

LONGEST_PAUSE = 0.1  # seconds between two evaluations, while it keeps up
BACKLOG_AGE = 2.0  # seconds; reports are younger while the detector keeps up
BACKLOG_SECONDS = 60.0  # between two evaluations while it lags, at most; or, if that is more, ...
BACKLOG_COSTS = 10.0  # ... this multiple of the cost of the last one
BACKLOG_POLL = 0.5  # seconds; the longest poll while it lags, so that an idle topic is noticed
IDLE_SECONDS = 5.0  # of empty polls: the sender has stopped, and what was received is evaluated


class EvaluationSchedule:
    """Decides when the next evaluation is due.

    Parameters
    ----------
    clock
        A monotonic clock [s].

    Attributes
    ----------
    lagging
        Whether a backlog is being received.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.lagging = False
        self._age = math.inf  # of the newest unevaluated report, when it was received [s]
        self._empty_since: float | None = None  # the first of the latest polls without a report
        # Of the last evaluation: its end, and its seconds without and with publishing.
        self._ended = self._cost = self._cost_published = 0.0
        self._began = clock()  # of the last evaluation; at first, the start of the wait for one

    def polled(self, age: float | None) -> None:
        """Record a poll.

        Parameters
        ----------
        age
            Of the newest report received, since it was sent [s]; `None` without any.
        """
        if age is not None:
            self._age = min(self._age, age)
            self.lagging = self._age > BACKLOG_AGE
            self._empty_since = None
            return
        # Since the first empty poll, not since the last report: to count that may take seconds.
        if self._empty_since is None:
            self._empty_since = self._clock()
        elif self._clock() - self._empty_since >= IDLE_SECONDS:
            self.lagging = False

    def caught_up(self) -> None:
        """Record that every report on the topic has been received."""
        self.lagging = False

    @property
    def poll_seconds(self) -> float:
        """Return the longest duration of the next poll, if something is unevaluated [s]."""
        return min(self.wait(), BACKLOG_POLL) if self.lagging else self.wait()

    def wait(self) -> float:
        """Return the seconds until something unevaluated is to be evaluated; 0 if that is due."""
        if self.lagging:
            longest = max(BACKLOG_SECONDS, BACKLOG_COSTS * self._cost_published)
            due = self._began + min(self._age, longest)
        else:
            due = self._ended + min(self._cost, LONGEST_PAUSE)
        return max(0.0, due - self._clock())

    def begin(self) -> None:
        """Record the begin of an evaluation."""
        self._began = self._clock()
        self._age = math.inf

    def end(self) -> None:
        """Record the end of an evaluation; its alerts are to be published."""
        self._ended = self._clock()
        self._cost = self._ended - self._began

    def published(self) -> None:
        """Record that the alerts of the last evaluation are published."""
        self._cost_published = self._clock() - self._began
