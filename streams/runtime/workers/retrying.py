"""Retries a worker's step for up to 60 s while the broker is unavailable.

kafka-python reconnects by itself only within `poll` and within a transaction. Every other request
(`committed`, `end_offsets`, a new producer, a topic to restore from) fails with the connection.
Nothing is lost, since a step may end anywhere: the worker releases its partitions, rejoins its
group and continues from its stored state.
"""

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from streams.runtime.broker.errors import BrokerUnavailable, broker_errors
from streams.runtime.observability.readiness import Phase, Readiness
from streams.runtime.observability.setup import ObservedWorker

__all__ = ["GIVE_UP_SECONDS", "BackOff", "RetryingWorker", "StageWorker"]

_LOG = logging.getLogger(__name__)
GIVE_UP_SECONDS = 60.0
"""Seconds of failures only: a broker restarts, or another is elected, in less."""
_LONGEST_PAUSE = 5.0  # seconds between two attempts; some 14 fit in `GIVE_UP_SECONDS`


class StageWorker(ObservedWorker, Protocol):
    """A worker of a stage; its tally counts the outcomes of the messages."""

    tally: Counter[str]

    def step(self, timeout_ms: int) -> int:
        """Poll and process once; return the number of messages."""

    def rejoin(self) -> None:
        """Release every partition, and join the group again."""

    def drained(self, ends: dict[int, int]) -> bool:
        """Return whether everything up to these offsets is published."""

    def ends(self) -> dict[int, int]:
        """Return the end offset of every partition of the input, now."""


class BackOff:
    """Pauses between attempts: half a second after the first failure, then doubled each time.

    Parameters
    ----------
    longest
        Longest pause [s].
    clock
        A monotonic clock [s].

    Attributes
    ----------
    failures
        Number since the beginning, or since `reset`.
    """

    first = 0.5

    def __init__(self, longest: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest, self._clock = longest, clock
        self.reset()

    def reset(self) -> None:
        """Reset the number of failures and the pause."""
        self.failures = 0
        self._pause = self.first
        self._due = -math.inf

    def failed(self, at_least: float = 0.0) -> float:
        """Record a failure; return the seconds until the next attempt, at least `at_least`."""
        self.failures += 1
        pause = max(self._pause, at_least)
        self._due = self._clock() + pause
        self._pause = min(2 * self._pause, self._longest)
        return pause

    @property
    def remaining(self) -> float:
        """Return the seconds until the next attempt; 0 if it is due."""
        return max(self._due - self._clock(), 0.0)


class RetryingWorker:
    """Retries a worker's steps for `GIVE_UP_SECONDS`, as long as the broker is at fault.

    Other errors end it at once: a missing right, a wrong password, a state that does not fit.

    Parameters
    ----------
    worker
        The worker to step.
    clock, sleep
        A monotonic clock [s], and a function that waits for so many seconds.
    """

    def __init__(
        self,
        worker: StageWorker,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.stage = worker.stage
        self._worker = worker
        self._clock, self._sleep = clock, sleep
        self._back_off = BackOff(_LONGEST_PAUSE, clock)
        self._since: float | None = None  # the first failure after the last success
        self._last = 0.0  # failure
        self._broken = False  # since the last step

    def step(self, timeout_ms: int) -> int:
        """Run a step, or wait for the next attempt, no longer than a step may take.

        Raises
        ------
        BrokerUnavailable
            If every attempt failed for `GIVE_UP_SECONDS`.
        TocsinError
            Whatever else the worker raises.
        """
        if self._broken and (wait := self._back_off.remaining):
            self._sleep(min(wait, timeout_ms / 1000))
            return 0
        began = self._clock()
        try:
            with broker_errors(f"run stage {self.stage}"):
                if self._broken:
                    self._worker.rejoin()
                    self._broken = False
                done = self._worker.step(timeout_ms)
        except BrokerUnavailable as error:
            self._failed(error, began)
            return 0
        # A step without an error proves little: without a broker `poll` does not fail.
        if self._since is not None and (done or self._worker.readiness().ready):
            self._since = None
        return done

    @property
    def tally(self) -> Counter[str]:
        """Return the number of messages by outcome."""
        return self._worker.tally

    def drained(self, ends: dict[int, int]) -> bool:
        """Return whether everything up to these offsets is published; false without a broker."""
        if self._broken:
            return False
        began = self._clock()
        try:
            return self._worker.drained(ends)
        except BrokerUnavailable as error:
            self._failed(error, began)
            return False

    def ends(self) -> dict[int, int]:
        """Return the end offset of every partition of the input, now."""
        return self._worker.ends()

    def readiness(self) -> Readiness:
        """Return the worker's readiness: `JOINING` while the broker is away."""
        return Readiness(Phase.JOINING) if self._broken else self._worker.readiness()

    def lags(self) -> Mapping[int, int | None]:
        """Return the lag of each assigned partition [offsets]: none while the broker is away."""
        return {} if self._broken else self._worker.lags()

    def report_sizes(self) -> None:
        """Report the worker's sizes to the observer, unless the broker is away."""
        if not self._broken:
            self._worker.report_sizes()

    def _failed(self, error: BrokerUnavailable, began: float) -> None:
        now = self._clock()
        if self._since is None or began - self._last > GIVE_UP_SECONDS:
            # A restore may take longer than that: two failures in it are independent.
            self._since = began
            self._back_off.reset()
        if now - self._since > GIVE_UP_SECONDS:
            raise error
        pause = self._back_off.failed()
        self._last, self._broken = now, True
        _LOG.warning(
            "broker unavailable; the stage retries",
            extra={"stage": self.stage, "retry_seconds": round(pause, 1), "error": str(error)},
        )
