"""What the settings ask for in metrics, journal and traces, opened for as long as workers run."""

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
from streams.runtime.settings import Settings

__all__ = ["ObservedWorker", "StatusPoller", "watching"]

_LOG = logging.getLogger(__name__)
_STANDING_SECONDS = 1.0  # between two looks at lag and readiness
_SIZES_SECONDS = 10.0  # between two at what is expensive to ask


class ObservedWorker(Protocol):
    """A worker, as far as it is watched."""

    stage: str

    def readiness(self) -> Readiness:
        """Return how far it is."""

    def lags(self) -> Mapping[int, int | None]:
        """Return the offsets it has yet to count, by partition it holds."""

    def sizes(self) -> None:
        """Tell its observer what it holds."""


class StatusPoller:
    """Asks workers now and then how they are, on their own thread.

    Attributes
    ----------
    observer
        What the workers are made with.
    """

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self._standing_due = self._sizes_due = 0.0

    def turned(self, workers: Iterable[ObservedWorker]) -> None:
        """Take note that the loop goes round."""
        self.observer.turned()
        now = time.monotonic()
        if now < self._standing_due:
            return
        self._standing_due = now + _STANDING_SECONDS
        sizes = now >= self._sizes_due
        if sizes:
            self._sizes_due = now + _SIZES_SECONDS
        for worker in workers:
            self.observer.stands(worker.stage, worker.readiness(), worker.lags())
            if sizes:
                worker.sizes()


@contextmanager
def watching(
    settings: Settings,
    stages: Iterable[str],
    rules: Iterable[str] = (),
    away: Callable[[], str | None] = lambda: None,
) -> Iterator[StatusPoller]:
    """Open what the settings ask for; without any of it, workers are watched by nobody.

    Parameters
    ----------
    stages
        Names of the stages that this process runs.
    rules
        Names of the signal rules, which are labels of a metric.
    away
        Says why no broker is reached; `None` while one is.

    Raises
    ------
    InputError
        If the address cannot be listened on, or the extra `tracing` is needed and not installed.
    """
    observers: list[Observer] = []
    with ExitStack() as opened:
        if (address := settings.metrics_address()) is not None:
            metrics, health = Metrics(rules), HealthServer(stages, away=away)
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
