"""Set up metrics, health checks, journal and traces as configured, while workers run."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Protocol

from schemas.errors import InputError
from streams.runtime.observability.health import HealthServer, serving
from streams.runtime.observability.journal import Journal
from streams.runtime.observability.metrics import Metrics
from streams.runtime.observability.observer import Observer, Observers
from streams.runtime.observability.readiness import Readiness
from streams.runtime.observability.rerouting_log import ReroutingLog
from streams.runtime.settings import Settings

__all__ = ["ObservedWorker", "StatusPoller", "open_observers"]

_LOG = logging.getLogger(__name__)
_STATUS_SECONDS = 1.0  # interval between reads of lag and readiness
_SIZES_SECONDS = 10.0  # interval between reads of sizes, which are expensive


class ObservedWorker(Protocol):
    """Interface of a worker that `StatusPoller` reads."""

    stage: str

    def readiness(self) -> Readiness:
        """Return its phase and progress."""

    def lags(self) -> Mapping[int, int | None]:
        """Return the lag of each assigned partition [offsets]."""

    def report_sizes(self) -> None:
        """Report the sizes of its state to its observer."""


class StatusPoller:
    """Polls the status of workers at intervals, on the workers' own thread.

    Attributes
    ----------
    observer
        The observer to construct the workers with.
    """

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self._status_due = self._sizes_due = 0.0

    def poll(self, workers: Iterable[ObservedWorker]) -> None:
        """Record an iteration of the loop; read the status of the workers if it is due."""
        self.observer.loop_iteration()
        now = time.monotonic()
        if now < self._status_due:
            return
        self._status_due = now + _STATUS_SECONDS
        sizes = now >= self._sizes_due
        if sizes:
            self._sizes_due = now + _SIZES_SECONDS
        for worker in workers:
            self.observer.stage_status(worker.stage, worker.readiness(), worker.lags())
            if sizes:
                worker.report_sizes()


@contextmanager
def open_observers(
    settings: Settings,
    stages: Iterable[str],
    rules: Iterable[str] = (),
    unreachable_reason: Callable[[], str | None] = lambda: None,
) -> Iterator[StatusPoller]:
    """Open the configured observers, and the log of re-routed messages.

    Parameters
    ----------
    stages
        Names of the stages that this process runs.
    rules
        Names of the signal rules, which are labels of a metric.
    unreachable_reason
        Returns why no broker is reachable; `None` while one is.

    Raises
    ------
    InputError
        If the address cannot be listened on, or the extra `tracing` is needed and not installed.
    """
    observers: list[Observer] = [ReroutingLog()]
    with ExitStack() as opened:
        if (address := settings.metrics_address()) is not None:
            metrics = Metrics(rules)
            health = HealthServer(stages, unreachable_reason=unreachable_reason)
            host, port = opened.enter_context(serving(address, metrics.registry, health))
            _LOG.info("metrics and health on http://%s:%d", host, port)
            observers += [metrics, health]
        if settings.log_format == "json":
            observers.append(Journal())
        if settings.traces_endpoint is not None:
            try:
                from streams.runtime.observability.tracing import exporting
            except ModuleNotFoundError as error:
                msg = f"traces_endpoint: pip install 'tocsin[tracing]' must come first; got {error}"
                raise InputError(msg) from None
            observers.append(opened.enter_context(exporting(settings.traces_endpoint)))
        yield StatusPoller(Observers(observers))
