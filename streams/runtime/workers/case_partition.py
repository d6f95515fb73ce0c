"""One partition that a case worker holds: counted batch by batch, each published once."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from schemas.errors import BrokerError, RejectCode
from schemas.rejected import Rejected
from streams.runtime.broker.clients import TopicPartition, make_admin
from streams.runtime.broker.errors import KafkaError, one_line
from streams.runtime.broker.membership import Membership
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
from streams.runtime.workers.partition_publisher import PartitionPublisher

__all__ = ["CasePartition"]

_LOG = logging.getLogger(__name__)
_CHUNK_BYTES = 4 << 20  # of the state to copy between two batches: some 30,000 cases, 50 ms


@dataclass
class CasePartition:
    """A partition this worker holds.

    Attributes
    ----------
    settings, consumer, member
        How to reach the broker, and what the worker is in its group.
    at
        Topic and partition of the input.
    partitions
        Of the input: the cases are spread over so many.
    store, outlet
        Its database, and the way out of what came of its messages; `close` closes both.
    progress
        Of its changelog, as it is published.
    next_offset
        Of the input, as the store has it.
    published
        Input offset up to which deltas are published.
    rejected
        Offsets, of those published, that the database has yet to count and that were rejected.
    tally
        What became of the messages.
    observer
        Hears of every batch, but not of one that is counted again to rebuild the database.
    """

    settings: Settings
    consumer: Any
    member: Membership
    at: TopicPartition
    partitions: int
    store: RocksStore
    outlet: PartitionPublisher
    progress: Progress
    next_offset: int
    published: int
    rejected: frozenset[int]
    tally: Counter[str] = field(default_factory=Counter)
    observer: Observer = SILENT

    def __post_init__(self) -> None:
        self._stage = CaseStage(self.store, partition=self.at.partition, keep_outbox=True)

    @property
    def fraction(self) -> float:
        """Part of what is published that the database holds."""
        return min(self.next_offset / self.published, 1.0) if self.published else 1.0

    @property
    def blocked(self) -> Blocked | None:
        """Why nothing goes out, and since when; `None` if all is well."""
        return self.outlet.blocked

    def close(self) -> None:
        """Let go of producer and database; what is not published then is left in the outbox."""
        self.outlet.close()
        self.store.close()

    def count(self, records: Sequence[Any], following: int) -> None:
        """Count the messages up to an offset, and begin to publish what came of them.

        `publish` waits until it is out. While the partition is blocked, it waits in the outbox.

        Parameters
        ----------
        records
            As polled, in order.
        following
            The position after them; markers of transactions stand between, too.

        Raises
        ------
        Superseded
            If somebody else holds the partition by now.
        BrokerError
            If the broker denies a right.
        """
        if self.outlet.busy:
            self.publish()
        if self.next_offset < self.published:
            # A database that is being rebuilt: the part that is published ends where it ended then.
            cut = min(following, self.published)
            known = [record for record in records if record.offset < cut]
            records = records[len(known) :]
            # What was rejected then stays rejected: a date may lie in the future no longer.
            known = [record for record in known if record.offset not in self.rejected]
            self._count_part(known, cut)
        if following > self.next_offset:
            self._count_part(records, following)

    def publish(self) -> None:
        """Publish the outbox, each batch in a transaction of its own with its input offset.

        It ends where the outlet is blocked, and goes on there the next time.
        """
        while self.outlet.settled() and self._begin_to_publish():
            pass

    def _begin_to_publish(self) -> bool:
        """Send the first batch of the outbox that is not out yet; whether there is one."""
        for entry in self.store.unpublished():
            if entry.next_offset > self.published:
                self._send(entry)
                return True
            self.store.published(entry.next_offset)
        return False

    def copy_state(self) -> None:
        """Copy a part of the state to the changelog, if that has outgrown it.

        Raises
        ------
        Superseded, BrokerError
            As of `count`.
        """
        if self.outlet.busy or not self.progress.due or self.next_offset != self.published:
            return
        at = self._changelog
        progress = self.progress
        if not progress.copying:
            progress = progress.begin_copy(self.consumer.end_offsets([at])[at])
            _LOG.info("%s[%d]: copying the cases into it", at.topic, at.partition)
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
                out.send(at.topic, record, self._key, partition=at.partition)

        def then() -> None:
            self.progress = progress
            if ends:
                _LOG.info("%s[%d]: whole from offset %d", at.topic, at.partition, progress.base)
                # In a thread: an admin client that finds no broker waits for one, and nobody does
                # for what is deleted.
                delete = partial(delete_before, self.settings, at, progress.base)
                threading.Thread(target=delete, name="tocsin-delete", daemon=True).start()

        self.outlet.send(send, None, then)
        self.outlet.settled()

    @property
    def _changelog(self) -> TopicPartition:
        return TopicPartition(topic_name(self.settings, "cases"), self.at.partition)

    @property
    def _key(self) -> bytes:
        return str(self.at.partition).encode()

    def _count_part(self, records: Sequence[Any], following: int) -> None:
        began = time.monotonic()
        times = ReportTimes.of(record.timestamp for record in records)
        messages = [
            # Without a key a case might stand on two partitions, and be counted twice.
            # Plain tuples: a name for each costs too much.
            (record.offset, record.value or b"", record.key or b"", record.headers)
            for record in records
        ]
        source = f"{self.at.topic}[{self.at.partition}]"
        horizon = datetime.now(UTC).date() + timedelta(days=1)
        versions, rejected = read_batch(messages, source=source, horizon=horizon)
        try:
            counted = self._stage.count(
                [version for _, version in versions],
                rejected,
                first_offset=self.next_offset,
                next_offset=following,
                times=times,
            )
        except TooLarge as error:
            if len(records) > 1:
                half = records[len(records) // 2].offset
                self._count_part([one for one in records if one.offset < half], half)
                self._count_part([one for one in records if one.offset >= half], following)
                return
            reason = f"report: {error}"
            rejected = [
                reject(Incoming(*message), source, reason, RejectCode.TOO_LONG)
                for message in messages
            ]
            counted = self._stage.count(
                [], rejected, first_offset=self.next_offset, next_offset=following, times=times
            )
        batch = Batch(self.at.topic, self.at.partition, self.next_offset, following)
        self.next_offset = following
        if following > self.published:
            self.observer.counted(batch, counted, rejected, time.monotonic() - began)
        self.tally.update(counted.tally)
        self.tally["rejected"] += len(rejected)
        if not self.outlet.busy:
            self._begin_to_publish()

    def _send(self, entry: Unpublished) -> None:
        batch = Batch(self.at.topic, self.at.partition, self.published, entry.next_offset)
        outgoing = decode_outgoing(entry.outgoing)
        of_delta = {} if outgoing.times is None else outgoing.times.headers()
        of_delta |= self.observer.publishing(batch)
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
                out.send(self._changelog.topic, change, self._key, partition=self.at.partition)
            for one in outgoing.rejected:
                value, name, headers = reject_record(Rejected.model_validate_json(one))
                out.send(rejects, value, name, headers=headers)

        def then() -> None:
            self.progress = progress
            self.published = entry.next_offset
            self.store.published(entry.next_offset)
            self.observer.published(batch, time.monotonic() - self.member.polled_at)

        self.outlet.send(send, entry.next_offset, then)


def delete_before(settings: Settings, at: TopicPartition, offset: int) -> None:
    """Delete what a changelog no longer needs; what cannot be deleted costs room, nothing else."""
    try:
        with closing(make_admin(settings)) as admin:
            admin.delete_records({at: offset})
    except (KafkaError, BrokerError) as error:
        doing = f"delete what precedes {at.topic}[{at.partition}]@{offset}"
        _LOG.warning("%s", one_line(doing, error))
