"""What workers tell of their work to whoever watches: metrics, the journal, traces.

A worker calls an `Observer` at few points and goes on; an observer must not raise and must not
wait. Durations are measured by the worker, with a clock that only rises.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from schemas.alert import Alert
from schemas.rejected import Rejected
from schemas.safety_alert import SafetyAlert
from streams.core.detection.detector import Detector
from streams.runtime.broker.transactions import ProducerFenced, ProducerUnusable, TransactionAborted
from streams.runtime.embedded.case_stage import CountedBatch
from streams.runtime.observability.readiness import Readiness
from streams.runtime.state.case_store import StoreSize
from streams.runtime.wire.alerts import AnyAlert
from streams.runtime.wire.batches import Batch, ReportTimes

__all__ = [
    "SILENT",
    "Applied",
    "DetectorSize",
    "EvaluationEvent",
    "Observer",
    "Observers",
    "observed",
]

_NOTHING: Mapping[str, bytes] = {}


class DetectorSize(NamedTuple):
    """What the detector holds in memory; nothing while it stands by."""

    cases: int = 0
    pairs: int = 0
    drugs: int = 0
    events: int = 0
    strata: int = 0
    watermark: int = -1  # days since 1970-01-01; -1 before the first report

    @classmethod
    def of(cls, detector: Detector | None) -> Self:
        """Ask a detector, if there is one."""
        if detector is None:
            return cls()
        return cls(
            detector.log.n_cases,
            detector.n_pairs,
            len(detector.drugs),
            len(detector.events),
            len(detector.strata),
            detector.watermark,
        )


@dataclass(frozen=True, slots=True)
class Applied:
    """A delta that the detector read.

    Attributes
    ----------
    batch
        The reports it is of.
    source
        The record it came in, as a batch of one.
    headers
        Of that record.
    fresh
        Whether it was counted; a delta that was counted before is dropped.
    seconds
        What that took.
    polled_at
        When the poll that brought it ended, on a clock that only rises [s].
    """

    batch: Batch
    source: Batch
    headers: Mapping[str, bytes]
    fresh: bool
    seconds: float
    polled_at: float

    @classmethod
    def of(cls, record: Any, batch: Batch, fresh: bool, seconds: float, polled_at: float) -> Self:
        """Take it from a record; what several took together is shared out evenly."""
        source = Batch(record.topic, record.partition, record.offset, record.offset + 1)
        return cls(batch, source, dict(record.headers), fresh, seconds, polled_at)

    @property
    def report_times(self) -> ReportTimes | None:
        """When its reports were sent, if that is known."""
        return ReportTimes.from_headers(self.headers)


@dataclass(frozen=True, slots=True)
class EvaluationEvent:
    """A look at the counts, and the alerts that are due after it.

    Attributes
    ----------
    deltas
        What was applied since the look before, in order; none if only notices came.
    alerts
        The revisions to publish.
    full
        Whether every pair was scored, or only those that changed.
    seconds
        What it took, without publishing.
    safety_alerts
        The revisions of safety alerts to publish.
    notices
        How many were heard since the look before.
    last_notice
        The record of the last of all notices, as a batch of one.
    """

    deltas: Sequence[Applied]
    alerts: Sequence[Alert]
    full: bool
    seconds: float
    safety_alerts: Sequence[SafetyAlert] = ()
    notices: int = 0
    last_notice: Batch | None = None

    @property
    def revisions(self) -> Sequence[AnyAlert]:
        """The revisions of either kind."""
        return *self.alerts, *self.safety_alerts

    @property
    def name(self) -> str:
        """The first delta it took in: the same after a restart, so it can be searched for.

        Without a delta it is the last notice.
        """
        source = self.deltas[0].source if self.deltas else self.last_notice
        assert source is not None, "something led to it"
        return f"{source.topic}[{source.partition}]@{source.first_offset}"


class Observer:
    """Hears what workers do. Every method does nothing here; headers go onto the records."""

    def counted(
        self, batch: Batch, counted: CountedBatch, rejected: Sequence[Rejected], seconds: float
    ) -> None:
        """Take note of a batch that the case stage counted and stored, in so many seconds."""

    def publishing(self, batch: Batch) -> Mapping[str, bytes]:
        """Return headers for the delta of a batch, which is about to be published."""
        return _NOTHING

    def published(self, batch: Batch, seconds: float) -> None:
        """Take note of a published delta, so many seconds after the poll."""

    def applied(self, delta: Applied) -> None:
        """Take note of a delta that the detector read."""

    def evaluated(self, evaluation: EvaluationEvent) -> Mapping[str, bytes]:
        """Return headers for the alerts of an evaluation, which are about to be published."""
        return _NOTHING

    def alerted(self, evaluation: EvaluationEvent, seconds: float) -> None:
        """Take note of an evaluation that is published, so many seconds after the poll."""

    def set_aside(self, rejected: Sequence[Rejected]) -> None:
        """Take note of notices that could not be read, and are published as rejects."""

    def transaction(self, stage: str, outcome: str) -> None:
        """Take note of how a transaction ended: `committed`, `aborted`, `fenced` or `unknown`."""

    def turned(self) -> None:
        """Take note that the worker's loop goes round; long work within one turn says so too."""

    def stands(self, stage: str, readiness: Readiness, lags: Mapping[int, int | None]) -> None:
        """Take note of how far a stage is, and of the lag of each partition it holds [offsets]."""

    def stores(self, sizes: Mapping[int, StoreSize], partitions: int) -> None:
        """Take note of the databases a process has open, by partition, and of how many exist."""

    def detector(self, size: DetectorSize) -> None:
        """Take note of what the detector holds."""

    def snapshot(self, outcome: str, seconds: float) -> None:
        """Take note of a snapshot that was `written`, or `failed`, and of how long that took."""

    def notices(self, lags: Mapping[int, int | None]) -> None:
        """Take note of the notices to be read of each partition [offsets]."""


