"""Case stage on Kafka: any number of workers in one group, one database a partition.

Exactly once: the store commits case versions, offset and outbox in one write; one transaction
publishes the outbox with the input offset; then the outbox is cleared. After a crash in between,
the next owner of the partition publishes the rest of the outbox.
"""

import logging
import time
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from schemas.errors import BrokerError, StateError
from streams.runtime.broker.clients import TopicPartition
from streams.runtime.broker.errors import BrokerUnavailable, OffsetOutOfRangeError, broker_errors
from streams.runtime.broker.membership import join_group
from streams.runtime.broker.topic_reader import end_offsets, settled_offset
from streams.runtime.broker.topics import topic_name
from streams.runtime.observability.observer import SILENT, Observer
from streams.runtime.observability.readiness import Blocked, Phase, Readiness
from streams.runtime.observability.readiness_log import ReadinessLog
from streams.runtime.settings import Settings
from streams.runtime.state.case_store import StoreDamaged
from streams.runtime.workers.case_partition import CasePartition
from streams.runtime.workers.group_member import GroupMember, PollStatus
from streams.runtime.workers.partition_publisher import Superseded
from streams.runtime.workers.partition_recovery import (
    changed_partitions,
    database,
    recover,
    set_aside,
)
from streams.runtime.workers.retrying import BackOff

__all__ = ["CaseWorker", "case_group"]

_LOG = logging.getLogger(__name__)
_RESTORE_SECONDS = 0.2  # recovery between two polls: the other partitions wait no longer
_RESTORING_MS = 10  # duration of a poll during a recovery
_LINGER_MS = 100  # a batch costs two processors 10 ms, however small it is
_DAMAGES = 3  # damages of one database in one run, after which the disk is at fault
_BLOCKED_SECONDS = 60.0  # all partitions blocked for longer: the broker is at fault


def case_group(settings: Settings) -> str:
    """Return the consumer group of the case stage."""
    return f"{settings.topic_prefix}cases"


@dataclass
class _Recovering:
    """Recovery of an assigned partition; retried if the broker is unavailable."""

    recovery: Generator[float | None, None, CasePartition] | None = None
    fraction: float = 0.0  # done
    since: float = 0.0  # the first failure
    why: str = ""
    back_off: BackOff = field(default_factory=BackOff)

    def close(self) -> None:
        if self.recovery is not None:
            self.recovery.close()

    def failed(self, error: BrokerUnavailable) -> None:
        self.recovery, self.fraction, self.why = None, 0.0, str(error)
        self.since = self.since or time.monotonic()
        self.back_off.failed()

    def blocked(self, partition: int) -> Blocked | None:
        if not self.back_off.failures:
            return None
        return Blocked(partition, "takeover", time.monotonic() - self.since, self.why)


