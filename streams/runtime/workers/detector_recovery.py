"""Recovery of the detector: restore the counts and the state of the published alerts."""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from schemas.alert import Alert
from schemas.errors import StateError
from schemas.prior import PriorRefit
from schemas.rejected import Rejected
from schemas.rules_change import DetectorRules, RulesChange
from schemas.safety_alert import SafetyAlert
from streams.core.detection.detector import Detector
from streams.core.detection.rules_in_force import (
    difference_in_words,
    rules_change,
    rules_of_alerts,
)
from streams.runtime.broker.clients import TopicPartition
from streams.runtime.broker.topic_reader import (
    committed_offset,
    read_in_steps,
    read_to_end,
    requiring,
)
from streams.runtime.broker.topics import topic_name
from streams.runtime.settings import Settings
from streams.runtime.state.snapshot import read_snapshot
from streams.runtime.wire.alerts import AnyAlert, decode_alert
from streams.runtime.wire.deltas import decode_delta
from streams.runtime.workers.detector_session import apply_deltas, deltas_deleted
from streams.runtime.workers.notice_reader import NoticeReader

__all__ = ["Restored", "RulesGuard", "restore_detector"]


@dataclass(frozen=True, slots=True)
class Restored:
    """A detector in the state of its last published alerts.

    Attributes
    ----------
    notices
        Read up to the end there was.
    next_offset
        Of the deltas: those before it are counted, and their alerts published.
    signals
        Number of published signals.
    first
        Whether the group has no committed offset.
    rules
        Record of the rules to publish before any alert; None if they are those published.
    """

    detector: Detector
    notices: NoticeReader
    next_offset: int
    signals: int
    first: bool
    rules: RulesChange | None


@dataclass(frozen=True, slots=True)
class RulesGuard:
    """Compares the rules of a detector with those that the published signals were made with.

    Attributes
    ----------
    rules
        Of the detector.
    may_change
        Whether rules that differ are meant: then the change is published, once.
    """

    settings: Settings
    rules: DetectorRules
    may_change: bool = False

    def published(self) -> RulesChange | None:
        """Return the last published record of the rules; None on topics that have none."""
        last = None
        for record in read_to_end(self.settings, topic_name(self.settings, "rules")):
            last = RulesChange.model_validate_json(record.value)
        return last

    def difference(self, published: RulesChange | None) -> str | None:
        """Return why this detector may not publish; None if it may."""
        if published is None or self.may_change:
            return None
        return difference_in_words(published.now, self.rules) or None

    def require(
        self, published: RulesChange | None, latest: Iterable[Alert], *, watermark: int
    ) -> RulesChange | None:
        """Return the record to publish; None if the rules are those published.

        Parameters
        ----------
        published
            Result of `published`.
        latest
            The latest alert of each signal: they state the rules where no record does.

        Raises
        ------
        StateError
            If they differ, and that is not meant. Start with the rules of before; or with
            `--change-rules`, and subscribers get one notice.
        """
        before = rules_of_alerts(latest) if published is None else published.now
        words = "" if before is None else difference_in_words(before, self.rules)
        if words and not self.may_change:
            msg = (
                f"{topic_name(self.settings, 'rules')}: a detector must have the rules that the "
                f"published signals were made with; got {words}. Start it with those, or with "
                "--change-rules: then every subscriber gets one notice of the change"
            )
            raise StateError(msg)
        if published is not None and not words:
            return None
        number = 1 if published is None else published.number + 1
        previous = before if words else None
        return rules_change(previous, self.rules, number=number, watermark=watermark)


