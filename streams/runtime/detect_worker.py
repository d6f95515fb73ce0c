"""The detector stage on Kafka: one active, the next member of its group standing by.

Counts are restored from a snapshot and the deltas after it; what was published comes from
`pv.signals`, which is written in the transactions that publish the alerts. So a restart neither
repeats an alert nor forgets one.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
from kafka import ConsumerRebalanceListener, TopicPartition

from detectors.rules import RuleSet
from schemas.alert import Alert
from schemas.errors import StateError
from streams.runtime.case_worker import end_offsets
from streams.runtime.codec import decode_delta
from streams.runtime.kafka_errors import broker_errors
from streams.runtime.kafka_io import (
    ProducerUnusable,
    TransactionAborted,
    discard,
    make_consumer,
    make_producer,
    transaction,
)
from streams.runtime.settings import Settings
from streams.runtime.snapshot import read_snapshot, write_snapshot
from streams.runtime.topics import topic_name
from streams.topology.detecting import Detector
from streams.topology.windows import WindowSpec

__all__ = ["DetectWorker", "detect_group"]

_LOG = logging.getLogger(__name__)
_SNAPSHOT_SECONDS = 300.0  # a restart reads at most so much of the deltas again
_READ_MS = 1_000


def detect_group(settings: Settings) -> str:
    """Return the consumer group of the detector stage."""
    return f"{settings.topic_prefix}detect"


class DetectWorker:
    """Reads `pv.deltas`, keeps the counts, publishes alerts and the state of signals.

    Parameters
    ----------
    settings
        How to reach the broker, and where the snapshot is.
    windows, rules
        What to keep and what to ask.
    """

    def __init__(self, settings: Settings, windows: Iterable[WindowSpec], rules: RuleSet) -> None:
        self._settings = settings
        self._windows = list(windows)
        self._rules = rules
        self._topic = topic_name(settings, "deltas")
        self._at = TopicPartition(self._topic, 0)
        self._snapshot = Path(settings.state_dir) / "detect"
        self._snapshot_due = 0.0
        self._closed_day = -1  # the last day that was evaluated in full
        self._producer: Any = None
        self.detector: Detector | None = None  # None while standing by
        self.tally: Counter[str] = Counter()
        self._consumer = make_consumer(settings, detect_group(settings))
        self._consumer.subscribe([self._topic], listener=_StandBy(self))

    def step(self, timeout_ms: int) -> int:
        """Poll once, count what came, publish the alerts due; return the number of deltas.

        Raises
        ------
        BrokerError
            If the broker refused.
        StateError
            If the deltas are not those of the snapshot, or one is missing.
        """
        with broker_errors(f"read {self._topic}"):
            polled = self._consumer.poll(timeout_ms=timeout_ms)
            if self._at not in self._consumer.assignment():
                return 0
            if self.detector is None:
                self._restore()
                return 0
        records = polled.get(self._at, [])
        if records:
            try:
                self._count(self.detector, records)
            except (TransactionAborted, ProducerUnusable) as error:
                # The counts are ahead of what is published: begin again from what is.
                _LOG.warning("restoring after: %s", error)
                self.stand_by()
        return len(records)

    def drained(self, ends: dict[int, int]) -> bool:
        """Whether everything up to these offsets of the input is counted and published."""
        if self.detector is None:
            return False
        counted = self.detector.offsets
        return all(counted.get(partition, 0) >= end for partition, end in ends.items())

    def ends(self) -> dict[int, int]:
        """Return the end offset of every partition of the reports, now."""
        return end_offsets(self._consumer, topic_name(self._settings, "reports"))

    def counts(self) -> pl.DataFrame | None:
        """Return the counts of every window; `None` while standing by."""
        return None if self.detector is None else self.detector.all_counts()

    def stand_by(self) -> None:
        """Give up the counts; they are restored if the partition comes back."""
        if self._producer is not None:
            discard(self._producer)
        self._producer = None
        self.detector = None

    def close(self) -> None:
        """Write a snapshot and leave the group."""
        if self.detector is not None:
            self._write_snapshot(self.detector, self._consumer.position(self._at))
        self.stand_by()
        self._consumer.close()

    def _restore(self) -> None:
        detector = Detector(self._windows, self._rules, topic=topic_name(self._settings, "reports"))
        # First the producer: it ends an open transaction of a predecessor, one way or the other.
        self._producer = make_producer(self._settings, f"{self._topic}-detect")
        start = read_snapshot(self._snapshot, detector, topic=self._topic)
        committed = self._consumer.committed(self._at) or 0
        if start > committed:
            msg = (
                f"snapshot {self._snapshot}: must not be ahead of {self._topic}, committed up to "
                f"{committed}; got {start}: it belongs to another broker. Move it away"
            )
            raise StateError(msg)
        for record in self._read(self._topic, start, committed):
            detector.apply(decode_delta(record.value))
        latest: dict[bytes, Alert] = {}
        for record in self._read(topic_name(self._settings, "signals")):
            latest[record.key] = Alert.model_validate_json(record.value)
        detector.restore_signals(latest.values())
        detector.settle()
        self._consumer.seek(self._at, committed)
        self.detector = detector
        self._closed_day = detector.watermark - 1
        self._snapshot_due = time.monotonic() + _SNAPSHOT_SECONDS
        _LOG.info("detecting from offset %d, %d signals known", committed, len(latest))

    def _read(self, topic: str, start: int = 0, end: int | None = None) -> Iterable[Any]:
        """Yield the committed records of a topic from an offset to an end, by default its own."""
        reader = make_consumer(self._settings)
        try:
            stops = end_offsets(reader, topic)
            partitions = [TopicPartition(topic, number) for number in stops]
            reader.assign(partitions)
            for at in partitions:
                reader.seek(at, start)
            waiting = set(partitions)
            while waiting:
                for records in reader.poll(timeout_ms=_READ_MS).values():
                    for record in records:
                        if end is None or record.offset < end:
                            yield record
                waiting = {
                    at
                    for at in waiting
                    if reader.position(at) < (stops[at.partition] if end is None else end)
                }
        finally:
            reader.close()

    def _count(self, detector: Detector, records: list[Any]) -> None:
        for record in records:
            self.tally["deltas"] += detector.apply(decode_delta(record.value))
        today = detector.watermark
        following = records[-1].offset + 1
        # Margins move pairs that no report touched: those are found once, when a day is over.
        day_over = today > self._closed_day + 1
        alerts = detector.evaluate(today, touched_only=not day_over) if today >= 0 else []
        if day_over:
            self._closed_day = today - 1
        names = [topic_name(self._settings, name) for name in ("alerts", "signals")]
        with transaction(
            self._producer,
            offsets={self._at: following},
            group_metadata=self._consumer.group_metadata(),
        ) as out:
            for alert in alerts:
                value = alert.model_dump_json().encode()
                for name in names:
                    out.send(name, value, alert.signal_key.encode())
        self.tally.update(alert.kind.value for alert in alerts)
        if time.monotonic() > self._snapshot_due:
            self._write_snapshot(detector, following)

    def _write_snapshot(self, detector: Detector, next_offset: int) -> None:
        write_snapshot(self._snapshot, detector, topic=self._topic, next_offset=next_offset)
        self._snapshot_due = time.monotonic() + _SNAPSHOT_SECONDS


class _StandBy(ConsumerRebalanceListener):  # type: ignore[misc]
    """Gives up the counts when another member takes the partition."""

    def __init__(self, worker: DetectWorker) -> None:
        self._worker = worker

    def on_partitions_revoked(self, revoked: Any) -> None:
        if revoked:
            self._worker.stand_by()

    def on_partitions_lost(self, lost: Any) -> None:
        if lost:
            self._worker.stand_by()

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Nothing: restoring here would hold up the heartbeat."""
