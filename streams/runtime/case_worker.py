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
from pathlib import Path
from typing import Any

from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.errors import OffsetOutOfRangeError

from schemas.errors import StateError
from streams.runtime.case_partition import CasePartition, Superseded
from streams.runtime.case_takeover import Diverged, database, take_over
from streams.runtime.following import close_consumer, end_offsets
from streams.runtime.groups import Membership, join_group
from streams.runtime.kafka_errors import broker_errors
from streams.runtime.readiness import Phase, Readiness
from streams.runtime.settings import Settings
from streams.runtime.store import RocksStore
from streams.runtime.topics import topic_name

__all__ = ["CaseWorker", "case_group"]

_LOG = logging.getLogger(__name__)
_LOCK_SECONDS = 60.0  # for a worker that lost a partition to notice, and to close its database


def case_group(settings: Settings) -> str:
    """Return the consumer group of the case stage."""
    return f"{settings.topic_prefix}cases"


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
        self._owned: dict[int, CasePartition] = {}
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
            except Superseded as error:
                _LOG.warning("joining the group anew after: %s", error)
                self._rejoin()
                return 0

    def readiness(self) -> Readiness:
        """Return what the worker is doing, as of its last step."""
        if self._member.metadata is None or self._member.joining or self._member.lost:
            return Readiness(Phase.JOINING)
        return Readiness.of_parts(
            self._owned[at.partition].fraction if at.partition in self._owned else 0.0
            for at in self._consumer.assignment()
        )

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
                owned.close()
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
                    owned = take_over(self._settings, self._consumer, self._member, at, store)
                except Diverged as error:
                    store.close()
                    _LOG.warning("%s; it is set aside and rebuilt", error)
                    self._set_aside(database(self._settings, at.partition))
                    continue
                except BaseException:
                    store.close()
                    raise
                owned.tally = self.tally
                self._owned[at.partition] = owned
                owned.publish()
                self._consumer.seek(at, owned.next_offset)
                self._consumer.resume(at)
                _LOG.info("took %s[%d] at offset %d", at.topic, at.partition, owned.next_offset)

    def _set_aside(self, path: Path) -> None:
        aside = path.with_name(f"{path.name}.diverged")
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)

    def _open_store(self, at: TopicPartition) -> RocksStore | None:
        """Open a partition's database; `None` while the worker that had it has yet to let go."""
        try:
            store = RocksStore(
                database(self._settings, at.partition), f"{at.topic}[{at.partition}]"
            )
        except StateError as error:
            since = self._locked.setdefault(at.partition, time.monotonic())
            if "/LOCK" not in str(error) or time.monotonic() - since > _LOCK_SECONDS:
                raise
            return None
        self._locked.pop(at.partition, None)
        return store

    def _deleted(self) -> StateError:
        return StateError(
            f"{self._topic}: every report must be counted; got a topic that no longer has those "
            "due next: they were deleted unread. Lengthen its retention and restore the reports "
            "from their source"
        )

    def _count(self, at: TopicPartition, records: Sequence[Any]) -> int:
        following: int = self._consumer.position(at)  # after markers of transactions, too
        self._owned[at.partition].count(records, following)
        return len(records)


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
