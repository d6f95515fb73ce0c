"""Session of an active detector: pending deltas and notices, and results of evaluations."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from schemas.alert import Alert, InputOffset
from schemas.delta import Delta
from schemas.errors import StateError
from schemas.prior import PriorRefit
from schemas.safety_alert import SafetyAlert
from streams.core.detection.detector import Detector
from streams.runtime.broker.clients import TopicPartition
from streams.runtime.observability.observer import Applied, EvaluationEvent, Observer
from streams.runtime.wire.batches import Batch, ReportTimes
from streams.runtime.wire.deltas import decode_delta, end_of_delta
from streams.runtime.workers.evaluation_schedule import BACKLOG_AGE, EvaluationSchedule
from streams.runtime.workers.notice_reader import NoticeReader

__all__ = [
    "DetectorSession",
    "EvaluationResult",
    "age_of_newest",
    "apply_deltas",
    "deltas_deleted",
]

_EPOCH = date(1970, 1, 1)
_MOST_UNCOUNTED = 4 << 20  # [bytes] of uncounted deltas: some 100,000 reports


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """Result of an evaluation of counts and notices, to be published.

    Attributes
    ----------
    refits
        The priors that were refitted for this evaluation; usually none.
    suppressed
        Number of suppressed signal changes, by reason.
    began
        Monotonic time when its first delta or notice was polled [s].
    alone
        Whether its alerts must be published before anything else is counted: it closed a day, or
        the detector lags and must spend little time on evaluating and publishing.
    """

    evaluation: EvaluationEvent
    refits: Sequence[PriorRefit]
    suppressed: Counter[str]
    began: float
    alone: bool

    @property
    def is_to_publish(self) -> bool:
        """Return whether it has alerts, or deltas whose offset is to be committed."""
        return bool(self.evaluation.deltas or self.evaluation.revisions)

    def tally(self) -> Counter[str]:
        """Return its number of deltas, of alerts by kind and of suppressed changes by reason."""
        evaluation = self.evaluation
        tally = Counter(deltas=sum(delta.fresh for delta in evaluation.deltas))
        tally.update(alert.kind.value for alert in evaluation.alerts)
        tally.update(alert.category.value for alert in evaluation.safety_alerts)
        tally.update({f"suppressed, {why}": number for why, number in self.suppressed.items()})
        return tally


class DetectorSession:
    """Collects deltas and notices for a restored detector, and evaluates them when it is due.

    Parameters
    ----------
    topic_partition
        Of the deltas.
    """

    def __init__(
        self,
        detector: Detector,
        notices: NoticeReader,
        topic_partition: TopicPartition,
        observer: Observer,
    ) -> None:
        self.detector = detector
        self.notices = notices
        self._input = topic_partition
        self._observer = observer
        self._schedule = EvaluationSchedule()
        self._uncounted: list[tuple[Any, float]] = []  # records, with the time of their poll
        self._applied: list[Applied] = []  # counted since the last evaluation
        self._ends: Mapping[int, int] = {}  # of the reports, as of `_asked`
        self._asked = -math.inf
        self._closed_day = detector.watermark - 1  # the last day that was evaluated in full

    @property
    def is_pending(self) -> bool:
        """Return whether deltas or notices are unevaluated."""
        return bool(self._uncounted or self._applied or self.notices.unevaluated)

    @property
    def poll_seconds(self) -> float:
        """Return the longest duration of the next poll, if something is unevaluated [s]."""
        return self._schedule.poll_seconds

    def wait(self) -> float:
        """Return the seconds until something unevaluated is to be evaluated; 0 if that is due."""
        return self._schedule.wait()

    def receive(self, records: Sequence[Any], polled_at: float) -> None:
        """Add the deltas of a poll, perhaps none; they are counted at the next evaluation.

        Together, since most of the cost of a small delta is the same for many. Deltas of many
        bytes are counted now.
        """
        self._uncounted += [(record, polled_at) for record in records]
        times = (ReportTimes.from_headers(dict(record.headers)) for record in records)
        self._schedule.polled(age_of_newest(times, time.time()) if records else None)
        if sum(len(record.value) for record, _ in self._uncounted) > _MOST_UNCOUNTED:
            self._count()

    def catch_up(self, ends: Callable[[], Mapping[int, int]]) -> None:
        """End the lag, if every report on the topic has been received.

        Parameters
        ----------
        ends
            Requests the end offset of every partition of the reports: at the beginning of a
            backlog, and when it seems to be over.
        """
        if not (self.is_pending and self._schedule.lagging and self._reached()):
            return
        if time.monotonic() - self._asked > BACKLOG_AGE:
            self._ends, self._asked = ends(), time.monotonic()
        if self._reached():
            self._schedule.caught_up()

    def _reached(self) -> bool:
        received = dict(self.detector.offsets)
        for record, _ in self._uncounted:
            partition, next_offset = end_of_delta(record.value)
            received[partition] = max(received.get(partition, 0), next_offset)
        return all(received.get(partition, 0) >= end for partition, end in self._ends.items())

    def _count(self) -> None:
        if not self._uncounted:
            return
        began = time.monotonic()
        deltas = [decode_delta(record.value) for record, _ in self._uncounted]
        counted = apply_deltas(self.detector, self._input, deltas)
        seconds = (time.monotonic() - began) / len(deltas)
        for (record, polled_at), delta, fresh in zip(self._uncounted, deltas, counted, strict=True):
            first, next_offset = delta.first_offset, delta.next_offset
            batch = Batch(self.detector.topic, delta.partition, first, next_offset)
            self._applied.append(Applied.of(record, batch, fresh, seconds, polled_at))
            self._observer.delta_applied(self._applied[-1])
        self._uncounted = []

    def evaluate(self) -> EvaluationResult:
        """Count and evaluate everything pending; return the revisions to publish."""
        began = time.monotonic()
        self._schedule.begin()
        self._count()
        detector, notices, deltas = self.detector, self.notices, self._applied
        self._applied = []
        today = detector.watermark
        # Margins change pairs that no report touched: they are evaluated once, when a day is over.
        day_over = bool(deltas) and today > self._closed_day + 1
        refits = detector.refit_if_due(today) if day_over else []
        before = Counter(detector.suppressed)
        alerts: list[Alert] = []
        if deltas and today >= 0:
            alerts = detector.evaluate(today, touched_only=not day_over, day_over=False)
        evaluation = EvaluationEvent(
            deltas,
            alerts,
            full=day_over,
            seconds=time.monotonic() - began,
            safety_alerts=self._safety_alerts(),
            notices=notices.unevaluated,
            last_notice=notices.last,
        )
        notices.unevaluated = 0
        self._schedule.end()
        polled_at = deltas[0].polled_at if deltas else notices.polled_at
        alone = day_over or self._schedule.lagging
        return EvaluationResult(evaluation, refits, detector.suppressed - before, polled_at, alone)

    def published(self, result: EvaluationResult) -> None:
        """Record that an evaluation is published, and nothing else counted since."""
        self._schedule.published()
        if result.evaluation.full:
            self._closed_day = self.detector.watermark - 1

    def close(self) -> None:
        """Stop consuming notices."""
        self.notices.close()

    def _safety_alerts(self) -> list[SafetyAlert]:
        # Either may lag: reports are received in batches, notices singly.
        today = max(self.detector.watermark, self.notices.latest)
        if today < 0:
            return []
        counted = [
            InputOffset(topic=self.detector.topic, partition=partition, next_offset=offset)
            for partition, offset in sorted(self.detector.offsets.items())
        ]
        as_of = [*counted, *self.notices.as_of()]
        return self.detector.safety.evaluate(_EPOCH + timedelta(days=today), as_of)


def deltas_deleted(topic_partition: TopicPartition) -> StateError:
    """Return the error of a topic that has lost deltas before they were counted."""
    return StateError(
        f"{topic_partition.topic}: every delta must be counted; got a topic that no longer has "
        "those due next: they were deleted. Restore the snapshot or the topic from a backup"
    )


def apply_deltas(
    detector: Detector, topic_partition: TopicPartition, deltas: Sequence[Delta]
) -> list[bool]:
    """Count deltas in the order of their topic; return for each whether it was new."""
    known = set(detector.offsets)
    for delta in deltas:
        if delta.partition not in known and delta.first_offset > 0:
            raise deltas_deleted(topic_partition)
        known.add(delta.partition)
    return detector.apply_all(deltas)


def age_of_newest(times: Iterable[ReportTimes | None], now: float) -> float:
    """Return the age of the newest report of some deltas [s]; 0 if it is not known."""
    newest = max((batch.newest / 1000 for batch in times if batch), default=now)
    return max(now - newest, 0.0)
