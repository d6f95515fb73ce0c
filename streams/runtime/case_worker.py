"""The case stage on Kafka: any number of workers, one group, one database a partition.

What makes it exact: the store commits versions, offset and outbox in one write; then one
transaction publishes the outbox with the input offset; then the outbox is forgotten. A crash
in between leaves work that is found and finished on the next start.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kafka import ConsumerRebalanceListener, TopicPartition

from schemas.errors import BrokerError, StateError
from schemas.rejected import Rejected
from streams.runtime.case_stage import CaseStage, Incoming, read_batch
from streams.runtime.codec import decode_outgoing
from streams.runtime.kafka_errors import broker_errors
from streams.runtime.kafka_io import (
    ProducerFenced,
    ProducerUnusable,
    TransactionAborted,
    discard,
    make_consumer,
    make_producer,
    transaction,
)
from streams.runtime.rejects import reject_record
from streams.runtime.settings import Settings
from streams.runtime.store import RocksStore
from streams.runtime.topics import topic_name

__all__ = ["CaseWorker", "case_group"]

_LOG = logging.getLogger(__name__)
_ATTEMPTS = 5  # to publish one batch, before the worker gives up and says so


def case_group(settings: Settings) -> str:
    """Return the consumer group of the case stage."""
    return f"{settings.topic_prefix}cases"


@dataclass
class _Owned:
    """A partition this worker holds."""

    store: RocksStore
    stage: CaseStage
    producer: Any
    next_offset: int  # of the input, as the store has it
    published: int  # input offset up to which the group has committed


class CaseWorker:
    """Reads partitions of `pv.reports`, keeps their cases, publishes deltas and rejects.

    Parameters
    ----------
    settings
        How to reach the broker, and where the databases are.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = topic_name(settings, "reports")
        self._owned: dict[int, _Owned] = {}
        self.tally: Counter[str] = Counter()
        self._consumer = make_consumer(settings, case_group(settings))
        self._consumer.subscribe([self._topic], listener=_Release(self))

    def step(self, timeout_ms: int) -> int:
        """Poll once, count what came and publish it; return the number of messages.

        Raises
        ------
        BrokerError
            If publishing failed for good, or the broker refused.
        StateError
            If a database cannot be used, or the input begins after what it had counted.
        """
        with broker_errors(f"read {self._topic}"):
            polled = self._consumer.poll(timeout_ms=timeout_ms)
            fresh = self._take_over()
        number = 0
        for partition, records in polled.items():
            if partition.partition in fresh or partition.partition not in self._owned:
                continue  # polled from a position that was not the store's; it is read again
            number += self._count(partition, records)
        return number

    def drained(self, ends: dict[int, int]) -> bool:
        """Whether the group has published everything up to these input offsets."""
        with broker_errors(f"read the offsets of {self._topic}"):
            return all(
                (self._consumer.committed(TopicPartition(self._topic, partition)) or 0) >= end
                for partition, end in ends.items()
            )

    def ends(self) -> dict[int, int]:
        """Return the end offset of every partition of the input, now."""
        return end_offsets(self._consumer, self._topic)

    def close(self) -> None:
        """Leave the group and close the databases."""
        self.release(list(self._owned))
        self._consumer.close()

    def release(self, partitions: Sequence[int]) -> None:
        """Close what belongs to partitions that move elsewhere; every batch is finished by then."""
        for partition in partitions:
            if owned := self._owned.pop(partition, None):
                discard(owned.producer)
                owned.store.close()
                _LOG.info("released %s[%d]", self._topic, partition)

    def _take_over(self) -> set[int]:
        assigned = {entry.partition for entry in self._consumer.assignment()}
        fresh = assigned - set(self._owned)
        for partition in sorted(fresh):
            self._open(partition)
        return fresh

    def _open(self, partition: int) -> None:
        at = TopicPartition(self._topic, partition)
        published = self._consumer.committed(at) or 0
        first = self._consumer.beginning_offsets([at])[at]
        identity = f"{self._topic}[{partition}]"
        store = RocksStore(Path(self._settings.state_dir) / "cases" / str(partition), identity)
        try:
            start = store.next_offset
            if start is None:
                # Without a database the cases are counted again from the first report; what the
                # group has published already is not published again.
                start = first
            if start < first or (first > 0 and store.next_offset is None):
                msg = (
                    f"{identity}: every report from offset {store.next_offset or 0} on is "
                    f"needed to know the cases; got a topic that begins at {first}. Restore "
                    "the database of this partition from a backup"
                )
                raise StateError(msg)
            producer = make_producer(self._settings, f"{self._topic}-cases-{partition}")
        except BaseException:
            store.close()
            raise
        stage = CaseStage(store, partition=partition, keep_outbox=True)
        owned = _Owned(store, stage, producer, start, published)
        self._owned[partition] = owned
        self._consumer.seek(at, start)
        self._publish(at, owned)
        _LOG.info("took %s[%d] at offset %d", self._topic, partition, start)

    def _count(self, at: TopicPartition, records: Sequence[Any]) -> int:
        owned = self._owned[at.partition]
        batch = [record for record in records if record.offset >= owned.next_offset]
        if batch and batch[0].offset > owned.next_offset:
            self._require_nothing_deleted(at, owned)
        # A range that was published before this database existed ends where that one's did.
        behind = [record for record in batch if record.offset < owned.published]
        rest = batch[len(behind) :]
        if behind:
            self._count_part(at, owned, behind)
        if rest:
            owned.next_offset = max(owned.next_offset, owned.published)
            self._count_part(at, owned, rest)
        return len(batch)

    def _require_nothing_deleted(self, at: TopicPartition, owned: _Owned) -> None:
        first = self._consumer.beginning_offsets([at])[at]
        if first > owned.next_offset:
            msg = (
                f"{at.topic}[{at.partition}]: every report must be counted; got a topic that now "
                f"begins at {first}, with offsets {owned.next_offset} to {first - 1} deleted "
                "unread. Lengthen its retention and restore the reports from their source"
            )
            raise StateError(msg)

    def _count_part(self, at: TopicPartition, owned: _Owned, records: Sequence[Any]) -> None:
        first, following = owned.next_offset, records[-1].offset + 1
        messages = [Incoming(record.offset, record.value or b"", record.key) for record in records]
        versions, rejected = read_batch(
            messages,
            source=f"{self._topic}[{at.partition}]",
            horizon=datetime.now(UTC).date() + timedelta(days=1),
        )
        counted = owned.stage.count(
            [version for _, version in versions],
            rejected,
            first_offset=first,
            next_offset=following,
        )
        owned.next_offset = following
        self.tally.update(counted.tally)
        self.tally["rejected"] += len(rejected)
        self._publish(at, owned)

    def _publish(self, at: TopicPartition, owned: _Owned) -> None:
        """Publish the outbox, each batch in a transaction of its own with its input offset."""
        for following, raw in owned.store.unpublished():
            if following > owned.published:
                self._publish_one(at, owned, following, raw)
                owned.published = following
            owned.store.published(following)

    def _publish_one(self, at: TopicPartition, owned: _Owned, following: int, raw: bytes) -> None:
        outgoing = decode_outgoing(raw)
        deltas, rejects = (topic_name(self._settings, name) for name in ("deltas", "rejected"))
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with transaction(
                    owned.producer,
                    offsets={at: following},
                    group_metadata=self._consumer.group_metadata(),
                ) as out:
                    key = str(at.partition).encode()
                    out.send(deltas, outgoing.delta, key, partition=0)
                    for reject in outgoing.rejected:
                        value, name, headers = reject_record(Rejected.model_validate_json(reject))
                        out.send(rejects, value, name, headers=headers)
                return
            except ProducerFenced:
                raise
            except ProducerUnusable as error:
                _LOG.warning("attempt %d: %s", attempt, error)
                discard(owned.producer)
                owned.producer = make_producer(
                    self._settings, f"{self._topic}-cases-{at.partition}"
                )
                # The new producer ended the old one's transaction, one way or the other.
                if (self._consumer.committed(at) or 0) >= following:
                    return
            except TransactionAborted as error:
                _LOG.warning("attempt %d: %s", attempt, error)
        msg = f"publish {self._topic}[{at.partition}]: gave up after {_ATTEMPTS} attempts"
        raise BrokerError(msg)


def end_offsets(consumer: Any, topic: str) -> dict[int, int]:
    """Return the end offset of every partition of a topic, now."""
    with broker_errors(f"read the offsets of {topic}"):
        numbers = consumer.partitions_for_topic(topic) or set()
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        return {at.partition: end for at, end in consumer.end_offsets(partitions).items()}


class _Release(ConsumerRebalanceListener):  # type: ignore[misc]
    """Closes the databases of partitions that leave; `step` opens those that come."""

    def __init__(self, worker: CaseWorker) -> None:
        self._worker = worker

    def on_partitions_revoked(self, revoked: Any) -> None:
        self._worker.release([at.partition for at in revoked])

    def on_partitions_lost(self, lost: Any) -> None:
        self._worker.release([at.partition for at in lost])

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Nothing: opening a database here would hold up the heartbeat."""