def restore_detector(
    settings: Settings,
    consumer: Any,
    topic_partition: TopicPartition,
    detector: Detector,
    snapshot: Path,
    set_aside: Callable[[Sequence[Rejected]], None],
    guard: RulesGuard,
) -> Generator[float, None, Restored]:
    """Restore the state of the last published alerts; yield the fraction that is done.

    A generator, since it may take longer than the group waits for a poll: poll between its steps.
    Signals and priors that are deleted before they are read are skipped; of deltas and notices none
    may be missing.

    Parameters
    ----------
    consumer
        The member of the group; the partition is paused meanwhile.
    topic_partition
        Of the deltas.
    detector
        A new one.
    snapshot
        Folder of the snapshot.
    set_aside
        Publishes notices that cannot be read.
    guard
        Refuses other rules than those of the published signals.

    Raises
    ------
    StateError
        If the deltas are not those of the snapshot, or one is missing; or a notice. If the rules
        are not those that the published signals were made with.
    """
    yield 0.0
    published = guard.published()
    if published is not None:  # before the counts are restored, which takes long
        guard.require(published, (), watermark=-1)
    start = read_snapshot(snapshot, detector, topic=topic_partition.topic)
    latest: dict[bytes, AnyAlert] = {}
    for record, _ in read_in_steps(settings, topic_name(settings, "signals")):
        if record is not None:
            latest[record.key] = decode_alert(record.value)
        yield 0.0
    signals = [alert for alert in latest.values() if isinstance(alert, Alert)]
    guard.require(published, signals, watermark=-1)
    committed = committed_offset(consumer, topic_partition)
    end = consumer.end_offsets([topic_partition])[topic_partition]
    if max(start, committed or 0) > end or (committed is not None and start > committed):
        msg = (
            f"snapshot {snapshot}: must not be ahead of {topic_partition.topic}, which ends at "
            f"{end} and is published up to {committed}; got {start}: it belongs to another broker "
            "or the topic was created again. Move it away, or use another topic_prefix"
        )
        raise StateError(msg)
    next_offset = yield from _replay(
        settings, consumer, topic_partition, detector, start, committed, latest.values()
    )
    alerts = latest.values()
    detector.restore_signals(signals)
    detector.safety.restore(alert for alert in alerts if isinstance(alert, SafetyAlert))
    for record in read_to_end(settings, topic_name(settings, "priors")):
        detector.restore_prior(PriorRefit.model_validate_json(record.value))
    detector.settle()
    notices = NoticeReader(settings, detector.safety, set_aside)
    try:
        yield from notices.restore(latest.values())
    except BaseException:
        notices.close()
        raise
    rules = guard.require(published, signals, watermark=detector.watermark)
    return Restored(detector, notices, next_offset, len(latest), committed is None, rules)


def _replay(
    settings: Settings,
    consumer: Any,
    topic_partition: TopicPartition,
    detector: Detector,
    start: int,
    committed: int | None,
    latest: Iterable[AnyAlert],
) -> Generator[float, None, int]:
    """Count the deltas from `start` whose alerts are published; return the next offset.

    Raises
    ------
    StateError
        If deltas are deleted, before or while they are read.
    """
    if committed == start:
        return start
    # A group that was empty for a week has lost its offsets; then the alerts have those of reports.
    evaluated: dict[int, int] = {}
    for alert in latest:
        for read in alert.as_of:
            if read.topic != detector.topic:
                continue  # notices are read from their first one on
            evaluated[read.partition] = max(evaluated.get(read.partition, 0), read.next_offset)
    next_offset = start
    with requiring(partial(_require_from, consumer, topic_partition, start)):
        for record, fraction in read_in_steps(settings, topic_partition.topic, start=start):
            if record is not None:
                if committed is not None and record.offset >= committed:
                    return committed
                delta = decode_delta(record.value)
                if committed is None and delta.next_offset > evaluated.get(delta.partition, 0):
                    return next_offset
                apply_deltas(detector, topic_partition, [delta])
                next_offset = record.offset + 1
            yield fraction
    return next_offset if committed is None else committed


def _require_from(consumer: Any, topic_partition: TopicPartition, start: int) -> None:
    if consumer.beginning_offsets([topic_partition])[topic_partition] > start:
        raise deltas_deleted(topic_partition)
