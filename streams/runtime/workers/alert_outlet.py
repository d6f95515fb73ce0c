"""Where the detector's alerts go out: those of one look while the next look is made.

To wait for the broker is most of what publishing takes, and until it answers nothing need stand
still: what goes out is fixed, and what is counted meanwhile waits for the next look. One
transaction is under way at a time. If it fails, the counts are ahead of what is published, as
they would be had the worker waited; they are restored then.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from streams.runtime.broker.clients import ProducerUnusable, TransactionAborted
from streams.runtime.workers.background import Task
from streams.runtime.workers.detector_session import Look

__all__ = ["AlertOutlet", "Published"]

_LOG = logging.getLogger(__name__)
_PARTING_SECONDS = 2.0  # for what is under way when the partition is given up


@dataclass(frozen=True, slots=True)
class Published:
    """A look whose alerts are out.

    Attributes
    ----------
    following
        The offset of the deltas after the last one that is in them.
    ended
        When they were, on a clock that only rises.
    """

    look: Look
    following: int
    ended: float


class AlertOutlet:
    """The way out of one detector."""

    def __init__(self) -> None:
        self._task: Task[Published] | None = None

    def send(self, look: Look, following: int, publish: Callable[[], None]) -> None:
        """Begin to publish what a look gave; `settle` first.

        Parameters
        ----------
        publish
            Publishes it, all or nothing, within a time of its own; called in another thread.
        """

        def call() -> Published:
            publish()
            return Published(look, following, time.monotonic())

        self._task = Task("tocsin-publish", call)

    @property
    def ended(self) -> bool:
        """Whether something was sent that has ended, well or not: see `settle`."""
        return self._task is not None and self._task.wait(0.0)

    def settle(self) -> Published | None:
        """Wait for what is under way; return it, or `None` if nothing was.

        Raises
        ------
        TransactionAborted, ProducerUnusable
            If it is not published, or nobody knows.
        """
        if (task := self._task) is None:
            return None
        task.wait(threading.TIMEOUT_MAX)
        self._task = None
        return task.result()

    def leave(self) -> Published | None:
        """Wait shortly for what is under way, then leave it to the broker; return it if it is out.

        Whoever restores the counts ends it first, and learns from the broker how it ended.
        """
        task, self._task = self._task, None
        if task is None:
            return None
        if not task.wait(_PARTING_SECONDS):
            task.give_up()
            _LOG.warning("the partition is given up while its alerts are on their way")
            return None
        try:
            return task.result()
        except (TransactionAborted, ProducerUnusable) as error:
            _LOG.warning("the partition is given up: %s", error)
            return None