class CaseWorker:
    """Consumes partitions of `pv.reports`, stores their cases, publishes deltas and rejects.

    Parameters
    ----------
    settings
        How to reach the broker, and the folder of the databases.
    observer
        Receives the events of the worker.
    """

    stage = "cases"

    def __init__(self, settings: Settings, observer: Observer = SILENT) -> None:
        self._settings = settings
        self._observer = observer
        self._topic = topic_name(settings, "reports")
        self._owned: dict[int, CasePartition] = {}
        self._recovering: dict[int, _Recovering] = {}
        self._damages: Counter[int] = Counter()
        self._progress = ReadinessLog(self.stage)
        self.tally: Counter[str] = Counter()
        self._group = GroupMember(
            partial(join_group, settings, case_group(settings), self._topic, linger_ms=_LINGER_MS),
            revoke=self._revoke,
            release=self._release_all,
            reading=lambda: [owned.topic_partition for owned in self._owned.values()],
        )

    def step(self, timeout_ms: int) -> int:
        """Poll once, count the messages and publish their deltas; return their number.

        Raises
        ------
        BrokerError
            If the broker refused, or nothing could be published for a minute.
        StateError
            If a database cannot be used, or uncounted reports have been deleted.
        """
        with broker_errors(f"read {self._topic}"):
            try:
                # A recovery need not wait for messages.
                recovering = any(partition.recovery for partition in self._recovering.values())
                wait_ms = min(timeout_ms, _RESTORING_MS) if recovering else timeout_ms
                polled = self._group.poll(wait_ms)
            except OffsetOutOfRangeError as error:
                raise self._deleted() from error
            if polled.status is not PollStatus.ASSIGNED:
                return 0
            self._require_partitions()
            try:
                self._recover()
                assigned = sorted(self._group.consumer.assignment())
                counted = sum(self._count(tp, polled.records.get(tp, ())) for tp in assigned)
                # After all are counted: the broker works on their transactions at the same time.
                for topic_partition in assigned:
                    self._publish(topic_partition)
                self._require_progress()
                return counted
            except Superseded as error:
                _LOG.warning("rejoining the group after an error", extra={"error": str(error)})
                self._group.rejoin_after_fencing()
                return 0

    def readiness(self) -> Readiness:
        """Return the phase of the worker as of its last step, and its blocked partitions."""
        if not self._group.joined:
            return Readiness(Phase.JOINING)
        assigned = [tp.partition for tp in sorted(self._group.consumer.assignment())]
        return Readiness.of_parts(map(self._fraction, assigned), self._blocked(assigned))

    def lags(self) -> dict[int, int | None]:
        """Return the lag of each assigned partition [offsets]; `None` until it is known."""
        lags: dict[int, int | None] = dict.fromkeys(self._recovering)
        for number, owned in self._owned.items():
            end = self._group.consumer.highwater(owned.topic_partition)
            lags[number] = None if end is None else max(end - owned.next_offset, 0)
        return lags

    def report_sizes(self) -> None:
        """Report the size of each database to the observer, and the number of partitions."""
        partitions = self._group.consumer.partitions_for_topic(self._topic) or ()
        sizes = {number: owned.store.size() for number, owned in self._owned.items()}
        self._observer.store_sizes(sizes, len(partitions))

    def drained(self, ends: dict[int, int]) -> bool:
        """Return whether the group has published everything up to these input offsets."""
        with broker_errors(f"read the offsets of {self._topic}"):
            # Its own partitions first: they need no request to the broker.
            mine = ends.keys() & self._owned.keys()
            others = {
                TopicPartition(self._topic, number): ends[number] for number in ends.keys() - mine
            }
            return all(self._owned[number].published >= ends[number] for number in mine) and all(
                settled_offset(self._group.consumer, tp) >= end for tp, end in others.items()
            )

    def ends(self) -> dict[int, int]:
        """Return the end offset of every partition of the input, now."""
        return end_offsets(self._group.consumer, self._topic)

    def close(self) -> None:
        """Leave the group and close the databases."""
        self._group.close()

    def rejoin(self) -> None:
        """Release every partition, and join the group again."""
        self._group.rejoin()

    def _release_all(self) -> None:
        self._release([*self._owned, *self._recovering])

    def _revoke(self, revoked: Iterable[TopicPartition]) -> None:
        self._release([tp.partition for tp in revoked])

    def _release(self, partitions: Iterable[int]) -> None:
        """Close producers and databases of partitions; their outboxes keep unpublished batches."""
        for partition in partitions:
            if recovering := self._recovering.pop(partition, None):
                recovering.close()
            if owned := self._owned.pop(partition, None):
                owned.close()
                _LOG.info("released %s[%d]", self._topic, partition)

    def _fraction(self, partition: int) -> float:
        if owned := self._owned.get(partition):
            return owned.fraction
        recovering = self._recovering.get(partition)
        return recovering.fraction if recovering else 0.0

    def _blocked(self, partitions: Iterable[int]) -> list[Blocked]:
        known = {**self._recovering, **self._owned}
        found = []
        for partition in partitions:
            match known.get(partition):
                case _Recovering() as recovering:
                    found.append(recovering.blocked(partition))
                case CasePartition() as owned:
                    found.append(owned.blocked)
        return [blocked for blocked in found if blocked is not None]

    def _require_progress(self) -> None:
        """Raise if every partition is blocked for long: the broker, or the way to it, is down."""
        assigned = [tp.partition for tp in self._group.consumer.assignment()]
        blocked = self._blocked(assigned)
        if assigned and len(blocked) == len(assigned):
            last = min(blocked, key=lambda partition: partition.seconds)
            if last.seconds > _BLOCKED_SECONDS:
                msg = f"{last.why}; gave up after {_BLOCKED_SECONDS:.0f} s without any partition"
                raise BrokerError(msg)

    def _recover(self) -> None:
        """Continue the recovery of new partitions for a while, then return to poll the group."""
        deadline = time.monotonic() + _RESTORE_SECONDS
        for new in sorted(self._group.consumer.assignment()):
            if new.partition in self._owned:
                continue
            recovering = self._recovering.setdefault(new.partition, _Recovering())
            if recovering.recovery is None:
                if recovering.back_off.remaining:
                    continue
                recovering.recovery = recover(
                    self._settings, self._group.consumer, self._group.membership, new
                )
            try:
                with broker_errors(f"recover {new.topic}[{new.partition}]"):
                    while time.monotonic() < deadline:
                        fraction = next(recovering.recovery)
                        if fraction is None:  # it waits; the next partition need not
                            break
                        recovering.fraction = fraction
            except StopIteration as done:
                del self._recovering[new.partition]
                self._begin(new, done.value)
            except StoreDamaged as error:
                self._damaged(new, error)
            except BrokerUnavailable as error:
                recovering.failed(error)
                fields = {"attempt": recovering.back_off.failures, "error": str(error)}
                _LOG.warning("partition not recovered; it is retried", extra=fields)
        self._progress.log(self.readiness())

    def _require_partitions(self) -> None:
        """Raise if partitions were added to the input."""
        number = len(self._group.consumer.partitions_for_topic(self._topic) or ())
        for owned in self._owned.values():
            if number > owned.partitions:
                raise changed_partitions(self._topic, owned.partitions, number)

    def _begin(self, new: TopicPartition, owned: CasePartition) -> None:
        owned.tally = self.tally
        owned.observer = owned.publisher.observer = self._observer
        self._owned[new.partition] = owned
        try:
            owned.publish()
        except StoreDamaged as error:
            self._damaged(new, error)
            return
        self._group.consumer.seek(new, owned.next_offset)
        if not owned.blocked:
            self._group.consumer.resume(new)
        _LOG.info("took %s[%d] at offset %d", new.topic, new.partition, owned.next_offset)

    def _deleted(self) -> StateError:
        return StateError(
            f"{self._topic}: every report must be counted; got a topic that no longer has those "
            "due next: they were deleted unread. Lengthen its retention and restore the reports "
            "from their source"
        )

    def _count(self, assigned: TopicPartition, records: Sequence[Any]) -> int:
        if (owned := self._owned.get(assigned.partition)) is None:
            return 0
        try:
            # The position is after markers of transactions, too.
            owned.count(records, self._group.consumer.position(assigned))
        except StoreDamaged as error:
            self._damaged(assigned, error)
        return len(records)

    def _publish(self, assigned: TopicPartition) -> None:
        if (owned := self._owned.get(assigned.partition)) is None:
            return
        try:
            owned.publish()
            owned.copy_state()
        except StoreDamaged as error:
            self._damaged(assigned, error)
        else:
            # The outbox of a blocked partition must not grow; the client keeps fetched records.
            consumer = self._group.consumer
            (consumer.pause if owned.blocked else consumer.resume)(assigned)

    def _damaged(self, assigned: TopicPartition, error: StoreDamaged) -> None:
        """Set the database aside, so that the next step restores it."""
        self._damages[assigned.partition] += 1
        if self._damages[assigned.partition] == _DAMAGES:
            raise error
        _LOG.warning("database damaged; it is set aside and restored", extra={"error": str(error)})
        self._release([assigned.partition])
        set_aside(database(self._settings, assigned.partition), "damaged")
        self._group.pause_until_restored([assigned])