SILENT = Observer()
"""For workers that nobody watches."""


class Observers(Observer):
    """Several observers as one."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def counted(
        self, batch: Batch, counted: CountedBatch, rejected: Sequence[Rejected], seconds: float
    ) -> None:
        """Tell each."""
        for each in self._observers:
            each.counted(batch, counted, rejected, seconds)

    def publishing(self, batch: Batch) -> Mapping[str, bytes]:
        """Ask each."""
        headers = (each.publishing(batch) for each in self._observers)
        return {name: value for some in headers for name, value in some.items()}

    def published(self, batch: Batch, seconds: float) -> None:
        """Tell each."""
        for each in self._observers:
            each.published(batch, seconds)

    def applied(self, delta: Applied) -> None:
        """Tell each."""
        for each in self._observers:
            each.applied(delta)

    def evaluated(self, evaluation: EvaluationEvent) -> Mapping[str, bytes]:
        """Ask each."""
        headers = [each.evaluated(evaluation) for each in self._observers]
        return {name: value for some in headers for name, value in some.items()}

    def alerted(self, evaluation: EvaluationEvent, seconds: float) -> None:
        """Tell each."""
        for each in self._observers:
            each.alerted(evaluation, seconds)

    def set_aside(self, rejected: Sequence[Rejected]) -> None:
        """Tell each."""
        for each in self._observers:
            each.set_aside(rejected)

    def transaction(self, stage: str, outcome: str) -> None:
        """Tell each."""
        for each in self._observers:
            each.transaction(stage, outcome)

    def turned(self) -> None:
        """Tell each."""
        for each in self._observers:
            each.turned()

    def stands(self, stage: str, readiness: Readiness, lags: Mapping[int, int | None]) -> None:
        """Tell each."""
        for each in self._observers:
            each.stands(stage, readiness, lags)

    def stores(self, sizes: Mapping[int, StoreSize], partitions: int) -> None:
        """Tell each."""
        for each in self._observers:
            each.stores(sizes, partitions)

    def detector(self, size: DetectorSize) -> None:
        """Tell each."""
        for each in self._observers:
            each.detector(size)

    def snapshot(self, outcome: str, seconds: float) -> None:
        """Tell each."""
        for each in self._observers:
            each.snapshot(outcome, seconds)

    def notices(self, lags: Mapping[int, int | None]) -> None:
        """Tell each."""
        for each in self._observers:
            each.notices(lags)


@contextmanager
def observed(observer: Observer, stage: str) -> Iterator[None]:
    """Tell an observer how the transaction within ends; each may last as long as a turn may."""
    observer.turned()
    try:
        yield
    except ProducerFenced:
        observer.transaction(stage, "fenced")
        raise
    except ProducerUnusable:
        observer.transaction(stage, "unknown")
        raise
    except TransactionAborted:
        observer.transaction(stage, "aborted")
        raise
    observer.transaction(stage, "committed")
