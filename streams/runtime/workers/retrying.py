"""A worker that outlives a broker that is away: what fails for a moment is done again.

kafka-python mends a lost connection by itself only within `poll` and within a transaction. Whatever
else a worker asks (`committed`, `end_offsets`, a producer, a topic to restore from) fails with the
connection. Nothing is lost by that, for every step may end anywhere; so here, for all stages, the
worker lets go of what it holds, joins its group anew and goes on from what is stored.
"""

import logging
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
"""Of nothing but failures: a broker is restarted, or another elected, in less."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0  # between two attempts, doubled each time [s]


class StageWorker(ObservedWorker, Protocol):
    """A worker of a stage; its tally says what became of the messages."""

    tally: Counter[str]

    def step(self, timeout_ms: int) -> int:
        """Do a part of the work; return the number of messages."""

    def rejoin(self) -> None:
        """Let go of everything, and join the group anew."""

    def drained(self, ends: dict[int, int]) -> bool:
        """Whether everything up to these offsets is done."""

    def ends(self) -> dict[int, int]:
        """Return the ends of the input, now."""


class RetryingWorker:
    """A worker whose steps may fail for `GIVE_UP_SECONDS`, as long as the broker is at fault.

    Other errors end it at once: a right that is missing, a password, a state that does not fit.

    Parameters
    ----------
    worker
        Whose steps to take.
    clock, sleep
        Seconds that only rise, and what waits for some of them.
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
        self._since: float | None = None  # the first of the failures that nothing good came between
        self._last = 0.0
        self._pause = _FIRST_PAUSE
        self._broken = False  # since the last step

    def step(self, timeout_ms: int) -> int:
        """Take a step, or wait for the next attempt, no longer than a step may take.

        Raises
        ------
        BrokerUnavailable
            If there was nothing but failures for `GIVE_UP_SECONDS`.
        TocsinError
            Whatever else the worker raises.
        """
        if self._broken and (wait := self._last + self._pause - self._clock()) > 0:
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
        # A step without an error proves little: a poll says nothing of a broker that is away.
        if self._since is not None and (done or self._worker.readiness().ready):
            self._since, self._pause = None, _FIRST_PAUSE
        return done

    @property
    def tally(self) -> Counter[str]:
        """What became of the messages."""
        return self._worker.tally

    def drained(self, ends: dict[int, int]) -> bool:
        """Whether everything up to these offsets is done; not known while the broker is away."""
        if self._broken:
            return False
        began = self._clock()
        try:
            return self._worker.drained(ends)
        except BrokerUnavailable as error:
            self._failed(error, began)
            return False

    def ends(self) -> dict[int, int]:
        """Return the ends of the input, now."""
        return self._worker.ends()

    def readiness(self) -> Readiness:
        """Return what the worker is doing; while its broker is away it waits to join its group."""
        return Readiness(Phase.JOINING) if self._broken else self._worker.readiness()

    def lags(self) -> Mapping[int, int | None]:
        """Return the offsets to count, by partition held: none while the broker is away."""
        return {} if self._broken else self._worker.lags()

    def sizes(self) -> None:
        """Tell the observer what the worker holds."""
        if not self._broken:
            self._worker.sizes()

    def _failed(self, error: BrokerUnavailable, began: float) -> None:
        now = self._clock()
        if self._since is None or began - self._last > GIVE_UP_SECONDS:
            # Restoring may take longer than that; two failures in it have nothing in common.
            self._since, self._pause = began, _FIRST_PAUSE
        else:
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        if now - self._since > GIVE_UP_SECONDS:
            raise error
        self._last, self._broken = now, True
        _LOG.warning("stage %s: again in %.1f s, after: %s", self.stage, self._pause, error)


class BackOff:
    """When to try again what failed: after half a second, then twice as long each time.

    Parameters
    ----------
    clock
        Seconds that only rise.
    """

    first, longest = 0.5, 30.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pause = self.first
        self._due = 0.0
        self.failures = 0

    @property
    def over(self) -> bool:
        """Whether it is time."""
        return self._clock() >= self._due

    def failed(self, at_least: float = 0.0) -> None:
        """Take note of a failure, after which to wait for so long at least [s]."""
        self.failures += 1
        self._due = self._clock() + max(self._pause, at_least)
        self._pause = min(2 * self._pause, self.longest)
