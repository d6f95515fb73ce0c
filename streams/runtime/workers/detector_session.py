"""What a detector at work has counted and heard since it last looked, and what a look gives."""

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
_MOST_HEARD = 4 << 20  # bytes of deltas that wait to be counted: some 100,000 reports of a backlog


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """A look at counts and notices, to be published.

    Attributes
    ----------
    refit
        The prior it was made with, if that is a new one.
    suppressed
        Changes of signals that are not told, by reason.
    began
        When the poll ended that brought the first of what led to it, on a clock that only rises.
    alone
        Whether its alerts are to be out before anything else is counted: it closed a day, or is
        one of a backlog, on which looks and publishing are to take a small part of the time.
    """

    evaluation: EvaluationEvent
    refit: PriorRefit | None
    suppressed: Counter[str]
    began: float
    alone: bool

    @property
    def is_to_publish(self) -> bool:
        """Whether there is anything: alerts, or the offset of deltas."""
        return bool(self.evaluation.deltas or self.evaluation.revisions)

    def tally(self) -> Counter[str]:
        """Return how many deltas it took in, alerts it gave and changes it did not tell."""
        evaluation = self.evaluation
        tally = Counter(deltas=sum(delta.fresh for delta in evaluation.deltas))
        tally.update(alert.kind.value for alert in evaluation.alerts)
        tally.update(alert.category.value for alert in evaluation.safety_alerts)
        tally.update({f"suppressed, {why}": number for why, number in self.suppressed.items()})
        return tally


class DetectorSession:
    """Hears deltas and notices for a restored detector, and counts and looks when it is time.

    Parameters
    ----------
    at
        Topic and partition of the deltas.
    """

    def __init__(
        self, detector: Detector, notices: NoticeReader, at: TopicPartition, observer: Observer
    ) -> None:
        self.detector = detector
        self.notices = notices
        self._at = at
        self._observer = observer
        self._pacing = EvaluationSchedule()
        self._heard: list[tuple[Any, float]] = []  # records not counted yet; when each was polled
        self._applied: list[Applied] = []  # counted since the last look
        self._ends: Mapping[int, int] = {}  # of the reports, when it was asked for them last
        self._asked = -math.inf
        self._closed_day = detector.watermark - 1  # the last day that was evaluated in full

    @property
    def held(self) -> bool:
        """Whether deltas or notices wait for a look."""
        return bool(self._heard or self._applied or self.notices.heard)

    @property
    def patience(self) -> float:
        """Seconds that the next poll may last, if something waits for a look."""
        return self._pacing.patience

    def wait(self) -> float:
        """Return the seconds until a look is due, if anything waits for it; 0 if it is."""
        return self._pacing.wait()

    def hear(self, records: Sequence[Any], polled_at: float) -> None:
        """Take the deltas of a poll, perhaps none; they are counted at the next look, if not now.

        Together, for most of what a small delta costs is the same for many.
        """
        self._heard += [(record, polled_at) for record in records]
        times = (ReportTimes.from_headers(dict(record.headers)) for record in records)
        self._pacing.polled(age_of_newest(times, time.time()) if records else None)
        if sum(len(record.value) for record, _ in self._heard) > _MOST_HEARD:
            self._count()

    def catch_up(self, ends: Callable[[], Mapping[int, int]]) -> None:
        """End the backlog, if what stood on the reports a moment ago has come.

        Parameters
        ----------
        ends
            Asks for the end offset of every partition of the reports: at the beginning of a
            backlog, and when it seems to be over.
        """
        if not (self.held and self._pacing.behind and self._reached()):
            return
        if time.monotonic() - self._asked > BACKLOG_AGE:
            self._ends, self._asked = ends(), time.monotonic()
        if self._reached():
            self._pacing.caught_up()

    def _reached(self) -> bool:
        come = dict(self.detector.offsets)
        for record, _ in self._heard:
            partition, following = end_of_delta(record.value)
            come[partition] = max(come.get(partition, 0), following)
        return all(come.get(partition, 0) >= end for partition, end in self._ends.items())

    def _count(self) -> None:
        if not self._heard:
            return
        began = time.monotonic()
        deltas = [decode_delta(record.value) for record, _ in self._heard]
        news = apply_deltas(self.detector, self._at, deltas)
        seconds = (time.monotonic() - began) / len(deltas)
        for (record, polled_at), delta, fresh in zip(self._heard, deltas, news, strict=True):
            first, following = delta.first_offset, delta.next_offset
            batch = Batch(self.detector.topic, delta.partition, first, following)
            self._applied.append(Applied.of(record, batch, fresh, seconds, polled_at))
            self._observer.applied(self._applied[-1])
        self._heard = []

    def look(self) -> EvaluationResult:
        """Return the revisions that are due; nothing waits for a look any more."""
        began = time.monotonic()
        self._pacing.begin()
        self._count()
        detector, notices, deltas = self.detector, self.notices, self._applied
        self._applied = []
        today = detector.watermark
        # Margins move pairs that no report touched: those are found once, when a day is over.
        day_over = bool(deltas) and today > self._closed_day + 1
        refit = detector.refit_if_due(today) if day_over else None
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
            notices=notices.heard,
            last_notice=notices.last,
        )
        notices.heard = 0
        self._pacing.made()
        polled_at = deltas[0].polled_at if deltas else notices.polled_at
        alone = day_over or self._pacing.behind
        return EvaluationResult(evaluation, refit, detector.suppressed - before, polled_at, alone)

    def published(self, look: EvaluationResult) -> None:
        """Take note that what a look gave is published, and nothing else counted since."""
        self._pacing.end()
        if look.evaluation.full:
            self._closed_day = self.detector.watermark - 1

    def close(self) -> None:
        """Read no more notices."""
        self.notices.close()

    def _safety_alerts(self) -> list[SafetyAlert]:
        # Either clock may be behind the other: reports come by the batch, notices by themselves.
        today = max(self.detector.watermark, self.notices.latest)
        if today < 0:
            return []
        counted = [
            InputOffset(topic=self.detector.topic, partition=partition, next_offset=offset)
            for partition, offset in sorted(self.detector.offsets.items())
        ]
        as_of = [*counted, *self.notices.as_of()]
        return self.detector.watch.evaluate(_EPOCH + timedelta(days=today), as_of)


def deltas_deleted(at: TopicPartition) -> StateError:
    """Return the error of a topic that has lost deltas before they were counted."""
    return StateError(
        f"{at.topic}: every delta must be counted; got a topic that no longer has those due "
        "next: they were deleted. Restore the snapshot or the topic from a backup"
    )


def apply_deltas(detector: Detector, at: TopicPartition, deltas: Sequence[Delta]) -> list[bool]:
    """Count deltas in the order of their topic; return whether each was news."""
    known = set(detector.offsets)
    for delta in deltas:
        if delta.partition not in known and delta.first_offset > 0:
            raise deltas_deleted(at)
        known.add(delta.partition)
    return detector.apply_all(deltas)


def age_of_newest(times: Iterable[ReportTimes | None], now: float) -> float:
    """Return how long ago the newest report of some deltas was sent [s]; 0 if that is not known."""
    newest = max((each.newest / 1000 for each in times if each), default=now)
    return max(now - newest, 0.0)
