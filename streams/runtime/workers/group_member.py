"""Consumer-group membership of a worker: poll, follow rebalances, rejoin.

Shared by all stages: the case stage counts many partitions, the detector exactly one; the link
stage reads with another consumer, and only the member that is assigned partition 0 is active.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from streams.runtime.broker.clients import TopicPartition
from streams.runtime.broker.membership import Membership, Ownership
from streams.runtime.broker.topic_reader import close_consumer
from streams.runtime.workers.stall_watchdog import StallWatchdog

__all__ = ["GroupMember", "PollResult", "PollStatus"]

_LOG = logging.getLogger(__name__)


class PollStatus(Enum):
    """State of a member after a poll; only `ASSIGNED` leaves the worker something to do."""

    ASSIGNED = auto()  # process the records, even if a rebalance has begun
    JOINING = auto()  # a rebalance is under way, and nothing was polled
    UNASSIGNED = auto()  # dropped by the group, or without the required partition: all is released
    REJOINED = auto()  # after a stall: all is released, and a new consumer has joined


@dataclass(frozen=True, slots=True)
class PollResult:
    """Records of a poll by partition, and the state of the member after it."""

    status: PollStatus
    records: Mapping[TopicPartition, Sequence[Any]] = field(default_factory=dict)


class GroupMember:
    """Member of a consumer group, for one worker.

    It pauses newly assigned partitions; the worker restores their state, then seeks and resumes.

    Parameters
    ----------
    join
        Returns a consumer that is subscribed with a rebalance listener.
    revoke
        Releases partitions that the group has revoked. It must be quick: heartbeats wait for it.
    release
        Releases every partition there is.
    reading
        Returns the partitions that should make progress; the others may stall.
    required
        The partition without which the member is a standby.

    Attributes
    ----------
    consumer, membership
        Both are replaced by `rejoin`.
    """

    def __init__(
        self,
        join: Callable[[Ownership], Any],
        *,
        revoke: Callable[[Collection[TopicPartition]], None],
        release: Callable[[], None],
        reading: Callable[[], Collection[TopicPartition]] = tuple,
        required: TopicPartition | None = None,
    ) -> None:
        self._join, self._revoke, self._release = join, revoke, release
        self._reading, self._required = reading, required
        self._begin()

    def poll(self, timeout_ms: int) -> PollResult:
        """Poll once, and do what the group asks for: release, seek or rejoin.

        Raises
        ------
        BrokerError
            If another worker has taken the member's `group_instance_id`.
        OffsetOutOfRangeError
            If the next records of a partition have been deleted.
        """
        records = self.consumer.poll(timeout_ms=timeout_ms)
        self.membership.update(self.consumer)
        if self.membership.stalled:
            _LOG.warning("rejoining the group: it does not answer")
            self.rejoin()
            return PollResult(PollStatus.REJOINED)
        if self.membership.lost or not self.is_active:
            self._release()
            return PollResult(PollStatus.UNASSIGNED)
        if not records and self.membership.joining:
            return PollResult(PollStatus.JOINING)
        if self._stalled():
            self.rejoin()
            return PollResult(PollStatus.REJOINED)
        return PollResult(PollStatus.ASSIGNED, records)

    @property
    def joined(self) -> bool:
        """Return whether the last poll left it in the group, with no rebalance under way."""
        member = self.membership
        return not (member.metadata is None or member.joining or member.lost)

    @property
    def is_active(self) -> bool:
        """Return whether it is assigned the required partition, if there is one."""
        return self._required is None or self._required in self.consumer.assignment()

    def pause_until_restored(self, partitions: Collection[TopicPartition]) -> None:
        """Pause partitions at offset 0, until their restored state says where to continue."""
        for partition in partitions:
            self.consumer.seek(partition, 0)  # a position is required, and none is assumed
            self.consumer.pause(partition)

    def rejoin(self) -> None:
        """Release every partition, leave the group and join it with a new consumer."""
        self._release()
        close_consumer(self.consumer)
        self._begin()

    def rejoin_after_fencing(self) -> None:
        """Rejoin, unless another worker has taken the member's name.

        Raises
        ------
        BrokerError
            If it has: two workers of one name would fence each other for ever.
        """
        self._release()
        self.membership.confirm(self.consumer)
        self.rejoin()

    def close(self) -> None:
        """Release every partition and leave the group."""
        self._release()
        close_consumer(self.consumer)

    def _begin(self) -> None:
        self.membership, self._watchdog = Membership(), StallWatchdog()
        self.consumer: Any = self._join(Ownership(self._revoke, self.pause_until_restored))

    def _stalled(self) -> bool:
        """Seek partitions that have stalled; return whether one stalled again after a seek."""
        stalled = self._watchdog.stalled(self.consumer, self._reading())
        for partition in stalled:
            self.consumer.seek(partition, self.consumer.position(partition))
        return max(stalled.values(), default=0) > 1
