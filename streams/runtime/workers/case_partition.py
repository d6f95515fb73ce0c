"""Assigned partition of a case worker: counts and publishes its batches exactly once.

A message whose case belongs to another partition is not counted here: its copy is published there,
in the transaction of the batch (`streams.runtime.wire.rerouting`).
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from schemas.errors import BrokerError, IcsrError, RejectCode
from schemas.rejected import Rejected
from streams.core.cases.transitions import CaseVersion
from streams.runtime.broker.clients import TopicPartition, make_admin
from streams.runtime.broker.errors import KafkaError, one_line
from streams.runtime.broker.membership import Membership
from streams.runtime.broker.partitioner import is_placed, partition_of
from streams.runtime.broker.topics import topic_name
from streams.runtime.broker.transactions import Transaction
from streams.runtime.embedded.case_stage import CaseStage, Incoming, read_batch, reject
from streams.runtime.observability.observer import SILENT, Observer
from streams.runtime.observability.readiness import Blocked
from streams.runtime.settings import Settings
from streams.runtime.state.case_store import RocksStore, Unpublished
from streams.runtime.state.changelog import Progress, encode_pairs, encode_record
from streams.runtime.wire.batches import Batch, ReportTimes
from streams.runtime.wire.deltas import decode_outgoing
from streams.runtime.wire.limits import TooLarge
from streams.runtime.wire.rejects import reject_record
from streams.runtime.wire.rerouting import Rerouted, rerouted_record
from streams.runtime.workers.partition_publisher import PartitionPublisher

__all__ = ["CasePartition"]

_LOG = logging.getLogger(__name__)
_CHUNK_BYTES = 4 << 20  # state copied between two batches: some 30,000 cases, 50 ms


class _Read(NamedTuple):
    """What the messages of a batch say, and the timestamps of those that are not re-routed."""

    versions: list[CaseVersion]
    rejected: list[Rejected]
    rerouted: list[Rerouted]
    times: ReportTimes | None


@dataclass
class CasePartition:
    """Partition that is assigned to this worker, with its cases.

    Attributes
    ----------
    settings, consumer, member
        How to reach the broker, and the worker's membership of its group.
    topic_partition
        Of the input.
    partitions
        Number of partitions of the input, over which the cases are spread.
    store, publisher
        Its database, and the publisher of its outbox; `close` closes both.
    progress
        Of its changelog, as published.
    next_offset
        Next input offset to count, as in the store.
    published
        Input offset up to which deltas are published.
    rejected
        Published offsets that the database has yet to count, and that were rejected.
    tally
        Number of messages by outcome.
    observer
        Receives every batch, except one that is counted again to rebuild the database.
    """

    settings: Settings
    consumer: Any
    member: Membership
    topic_partition: TopicPartition
    partitions: int
    store: RocksStore
    publisher: PartitionPublisher
    progress: Progress
    next_offset: int
    published: int
    rejected: frozenset[int]
    tally: Counter[str] = field(default_factory=Counter)
    observer: Observer = SILENT

    def __post_init__(self) -> None:
        self._stage = CaseStage(
            self.store, partition=self.topic_partition.partition, keep_outbox=True
        )

    @property
    def fraction(self) -> float:
        """Return the fraction of the published input that the database has counted."""
        return min(self.next_offset / self.published, 1.0) if self.published else 1.0

    @property
    def blocked(self) -> Blocked | None:
        """Return why nothing is published, and since when; `None` if not blocked."""
        return self.publisher.blocked

    def close(self) -> None:
        """Close producer and database; unpublished batches stay in the outbox."""
        self.publisher.close()
        self.store.close()

    def count(self, records: Sequence[Any], next_offset: int) -> None:
        """Count the messages up to an offset, and begin to publish their delta.

        `publish` waits for the transaction. While the partition is blocked, the outbox grows.

        Parameters
        ----------
        records
            As polled, in order.
        next_offset
            The position after them and after markers of transactions.

        Raises
        ------
        Superseded
            If another worker owns the partition.
        BrokerError
            If the broker denies a right.
        """
        if self.publisher.busy:
            self.publish()
        if self.next_offset < self.published:
            # The database is being rebuilt: a batch must end at the last published offset.
            cut = min(next_offset, self.published)
            known = [record for record in records if record.offset < cut]
            records = records[len(known) :]
            # A rejected report stays rejected, even if its date is not in the future any more.
            known = [record for record in known if record.offset not in self.rejected]
            self._count_part(known, cut)
        if next_offset > self.next_offset:
            self._count_part(records, next_offset)

    def publish(self) -> None:
        """Publish the outbox, each batch in a transaction of its own with its input offset.

        Return early if the partition is blocked; the next call continues.
        """
        while self.publisher.settled() and self._begin_to_publish():
            pass

    def _begin_to_publish(self) -> bool:
        """Begin to publish the first unpublished batch; return whether there is one."""
        for entry in self.store.unpublished():
            if entry.next_offset > self.published:
                self._send(entry)
                return True
            self.store.published(entry.next_offset)
        return False

    def copy_state(self) -> None:
        """Copy a chunk of the state to the changelog, if the changelog has outgrown it.

        Raises
        ------
        Superseded, BrokerError
            See `count`.
        """
        if self.publisher.busy or not self.progress.due or self.next_offset != self.published:
            return
        changelog = self._changelog
        topic, number = changelog.topic, changelog.partition
        progress = self.progress
        if not progress.copying:
            progress = progress.begin_copy(self.consumer.end_offsets([changelog])[changelog])
            _LOG.info("%s[%d]: copying the cases into it", topic, number)
        pairs, ends = self.store.state_after(progress.copy_after, _CHUNK_BYTES)
        parts = encode_pairs(pairs)
        records = []
        done = 0
        for part in parts:
            after = progress.copy_after
            done += part.pairs
            until = pairs[done - 1][0] if pairs else after
            last = ends and part is parts[-1]
            progress = progress.after_chunk(part, until, last=last)
            span = (self.published, self.published)
            records.append(
                encode_record(self.partitions, span, progress, part.encoded, (after, until))
            )

        def send(out: Transaction) -> None:
            for record in records:
                out.send(topic, record, self._key, partition=number)

        def then() -> None:
            self.progress = progress
            if ends:
                _LOG.info("%s[%d]: whole from offset %d", topic, number, progress.base)
                # In a thread: an admin client may wait for a broker, and nothing waits for this.
                delete = partial(delete_before, self.settings, changelog, progress.base)
                threading.Thread(target=delete, name="tocsin-delete", daemon=True).start()

        self.publisher.send(send, None, then)
        self.publisher.settled()

    @property
    def _changelog(self) -> TopicPartition:
        return TopicPartition(topic_name(self.settings, "cases"), self.topic_partition.partition)

    @property
    def _source(self) -> str:
        return f"{self.topic_partition.topic}[{self.topic_partition.partition}]"

    @property
    def _key(self) -> bytes:
        return str(self.topic_partition.partition).encode()

    def _count_part(self, records: Sequence[Any], next_offset: int) -> None:
        began = time.monotonic()
        read = self._read(records)
        try:
            counted = self._stage.count(
                read.versions,
                read.rejected,
                first_offset=self.next_offset,
                next_offset=next_offset,
                times=read.times,
                rerouted=read.rerouted,
            )
        except TooLarge as error:
            if len(records) > 1:
                half = records[len(records) // 2].offset
                first = [record for record in records if record.offset < half]
                self._count_part(first, half)
                self._count_part(records[len(first) :], next_offset)
                return
            reason = f"report: {error}"
            refused = [self._reject(each, reason, RejectCode.TOO_LONG) for each in records]
            read = _Read([], refused, [], read.times)
            counted = self._stage.count(
                [],
                refused,
                first_offset=self.next_offset,
                next_offset=next_offset,
                times=read.times,
            )
        topic, number = self.topic_partition.topic, self.topic_partition.partition
        batch = Batch(topic, number, self.next_offset, next_offset)
        self.next_offset = next_offset
        if next_offset > self.published:
            self.observer.batch_counted(batch, counted, read.rejected, time.monotonic() - began)
        self.tally.update(counted.tally)
        self.tally["rejected"] += len(read.rejected)
        if read.rerouted:
            self.tally["rerouted"] += len(read.rerouted)
        if not self.publisher.busy:
            self._begin_to_publish()

    def _read(self, records: Sequence[Any]) -> "_Read":
        """Read the messages; set those aside whose cases belong to other partitions."""
        horizon = datetime.now(UTC).date() + timedelta(days=1)
        no_key = b"" if self.settings.key_required else None
        found, rejected = read_batch(
            # With the key: it must be that of the case. Plain tuples: named ones cost too much.
            (
                (
                    each.offset,
                    each.value or b"",
                    no_key if each.key is None else each.key,
                    each.headers,
                )
                for each in records
            ),
            source=self._source,
            horizon=horizon,
        )
        number = self.topic_partition.partition
        versions, elsewhere = [], {}
        for offset, version in found:
            if is_placed(version.case_id, number, self.partitions):
                versions.append(version)
            else:
                elsewhere[offset] = version.case_id
        rerouted = []
        for record in records if elsewhere else ():
            if (case_id := elsewhere.get(record.offset)) is not None:
                try:
                    rerouted.append(self._rerouted(record, case_id))
                except IcsrError as error:
                    rejected.append(self._reject(record, str(error), error.code))
        # Those of re-routed messages are in the batches of their copies.
        times = ReportTimes.of(
            record.timestamp for record in records if record.offset not in elsewhere
        )
        return _Read(versions, rejected, rerouted, times)

    def _rerouted(self, record: Any, case_id: str) -> Rerouted:
        partition = partition_of(case_id, self.partitions)
        return rerouted_record(record, case_id.encode(), partition=partition, source=self._source)

    def _reject(self, record: Any, reason: str, code: RejectCode) -> Rejected:
        message = Incoming(record.offset, record.value or b"", record.key, record.headers)
        return reject(message, self._source, reason, code)

    def _send(self, entry: Unpublished) -> None:
        topic, number = self.topic_partition.topic, self.topic_partition.partition
        batch = Batch(topic, number, self.published, entry.next_offset)
        outgoing = decode_outgoing(entry.outgoing)
        of_delta = {} if outgoing.times is None else outgoing.times.headers()
        of_delta |= self.observer.delta_publishing(batch)
        progress = self.progress
        changes = []
        for part in entry.changes:
            progress = progress.after_part(part)
            span = (self.published, entry.next_offset)
            changes.append(encode_record(self.partitions, span, progress, part.encoded))
        deltas, rejects = (topic_name(self.settings, name) for name in ("deltas", "rejected"))

        def send(out: Transaction) -> None:
            out.send(deltas, outgoing.delta, self._key, partition=0, headers=of_delta)
            for change in changes:
                out.send(self._changelog.topic, change, self._key, partition=number)
            for raw in outgoing.rejected:
                value, name, headers = reject_record(Rejected.model_validate_json(raw))
                out.send(rejects, value, name, headers=headers)
            for copy in outgoing.rerouted:
                out.send(
                    topic,
                    copy.value,
                    copy.key,
                    partition=copy.partition,
                    headers=copy.headers,
                    timestamp=copy.timestamp,
                )

        def then() -> None:
            self.progress = progress
            self.published = entry.next_offset
            self.store.published(entry.next_offset)
            self.observer.delta_published(batch, time.monotonic() - self.member.polled_at)

        self.publisher.send(send, entry.next_offset, then)


def delete_before(settings: Settings, changelog: TopicPartition, offset: int) -> None:
    """Delete the records of a changelog before an offset; one that fails only costs space."""
    try:
        with closing(make_admin(settings)) as admin:
            admin.delete_records({changelog: offset})
    except (KafkaError, BrokerError) as error:
        doing = f"delete what precedes {changelog.topic}[{changelog.partition}]@{offset}"
        _LOG.warning("old changelog records not deleted", extra={"error": one_line(doing, error)})
