"""Consumer groups: join one without the client's races, and detect a member that hangs.

kafka-python 3.0.12: a leader without metadata of the topic assigns nothing, and does not rebalance
again. If such a leader begins a second join and a `poll` returns before it completes, the join is
lost: the member stays 'rebalancing' for ever, without a heartbeat and without an error. The
heartbeat of a static member ends once another has joined with its name; `poll` continues without
an error.
"""

import time
from collections.abc import Callable
from typing import Any

from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.coordinator.base import MemberState

from schemas.errors import BrokerError
from streams.runtime.broker.clients import HEARTBEAT_MS, make_consumer
from streams.runtime.broker.errors import broker_errors
from streams.runtime.broker.topic_reader import close_consumer, end_offsets
from streams.runtime.settings import Settings

__all__ = ["Membership", "Ownership", "join_group"]

_CONFIRM_SECONDS = 6 * HEARTBEAT_MS / 1000  # a pending heartbeat may be slow
_STALLED_SECONDS = 30.0  # longer than a group waits for its slowest member: the join was lost


def join_group(
    settings: Settings, group: str, topic: str, listener: Any, *, linger_ms: int = 0
) -> Any:
    """Return a consumer that is subscribed to a topic; its first `poll` joins the group.

    Seek to a position in every assigned partition: there is no default. `linger_ms` is that of
    `streams.runtime.broker.clients.make_consumer`.

    Raises
    ------
    BrokerError
        If there is no such topic; a poll would wait for it without an error.
    """
    consumer = make_consumer(
        settings,
        group,
        group_instance_id=settings.group_instance_id,
        auto_offset_reset="none",
        linger_ms=linger_ms,
    )
    try:
        with broker_errors(f"join the group {group}"):
            end_offsets(consumer, topic)
            consumer.subscribe([topic], listener=listener)
            consumer.topics()  # fetches metadata, so that one join is enough
    except BaseException:
        close_consumer(consumer)
        raise
    return consumer


class Ownership(ConsumerRebalanceListener):  # type: ignore[misc]
    """Rebalance listener that calls back with the revoked and the assigned partitions.

    Both callbacks must be quick, since the heartbeat waits; the worker's next step does the rest.
    """

    def __init__(
        self,
        revoke: Callable[[list[TopicPartition]], None],
        assign: Callable[[list[TopicPartition]], None],
    ) -> None:
        self._revoke = revoke
        self._assign = assign

    def on_partitions_revoked(self, revoked: Any) -> None:
        """Release partitions that are reassigned to another member."""
        if revoked:
            self._revoke(list(revoked))

    def on_partitions_lost(self, lost: Any) -> None:
        """Release partitions that are assigned to another member already."""
        if lost:
            self._revoke(list(lost))

    def on_partitions_assigned(self, assigned: Any) -> None:
        """Report newly assigned partitions."""
        if assigned:
            self._assign(list(assigned))


class Membership:
    """State of a group member as of its last poll.

    Attributes
    ----------
    metadata
        Group metadata for transactions: a broker refuses a member that the group has since removed.
    polled_at
        Monotonic time of the end of that poll [s].
    """

    def __init__(self) -> None:
        self.metadata: Any = None
        self.polled_at = time.monotonic()
        self._joining_since: float | None = None

    def update(self, consumer: Any) -> None:
        """Record the state of the consumer after a poll.

        Raises
        ------
        BrokerError
            If another worker has its `group_instance_id`. Give every worker a unique one.
        """
        self.metadata = consumer.group_metadata()
        self.polled_at = time.monotonic()
        name = self.metadata.group_instance_id
        if name is not None and self.metadata.state is MemberState.STABLE:
            coordinator = consumer._coordinator
            if not (coordinator._heartbeat_enabled or coordinator.rejoin_needed):
                msg = (
                    f"group {self.metadata.group_id}: group_instance_id must be of one worker at "
                    f"a time; got another with {name!r}: give each a name of its own"
                )
                raise BrokerError(msg)
        if not self.joining:
            self._joining_since = None
        elif self._joining_since is None:
            self._joining_since = time.monotonic()

    def confirm(self, consumer: Any) -> None:
        """Poll long enough to detect that another worker has the same `group_instance_id`.

        Otherwise two workers with one name would fence each other for ever.

        Raises
        ------
        BrokerError
            See `update`.
        """
        if self.metadata is None or self.metadata.group_instance_id is None:
            return
        deadline = time.monotonic() + _CONFIRM_SECONDS
        while time.monotonic() < deadline:
            consumer.poll(timeout_ms=100)  # its records are polled again after rejoining
            self.update(consumer)

    @property
    def lost(self) -> bool:
        """Return whether the group has removed it.

        Without a generation, a broker would accept any offset.
        """
        return bool(self.metadata.generation_id < 0)

    @property
    def joining(self) -> bool:
        """Return whether a rebalance is in progress: the broker may refuse transactions."""
        return bool(self.metadata.state is MemberState.REBALANCING)

    @property
    def stalled(self) -> bool:
        """Return whether joining has taken so long that it should rejoin."""
        since = self._joining_since
        return since is not None and time.monotonic() - since > _STALLED_SECONDS
