"""Progress lines of a worker that is not ready."""

import logging
import time
from collections.abc import Callable
from typing import Any

from streams.runtime.observability.readiness import Readiness

__all__ = ["ReadinessLog"]

_LOG = logging.getLogger(__name__)
_LOG_SECONDS = 10.0  # least interval between two lines


class ReadinessLog:
    """Logs the readiness of a worker while it is not ready, and only when it has changed.

    Parameters
    ----------
    stage
        Name of the worker's stage.
    clock
        A monotonic clock [s].
    """

    def __init__(self, stage: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._stage, self._clock = stage, clock
        self._due = clock() + _LOG_SECONDS
        self._logged: dict[str, Any] | None = None  # fields of the last line

    def log(self, readiness: Readiness) -> None:
        """Log the phase, the percentage restored and the blocked partitions, if it is time."""
        if readiness.ready:
            self._logged = None
            return
        if self._clock() < self._due:
            return
        fields = {
            "stage": self._stage,
            "phase": readiness.phase.value,
            "percent": int(100 * readiness.fraction),
            "blocked": [blocked.partition for blocked in readiness.blocked],
        }
        if fields != self._logged:
            _LOG.info("worker not ready", extra=fields)
            self._logged, self._due = fields, self._clock() + _LOG_SECONDS
