"""The case stage on Kafka: any number of workers, one group, one database a partition.

What makes it exact: the store commits versions, offset and outbox in one write; then one
transaction publishes the outbox with the input offset; then the outbox is forgotten. A crash
in between leaves work that is found and finished on the next start.
"""

import logging
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.errors import CommitFailedError, OffsetOutOfRangeError

from schemas.errors import BrokerError, StateError
from schemas.rejected import Rejected
from streams.runtime.case_stage import CaseStage, Incoming, read_batch
from streams.runtime.codec import decode_delta, decode_outgoing
from streams.runtime.following import close_consumer, end_offsets, read_to_end
from streams.runtime.groups import Membership, join_group
from streams.runtime.kafka_errors import broker_errors
from streams.runtime.kafka_io import (
    ProducerFenced,
    ProducerUnusable,
    TransactionAborted,
    discard,
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
_LOCK_SECONDS = 60.0  # for a worker that lost a partition to notice, and to close its database


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
    published: int  # input offset up to which deltas are published
    rejected: frozenset[int]  # offsets, of those published that the database has yet to count


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
        self._locked: dict[int, float] = {}  # databases another process holds, since when
        self._member = Membership()
        self.tally: Counter[str] = Counter()
        self._consumer: Any = self._join()

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
            try:
                polled = self._consumer.poll(timeout_ms=timeout_ms)
            except OffsetOutOfRangeError as error:
                raise self._deleted() from error
            self._member.update(self._consumer)
            if self._member.stalled:
                _LOG.warning("joining the group anew: it does not answer")
                self._rejoin()
                return 0
            if self._member.lost:
                self.release(list(self._owned))
                return 0
            if not polled and self._member.joining:
                return 0
            try:
                self._take_over()
                return sum(
                    self._count(at, polled.get(at, ()))
                    for at in sorted(self._consumer.assignment())
                    if at.partition in self._owned
                )
            except _Superseded as error:
                _LOG.warning("joining the group anew after: %s", error)
                self._rejoin()
                return 0

    def drained(self, ends: dict[int, int]) -> bool:
        """Whether the group has published everything up to these input offsets."""
        with broker_errors(f"read the offsets of {self._topic}"):
            # First what is known without asking the broker.
            mine = ends.keys() & self._owned.keys()
            return all(
                self._owned[partition].published >= ends[partition] for partition in mine
            ) and (all(self._committed(other) >= ends[other] for other in ends.keys() - mine))

    def ends(self) -> dict[int, int]:
        """Return the end offset of every partition of the input, now."""
        return end_offsets(self._consumer, self._topic)

    def close(self) -> None:
        """Leave the group and close the databases."""
        self.release(list(self._owned))
        close_consumer(self._consumer)

    def release(self, partitions: Sequence[int]) -> None:
        """Close what belongs to partitions that move elsewhere; every batch is finished by then."""
        for partition in partitions:
            self._locked.pop(partition, None)
            if owned := self._owned.pop(partition, None):
                discard(owned.producer)
                owned.store.close()
                _LOG.info("released %s[%d]", self._topic, partition)

    def prepare(self, partitions: Iterable[TopicPartition]) -> None:
        """Hold partitions that come until their database says where to begin."""
        for at in partitions:
            self._consumer.seek(at, 0)
            self._consumer.pause(at)

    def _join(self) -> Any:
        group = case_group(self._settings)
        return join_group(self._settings, group, self._topic, _Ownership(self))

    def _rejoin(self) -> None:
        self.release(list(self._owned))
        close_consumer(self._consumer)
        self._member = Membership()
        self._consumer = self._join()

    def _committed(self, partition: int) -> int:
        offset: int | None = self._consumer.committed(TopicPartition(self._topic, partition))
        return offset or 0

    def _take_over(self) -> None:
        for at in sorted(self._consumer.assignment()):
            if at.partition not in self._owned and (store := self._open_store(at)):
                try:
                    owned = self._resume(at, store)
                except _Diverged as error:
                    store.close()
                    _LOG.warning("%s; it is set aside and rebuilt", error)
                    self._set_aside(self._path(at))
                    continue
                except BaseException:
                    store.close()
                    raise
                self._owned[at.partition] = owned
                self._publish(at, owned)
                self._consumer.seek(at, owned.next_offset)
                self._consumer.resume(at)
                _LOG.info("took %s[%d] at offset %d", at.topic, at.partition, owned.next_offset)

    def _path(self, at: TopicPartition) -> Path:
        return Path(self._settings.state_dir) / "cases" / str(at.partition)

    def _set_aside(self, path: Path) -> None:
        aside = path.with_name(f"{path.name}.diverged")
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)

    def _open_store(self, at: TopicPartition) -> RocksStore | None:
        """Open a partition's database; `None` while the worker that had it has yet to let go."""
        try:
            store = RocksStore(self._path(at), f"{at.topic}[{at.partition}]")
        except StateError as error:
            since = self._locked.setdefault(at.partition, time.monotonic())
            if "/LOCK" not in str(error) or time.monotonic() - since > _LOCK_SECONDS:
                raise
            return None
        self._locked.pop(at.partition, None)
        return store

    def _resume(self, at: TopicPartition, store: RocksStore) -> _Owned:
        # First the producer: it ends an open transaction of a predecessor, one way or the other,
        # and keeps it from publishing more.
        producer = make_producer(self._settings, f"{at.topic}-cases-{at.partition}")
        try:
            published = self._published(at, store)
            start = store.next_offset or 0
            first = self._consumer.beginning_offsets([at])[at]
            end = self._consumer.end_offsets([at])[at]
            if max(published, start) > end:
                msg = (
                    f"{at.topic}[{at.partition}]: reports up to offset {max(published, start)} "
                    f"are counted; got a topic that ends at {end}: it was made anew, or the "
                    "broker lost records. Use another topic_prefix and state_dir, or restore it"
                )
                raise StateError(msg)
            if start < first:
                msg = (
                    f"{at.topic}[{at.partition}]: every report from offset {start} on is needed "
                    f"to know the cases; got a topic that begins at {first}. Restore the "
                    "database of this partition from a backup"
                )
                raise StateError(msg)
            rejected = self._rejected(at) if start < published else frozenset()
        except BaseException:
            discard(producer)
            raise
        stage = CaseStage(store, partition=at.partition, keep_outbox=True)
        return _Owned(store, stage, producer, start, published, rejected)

    def _published(self, at: TopicPartition, store: RocksStore) -> int:
        """Return the input offset up to which the deltas of a partition are published."""
        outbox = [decode_delta(decode_outgoing(raw).delta) for _, raw in store.unpublished()]
        claimed = outbox[0].first_offset if outbox else store.next_offset
        committed: int | None = self._consumer.committed(at)
        if committed is None and (outbox or claimed is None):
            # A group that was away for a week has lost its offsets. The deltas themselves tell.
            key = str(at.partition).encode()
            deltas = read_to_end(self._settings, topic_name(self._settings, "deltas"))
            ends = [decode_delta(r.value).next_offset for r in deltas if r.key == key]
            committed = max(ends, default=0)
        published = max(committed or 0, claimed or 0)
        if any(delta.first_offset < published < delta.next_offset for delta in outbox):
            msg = (
                f"{self._path(at)}: reports after offset {published} must be published in the "
                "ranges they were counted in; got a partition that another worker has continued "
                "otherwise"
            )
            raise _Diverged(msg)
        return published

    def _rejected(self, at: TopicPartition) -> frozenset[int]:
        source = f"{at.topic}[{at.partition}]".encode()
        records = read_to_end(self._settings, topic_name(self._settings, "rejected"))
        headers = [dict(record.headers) for record in records]
        return frozenset(int(h["position"]) for h in headers if h.get("source") == source)

    def _deleted(self) -> StateError:
        return StateError(
            f"{self._topic}: every report must be counted; got a topic that no longer has those "
            "due next: they were deleted unread. Lengthen its retention and restore the reports "
            "from their source"
        )

    def _count(self, at: TopicPartition, records: Sequence[Any]) -> int:
        owned = self._owned[at.partition]
        number = len(records)
        following: int = self._consumer.position(at)  # after markers of transactions, too
        if owned.next_offset < owned.published:
            # A database that is being rebuilt: the part that is published ends where it ended then.
            cut = min(following, owned.published)
            known = [record for record in records if record.offset < cut]
            records = records[len(known) :]
            # What was rejected then stays rejected: a date may lie in the future no longer.
            known = [record for record in known if record.offset not in owned.rejected]
            self._count_part(at, owned, known, cut)
        if following > owned.next_offset:
            self._count_part(at, owned, records, following)
        return number

    def _count_part(
        self, at: TopicPartition, owned: _Owned, records: Sequence[Any], following: int
    ) -> None:
        versions, rejected = read_batch(
            [
                # Without a key a case might stand on two partitions, and be counted twice.
                Incoming(record.offset, record.value or b"", record.key or b"", record.headers)
                for record in records
            ],
            source=f"{at.topic}[{at.partition}]",
            horizon=datetime.now(UTC).date() + timedelta(days=1),
        )
        counted = owned.stage.count(
            [version for _, version in versions],
            rejected,
            first_offset=owned.next_offset,
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
        last: BrokerError | None = None
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with transaction(
                    owned.producer, offsets={at: following}, group_metadata=self._member.metadata
                ) as out:
                    key = str(at.partition).encode()
                    out.send(deltas, outgoing.delta, key, partition=0)
                    for reject in outgoing.rejected:
                        value, name, headers = reject_record(Rejected.model_validate_json(reject))
                        out.send(rejects, value, name, headers=headers)
                return
            except ProducerFenced as error:
                raise _Superseded(str(error)) from error
            except ProducerUnusable as error:
                _LOG.warning("attempt %d: %s", attempt, error)
                last = error
                discard(owned.producer)
                owned.producer = make_producer(self._settings, f"{at.topic}-cases-{at.partition}")
                # The new producer ended the old one's transaction, one way or the other.
                if self._committed(at.partition) >= following:
                    return
            except TransactionAborted as error:
                if isinstance(error.__cause__, CommitFailedError):
                    raise _Superseded(str(error)) from error
                _LOG.warning("attempt %d: %s", attempt, error)
                last = error
        msg = f"publish {at.topic}[{at.partition}]: gave up after {_ATTEMPTS} attempts: {last}"
        raise BrokerError(msg) from last


class _Superseded(Exception):
    """The group or another producer has taken over; what is owned is known after joining anew."""


class _Diverged(Exception):
    """A database holds a batch that can no longer be published as it was counted."""


class _Ownership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Closes the databases of partitions that leave; holds those that come until `step` opens them.

    Opening a database here would hold up the heartbeat.
    """

    def __init__(self, worker: CaseWorker) -> None:
        self._worker = worker

    def on_partitions_revoked(self, revoked: Any) -> None:
        self._worker.release([at.partition for at in revoked])

    def on_partitions_lost(self, lost: Any) -> None:
        self._worker.release([at.partition for at in lost])

    def on_partitions_assigned(self, assigned: Any) -> None:
        self._worker.prepare(assigned)
