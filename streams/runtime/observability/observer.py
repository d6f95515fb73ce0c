"""Events that workers report to observers: metrics, the journal, traces.

A worker calls an `Observer` on its own thread: an observer must neither raise nor block. The
worker measures durations with a monotonic clock.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """Sizes of the detector's state in memory; zeros on a standby."""

    cases: int = 0
    pairs: int = 0
    drugs: int = 0
    events: int = 0
    strata: int = 0
    watermark: int = -1  # days since 1970-01-01; -1 before the first report

    @classmethod
    def of(cls, detector: Detector | None) -> Self:
        """Return the sizes of a detector; zeros without one."""
        if detector is None:
            return cls()
        return cls(
            detector.log.n_cases,
            detector.n_pairs,
            len(detector.codes.drugs),
            len(detector.codes.events),
            len(detector.codes.strata),
            detector.watermark,
        )


@dataclass(frozen=True, slots=True)
class Applied:
    """A delta that the detector read, counted or dropped as a repeat.

    Attributes
    ----------
    batch
        Range of the reports that it counts.
    source
        The record of the delta, as a batch of one.
    headers
        Headers of that record.
    fresh
        Whether it was counted; a delta that was counted before is dropped.
    seconds
        Time to apply it [s].
    polled_at
        Monotonic time at the end of the poll that returned it [s].
    """

    batch: Batch
    source: Batch
    headers: Mapping[str, bytes]
    fresh: bool
    seconds: float
    polled_at: float

    @classmethod
    def of(cls, record: Any, batch: Batch, fresh: bool, seconds: float, polled_at: float) -> Self:
        """Build it from a record; `seconds` is its even share of the time for several deltas."""
        source = Batch(record.topic, record.partition, record.offset, record.offset + 1)
        return cls(batch, source, dict(record.headers), fresh, seconds, polled_at)

    @property
    def report_times(self) -> ReportTimes | None:
        """Return the timestamps of its reports, if known."""
        return ReportTimes.from_headers(self.headers)


@dataclass(frozen=True, slots=True)
class EvaluationEvent:
    """An evaluation of the counts, and the alerts that it has to publish.

    Attributes
    ----------
    deltas
        Deltas applied since the previous evaluation, in order; empty if only notices were received.
    alerts
        Revisions of alerts to publish.
    full
        Whether every pair was scored, or only those that changed.
    seconds
        Duration without publishing [s].
    safety_alerts
        Revisions of safety alerts to publish.
    notices
        Number of notices received since the previous evaluation.
    last_notice
        Record of the last notice received, as a batch of one.
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
        """Return the revisions of both kinds of alerts."""
        return *self.alerts, *self.safety_alerts

    @property
    def name(self) -> str:
        """Return the coordinates of its first delta, or without deltas of the last notice.

        A restart gives the same evaluation the same name, so a log can be searched for it.
        """
        source = self.deltas[0].source if self.deltas else self.last_notice
        assert source is not None, "an evaluation needs a delta or a notice"
        return f"{source.topic}[{source.partition}]@{source.first_offset}"


class Observer:
    """Receives the events of workers; every method of this base class does nothing.

    A method that returns headers is called before publishing: they are added to the records.
    """

    def batch_counted(
        self, batch: Batch, counted: CountedBatch, rejected: Sequence[Rejected], seconds: float
    ) -> None:
        """Record that the case stage counted and stored a batch, and how long that took [s]."""

    def delta_publishing(self, batch: Batch) -> Mapping[str, bytes]:
        """Return headers for the delta of a batch, before it is published."""
        return _NOTHING

    def delta_published(self, batch: Batch, seconds: float) -> None:
        """Record that a delta is published, and the time since the poll [s]."""

    def delta_applied(self, delta: Applied) -> None:
        """Record a delta that the detector read."""

    def evaluation_finished(self, evaluation: EvaluationEvent) -> Mapping[str, bytes]:
        """Return headers for the alerts of an evaluation, before they are published."""
        return _NOTHING

    def alerts_published(self, evaluation: EvaluationEvent, seconds: float) -> None:
        """Record that an evaluation's alerts are published, and the time since the poll [s]."""

    def notices_rejected(self, rejected: Sequence[Rejected]) -> None:
        """Record notices that could not be read, and were published as rejects."""

    def transaction_ended(self, stage: str, outcome: str) -> None:
        """Record the outcome of a transaction: `committed`, `aborted`, `fenced` or `unknown`."""

    def loop_iteration(self) -> None:
        """Record an iteration of the worker's loop; long work within one iteration calls it too."""

    def stage_status(
        self, stage: str, readiness: Readiness, lags: Mapping[int, int | None]
    ) -> None:
        """Record the readiness of a stage, and the lag of each assigned partition [offsets]."""

    def store_sizes(self, sizes: Mapping[int, StoreSize], partitions: int) -> None:
        """Record the sizes of the open databases by partition, and the number of partitions."""

    def detector_size(self, size: DetectorSize) -> None:
        """Record the sizes of the detector's state."""

    def snapshot_finished(self, outcome: str, seconds: float) -> None:
        """Record a snapshot that was `written` or `failed`, and how long that took [s]."""

    def notice_lags(self, lags: Mapping[int, int | None]) -> None:
        """Record the lag of each partition of the notices [offsets]."""


