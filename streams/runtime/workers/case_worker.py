"""The case stage on Kafka: any number of workers, one group, one database a partition.

What makes it exact: the store commits versions, offset and outbox in one write; then one
transaction publishes the outbox with the input offset; then the outbox is forgotten. A crash
in between leaves work that is found and finished on the next start.
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
from streams.runtime.settings import Settings
from streams.runtime.state.case_store import StoreDamaged
from streams.runtime.workers.case_partition import CasePartition
from streams.runtime.workers.group_member import GroupMember, PollStatus
from streams.runtime.workers.partition_publisher import Superseded
from streams.runtime.workers.partition_recovery import (
    changed_partitions,
    database,
    set_aside,
    take_over,
)
from streams.runtime.workers.retrying import BackOff

__all__ = ["CaseWorker", "case_group"]

_LOG = logging.getLogger(__name__)
_RESTORE_SECONDS = 0.2  # between two polls: the other partitions wait for no longer
_RESTORING_MS = 10
_LINGER_MS = 100  # a batch costs two processors 10 ms, however small it is
_DAMAGES = 3  # of one database in one run: then the disk is at fault, and more of it is in vain
_BLOCKED_SECONDS = 60.0  # of all partitions: then it is no partition that is in trouble
_SAY_EVERY = 10.0  # seconds between lines on what is being restored


def case_group(settings: Settings) -> str:
    """Return the consumer group of the case stage."""
    return f"{settings.topic_prefix}cases"


@dataclass
class _Recovery:
    """A partition that is being taken over; again, if it fails for want of a broker."""

    takeover: Generator[float | None, None, CasePartition] | None = None
    fraction: float = 0.0  # of it that is done
    since: float = 0.0  # the first failure
    why: str = ""
    back_off: BackOff = field(default_factory=BackOff)

    def close(self) -> None:
        if self.takeover is not None:
            self.takeover.close()

    def blocked(self, partition: int) -> Blocked | None:
        if not self.back_off.failures:
            return None
        return Blocked(partition, "takeover", time.monotonic() - self.since, self.why)


class CaseWorker:
    """Reads partitions of `pv.reports`, keeps their cases, publishes deltas and rejects.

    Parameters
    ----------
    settings
        How to reach the broker, and where the databases are.
    observer
        Hears what the worker does.
    """

    stage = "cases"

    def __init__(self, settings: Settings, observer: Observer = SILENT) -> None:
        self._settings = settings
        self._observer = observer
        self._topic = topic_name(settings, "reports")
        self._owned: dict[int, CasePartition] = {}
        self._coming: dict[int, _Recovery] = {}
        self._damages: Counter[int] = Counter()
        self._said = time.monotonic()
        self.tally: Counter[str] = Counter()
        self._group = GroupMember(
            partial(join_group, settings, case_group(settings), self._topic, linger_ms=_LINGER_MS),
            revoke=self._revoke,
            release=self._release_all,
            reading=lambda: [owned.at for owned in self._owned.values()],
        )

    def step(self, timeout_ms: int) -> int:
        """Poll once, count what came and publish it; return the number of messages.

        Raises
        ------
        BrokerError
            If the broker refused, or nothing could be published for a minute.
        StateError
            If a database cannot be used, or the input begins after what it had counted.
        """
        with broker_errors(f"read {self._topic}"):
            try:
                # While something is to be restored there is no time to wait for messages.
                restoring = any(coming.takeover for coming in self._coming.values())
                wait = min(timeout_ms, _RESTORING_MS) if restoring else timeout_ms
                polled = self._group.poll(wait)
            except OffsetOutOfRangeError as error:
                raise self._deleted() from error
            if polled.status is not PollStatus.ASSIGNED:
                return 0
            self._require_partitions()
            try:
                self._take_over()
                held = sorted(self._group.consumer.assignment())
                counted = sum(self._count(at, polled.records.get(at, ())) for at in held)
                # Only now, so that the broker works on their transactions side by side.
                for at in held:
                    self._publish(at)
                self._require_some()
                return counted
            except Superseded as error:
                _LOG.warning("rejoining the group after: %s", error)
                self._group.rejoin_after_fencing()
                return 0

    def readiness(self) -> Readiness:
        """Return what the worker is doing, as of its last step."""
        if not self._group.joined:
            return Readiness(Phase.JOINING)
        held = [at.partition for at in sorted(self._group.consumer.assignment())]
        return Readiness.of_parts(map(self._fraction, held), self._blocked(held))

    def lags(self) -> dict[int, int | None]:
        """Return the offsets to count of each partition it holds; `None` until it is known."""
        lags: dict[int, int | None] = dict.fromkeys(self._coming)
        for number, held in self._owned.items():
            end = self._group.consumer.highwater(held.at)
            lags[number] = None if end is None else max(end - held.next_offset, 0)
        return lags

    def sizes(self) -> None:
        """Tell the observer how large the databases are, and how many there are in all."""
        partitions = self._group.consumer.partitions_for_topic(self._topic) or ()
        sizes = {number: held.store.size() for number, held in self._owned.items()}
        self._observer.stores(sizes, len(partitions))

    def drained(self, ends: dict[int, int]) -> bool:
        """Whether the group has published everything up to these input offsets."""
        with broker_errors(f"read the offsets of {self._topic}"):
            # First what is known without asking the broker.
            mine = ends.keys() & self._owned.keys()
            others = {TopicPartition(self._topic, one): ends[one] for one in ends.keys() - mine}
            return all(
                self._owned[partition].published >= ends[partition] for partition in mine
            ) and all(
                settled_offset(self._group.consumer, other) >= end for other, end in others.items()
            )

    def ends(self) -> dict[int, int]:
        """Return the end offset of every partition of the input, now."""
        return end_offsets(self._group.consumer, self._topic)

    def close(self) -> None:
        """Leave the group and close the databases."""
        self._group.close()

    def rejoin(self) -> None:
        """Let go of every partition, and join the group anew."""
        self._group.rejoin()

    def _release_all(self) -> None:
        self._release([*self._owned, *self._coming])

    def _revoke(self, revoked: Iterable[TopicPartition]) -> None:
        self._release([at.partition for at in revoked])

    def _release(self, partitions: Iterable[int]) -> None:
        """Close what belongs to partitions that move elsewhere; every batch is finished by then."""
        for partition in partitions:
            if coming := self._coming.pop(partition, None):
                coming.close()
            if owned := self._owned.pop(partition, None):
                owned.close()
                _LOG.info("released %s[%d]", self._topic, partition)

    def _fraction(self, partition: int) -> float:
        if owned := self._owned.get(partition):
            return owned.fraction
        coming = self._coming.get(partition)
        return coming.fraction if coming else 0.0

    def _blocked(self, partitions: Iterable[int]) -> list[Blocked]:
        there = {**self._coming, **self._owned}
        found = []
        for partition in partitions:
            match there.get(partition):
                case _Recovery() as coming:
                    found.append(coming.blocked(partition))
                case CasePartition() as owned:
                    found.append(owned.blocked)
        return [one for one in found if one is not None]

    def _require_some(self) -> None:
        """Raise if nothing at all goes on: then the broker, or the way to it, is in trouble."""
        held = [at.partition for at in self._group.consumer.assignment()]
        blocked = self._blocked(held)
        if held and len(blocked) == len(held):
            last = min(blocked, key=lambda one: one.seconds)
            if last.seconds > _BLOCKED_SECONDS:
                msg = f"{last.why}; gave up after {_BLOCKED_SECONDS:.0f} s without any partition"
                raise BrokerError(msg)

    def _take_over(self) -> None:
        """Go on with the partitions that came, for a while: a group drops who does not poll."""
        pause = time.monotonic() + _RESTORE_SECONDS
        for at in sorted(self._group.consumer.assignment()):
            if at.partition in self._owned:
                continue
            coming = self._coming.setdefault(at.partition, _Recovery())
            if coming.takeover is None:
                if coming.back_off.remaining:
                    continue
                coming.takeover = take_over(
                    self._settings, self._group.consumer, self._group.membership, at
                )
            try:
                with broker_errors(f"take over {at.topic}[{at.partition}]"):
                    while time.monotonic() < pause:
                        fraction = next(coming.takeover)
                        if fraction is None:  # it waits; the next one need not
                            break
                        coming.fraction = fraction
            except StopIteration as done:
                del self._coming[at.partition]
                self._begin(at, done.value)
            except StoreDamaged as error:
                self._damaged(at, error)
            except BrokerUnavailable as error:
                coming.takeover, coming.fraction, coming.why = None, 0.0, str(error)
                coming.since = coming.since or time.monotonic()
                coming.back_off.failed()
                _LOG.warning("attempt %d: %s", coming.back_off.failures, error)
        if time.monotonic() > self._said + _SAY_EVERY:
            self._said = time.monotonic()
            if not (readiness := self.readiness()).ready:
                _LOG.info("%s", readiness)

    def _require_partitions(self) -> None:
        """Raise if partitions were added to the input."""
        number = len(self._group.consumer.partitions_for_topic(self._topic) or ())
        for owned in self._owned.values():
            if number > owned.partitions:
                raise changed_partitions(self._topic, owned.partitions, number)

    def _begin(self, at: TopicPartition, owned: CasePartition) -> None:
        owned.tally = self.tally
        owned.observer = owned.outlet.observer = self._observer
        self._owned[at.partition] = owned
        try:
            owned.publish()
        except StoreDamaged as error:
            self._damaged(at, error)
            return
        self._group.consumer.seek(at, owned.next_offset)
        if not owned.blocked:
            self._group.consumer.resume(at)
        _LOG.info("took %s[%d] at offset %d", at.topic, at.partition, owned.next_offset)

    def _deleted(self) -> StateError:
        return StateError(
            f"{self._topic}: every report must be counted; got a topic that no longer has those "
            "due next: they were deleted unread. Lengthen its retention and restore the reports "
            "from their source"
        )

    def _count(self, at: TopicPartition, records: Sequence[Any]) -> int:
        if (owned := self._owned.get(at.partition)) is None:
            return 0
        try:
            # The position is after markers of transactions, too.
            owned.count(records, self._group.consumer.position(at))
        except StoreDamaged as error:
            self._damaged(at, error)
        return len(records)

    def _publish(self, at: TopicPartition) -> None:
        if (owned := self._owned.get(at.partition)) is None:
            return
        try:
            owned.publish()
            owned.copy_state()
        except StoreDamaged as error:
            self._damaged(at, error)
        else:
            # Its outbox must not grow for ever; what is read already waits in the client.
            (self._group.consumer.pause if owned.blocked else self._group.consumer.resume)(at)

    def _damaged(self, at: TopicPartition, error: StoreDamaged) -> None:
        """Begin anew without the database."""
        self._damages[at.partition] += 1
        if self._damages[at.partition] == _DAMAGES:
            raise error
        _LOG.warning("%s; it is set aside and restored", error)
        self._release([at.partition])
        set_aside(database(self._settings, at.partition), "damaged")
        self._group.hold([at])
