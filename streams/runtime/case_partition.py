"""One partition that a case worker holds: counted batch by batch, each published once."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from kafka import TopicPartition
from kafka.errors import CommitFailedError

from schemas.errors import BrokerError
from schemas.rejected import Rejected
from streams.runtime.case_stage import CaseStage, Incoming, read_batch
from streams.runtime.codec import decode_outgoing
from streams.runtime.groups import Membership
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

__all__ = ["CasePartition", "Superseded", "partition_producer"]

_LOG = logging.getLogger(__name__)
_ATTEMPTS = 5  # to publish one batch, before the worker gives up and says so


class Superseded(Exception):
    """The group or another producer has taken over; what is owned is known after joining anew."""


def partition_producer(settings: Settings, at: TopicPartition) -> Any:
    """Return the producer of a partition; it ends what its predecessor had open, and fences it."""
    return make_producer(settings, f"{at.topic}-cases-{at.partition}")


@dataclass
class CasePartition:
    """A partition this worker holds.

    Attributes
    ----------
    settings, consumer, member
        How to reach the broker, and what the worker is in its group.
    at
        Topic and partition of the input.
    store, producer
        Its database and its transactional producer; `close` closes both.
    next_offset
        Of the input, as the store has it.
    published
        Input offset up to which deltas are published.
    rejected
        Offsets, of those published, that the database has yet to count and that were rejected.
    tally
        What became of the messages.
    """

    settings: Settings
    consumer: Any
    member: Membership
    at: TopicPartition
    store: RocksStore
    producer: Any
    next_offset: int
    published: int
    rejected: frozenset[int]
    tally: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._stage = CaseStage(self.store, partition=self.at.partition, keep_outbox=True)

    @property
    def fraction(self) -> float:
        """Part of what is published that the database holds."""
        return min(self.next_offset / self.published, 1.0) if self.published else 1.0

    def close(self) -> None:
        """Let go of producer and database; every batch is finished by then."""
        discard(self.producer)
        self.store.close()

    def count(self, records: Sequence[Any], following: int) -> None:
        """Count the messages up to an offset, and publish what came of them.

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
            If publishing failed for good.
        """
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
        """Publish the outbox, each batch in a transaction of its own with its input offset."""
        for following, raw in self.store.unpublished():
            if following > self.published:
                self._publish_one(following, raw)
                self.published = following
            self.store.published(following)

    def _count_part(self, records: Sequence[Any], following: int) -> None:
        versions, rejected = read_batch(
            [
                # Without a key a case might stand on two partitions, and be counted twice.
                Incoming(record.offset, record.value or b"", record.key or b"")
                for record in records
            ],
            source=f"{self.at.topic}[{self.at.partition}]",
            horizon=datetime.now(UTC).date() + timedelta(days=1),
        )
        counted = self._stage.count(
            [version for _, version in versions],
            rejected,
            first_offset=self.next_offset,
            next_offset=following,
        )
        self.next_offset = following
        self.tally.update(counted.tally)
        self.tally["rejected"] += len(rejected)
        self.publish()

    def _publish_one(self, following: int, raw: bytes) -> None:
        outgoing = decode_outgoing(raw)
        deltas, rejects = (topic_name(self.settings, name) for name in ("deltas", "rejected"))
        last: BrokerError | None = None
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with transaction(
                    self.producer,
                    offsets={self.at: following},
                    group_metadata=self.member.metadata,
                ) as out:
                    key = str(self.at.partition).encode()
                    out.send(deltas, outgoing.delta, key, partition=0)
                    for reject in outgoing.rejected:
                        value, name, headers = reject_record(Rejected.model_validate_json(reject))
                        out.send(rejects, value, name, headers=headers)
                return
            except ProducerFenced as error:
                raise Superseded(str(error)) from error
            except ProducerUnusable as error:
                _LOG.warning("attempt %d: %s", attempt, error)
                last = error
                discard(self.producer)
                self.producer = partition_producer(self.settings, self.at)
                # The new producer ended the old one's transaction, one way or the other.
                if (self.consumer.committed(self.at) or 0) >= following:
                    return
            except TransactionAborted as error:
                if isinstance(error.__cause__, CommitFailedError):
                    raise Superseded(str(error)) from error
                _LOG.warning("attempt %d: %s", attempt, error)
                last = error
        where = f"{self.at.topic}[{self.at.partition}]"
        msg = f"publish {where}: gave up after {_ATTEMPTS} attempts: {last}"
        raise BrokerError(msg) from last