SILENT = Observer()
"""Observer for workers without metrics, journal and traces."""


class Observers(Observer):
    """Several observers as one."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def batch_counted(
        self, batch: Batch, counted: CountedBatch, rejected: Sequence[Rejected], seconds: float
    ) -> None:
        """Call every observer."""
        for observer in self._observers:
            observer.batch_counted(batch, counted, rejected, seconds)

    def delta_publishing(self, batch: Batch) -> Mapping[str, bytes]:
        """Merge the headers of every observer."""
        return _merged(observer.delta_publishing(batch) for observer in self._observers)

    def delta_published(self, batch: Batch, seconds: float) -> None:
        """Call every observer."""
        for observer in self._observers:
            observer.delta_published(batch, seconds)

    def delta_applied(self, delta: Applied) -> None:
        """Call every observer."""
        for observer in self._observers:
            observer.delta_applied(delta)

    def evaluation_finished(self, evaluation: EvaluationEvent) -> Mapping[str, bytes]:
        """Merge the headers of every observer."""
        return _merged(observer.evaluation_finished(evaluation) for observer in self._observers)

    def alerts_published(self, evaluation: EvaluationEvent, seconds: float) -> None:
        """Call every observer."""
        for observer in self._observers:
            observer.alerts_published(evaluation, seconds)

    def notices_rejected(self, rejected: Sequence[Rejected]) -> None:
        """Call every observer."""
        for observer in self._observers:
            observer.notices_rejected(rejected)

    def transaction_ended(self, stage: str, outcome: str) -> None:
        """Call every observer."""
        for observer in self._observers:
            observer.transaction_ended(stage, outcome)

    def loop_iteration(self) -> None:
        """Call every observer."""
        for observer in self._observers:
            observer.loop_iteration()

    def stage_status(
        self, stage: str, readiness: Readiness, lags: Mapping[int, int | None]
    ) -> None:
        """Call every observer."""
        for observer in self._observers:
            observer.stage_status(stage, readiness, lags)

    def store_sizes(self, sizes: Mapping[int, StoreSize], partitions: int) -> None:
        """Call every observer."""
        for observer in self._observers:
            observer.store_sizes(sizes, partitions)

    def detector_size(self, size: DetectorSize) -> None:
        """Call every observer."""
        for observer in self._observers:
            observer.detector_size(size)

    def snapshot_finished(self, outcome: str, seconds: float) -> None:
        """Call every observer."""
        for observer in self._observers:
            observer.snapshot_finished(outcome, seconds)

    def notice_lags(self, lags: Mapping[int, int | None]) -> None:
        """Call every observer."""
        for observer in self._observers:
            observer.notice_lags(lags)


def _merged(headers: Iterable[Mapping[str, bytes]]) -> Mapping[str, bytes]:
    return {name: value for mapping in headers for name, value in mapping.items()}


@contextmanager
def observed(observer: Observer, stage: str) -> Iterator[None]:
    """Report the outcome of the transaction in the block, after recording a loop iteration.

    A transaction may last as long as an iteration may.
    """
    observer.loop_iteration()
    try:
        yield
    except ProducerFenced:
        observer.transaction_ended(stage, "fenced")
        raise
    except ProducerUnusable:
        observer.transaction_ended(stage, "unknown")
        raise
    except TransactionAborted:
        observer.transaction_ended(stage, "aborted")
        raise
    observer.transaction_ended(stage, "committed")
