"""Publishes one partition's outbox: in order, one Kafka transaction at a time, exactly once.

A transaction that hangs or fails blocks its own partition only. It runs in a background thread, for
which the worker waits `BLOCK_AFTER_SECONDS`. After that the partition is *blocked*: it is paused,
its batches stay in its outbox, and the other partitions continue.

A failed transaction is retried with a back-off and a new producer. Initialising that producer ends
the old transaction at the broker; so the offset committed by then says whether the transaction was
published, and a published one is not sent again.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas.errors import BrokerError
from streams.runtime.background import BackgroundTask
from streams.runtime.broker.clients import (
    HEARTBEAT_MS,
    TopicPartition,
    make_consumer,
    make_producer,
)
from streams.runtime.broker.errors import (
    BrokerUnavailable,
    CommitFailedError,
    FencedInstanceIdError,
    broker_errors,
    was_refused,
)
from streams.runtime.broker.membership import Membership
from streams.runtime.broker.topic_reader import close_consumer, committed_offset
from streams.runtime.broker.transactions import (
    ProducerFenced,
    ProducerUnusable,
    Transaction,
    TransactionAborted,
    discard,
    transaction,
)
from streams.runtime.observability.observer import Observer
from streams.runtime.observability.readiness import Blocked
from streams.runtime.settings import Settings
from streams.runtime.workers.retrying import BackOff

__all__ = [
    "BLOCK_AFTER_SECONDS",
    "FENCING_GRACE_SECONDS",
    "TRANSACTION_TIMEOUT_SECONDS",
    "PartitionPublisher",
    "Superseded",
    "partition_producer",
]

_LOG = logging.getLogger(__name__)
BLOCK_AFTER_SECONDS = 2.0  # a slow transaction blocks only its own partition; typical: 20 ms
TRANSACTION_TIMEOUT_SECONDS = 30.0  # half of the broker's timeout, which ends it later
FENCING_GRACE_SECONDS = 12 * HEARTBEAT_MS / 1000
"""Seconds until a suspended process has learnt from its group that it is fenced: twelve heartbeats,
since a busy broker answers late. Before that, its new producer might fence that of the owner.
"""


class Superseded(Exception):
    """Another member or producer owns the partition; rejoin to learn the assignment."""


def partition_producer(settings: Settings, topic_partition: TopicPartition) -> Any:
    """Return a partition's producer; it ends its predecessor's transaction, and fences it."""
    return make_producer(settings, f"{topic_partition.topic}-cases-{topic_partition.partition}")


@dataclass
class _PendingTransaction:
    """Transaction to publish: its records, the next input offset, and a call after the commit."""

    send: Callable[[Transaction], None]
    next_offset: int | None
    then: Callable[[], None]
    since: float


class PartitionPublisher:
    """Publishes the transactions of one partition.

    Parameters
    ----------
    settings, member
        How to reach the broker, and the worker's membership of its group.
    topic_partition
        Of the input.
    producer
        See `partition_producer`; closed by `close`.

    Attributes
    ----------
    observer
        Called with the outcome of each transaction, on the worker's own thread.
    """

    def __init__(
        self,
        settings: Settings,
        member: Membership,
        topic_partition: TopicPartition,
        producer: Any,
        observer: Observer,
    ) -> None:
        self.observer = observer
        self._settings, self._member, self._input = settings, member, topic_partition
        self._producer: Any = producer
        self._usable = True
        self._pending: _PendingTransaction | None = None
        self._reconnecting: BackgroundTask[tuple[Any, int]] | None = None
        self._sending: BackgroundTask[None] | None = None
        self._sending_since = 0.0
        self._generation = -1  # of the group, when the pending transaction was begun
        self._back_off = BackOff()
        self._why = ""
        self._name = f"{topic_partition.topic}[{topic_partition.partition}]"

    @property
    def busy(self) -> bool:
        """Return whether a transaction is pending; after `settled`, whether it is blocked."""
        return self._pending is not None

    @property
    def blocked(self) -> Blocked | None:
        """Return why a transaction is still pending, and since when; `None` without one."""
        if self._pending is None:
            return None
        seconds = time.monotonic() - self._pending.since
        reason = "failing" if self._back_off.failures else "no_answer"
        why = self._why or f"publish {self._name}: no answer for {seconds:.0f} s"
        return Blocked(self._input.partition, reason, seconds, why)

    def send(
        self,
        records: Callable[[Transaction], None],
        next_offset: int | None,
        then: Callable[[], None],
    ) -> None:
        """Begin a transaction of records and, if given, the input offset.

        Send no other before `settled` has returned true.

        Parameters
        ----------
        records
            Sends them; may be called again, and in another thread.
        next_offset
            Of the input, to commit in the transaction.
        then
            Called after the commit, in the thread of the caller of `settled`.
        """
        self._pending = _PendingTransaction(records, next_offset, then, time.monotonic())
        self._begin(self._pending)

    def settled(self) -> bool:
        """Wait for the pending transaction, retry it if it failed; return whether it is published.

        If it is not, the partition is blocked: call this again until it is.

        Raises
        ------
        Superseded
            If another worker owns the partition.
        BrokerError
            If the broker denies a right: that concerns every partition.
        """
        while (pending := self._pending) is not None:
            task = self._reconnecting or self._sending
            if task is None:
                if self._back_off.remaining:
                    return False
                self._begin(pending)
            elif task.wait(pending.since + BLOCK_AFTER_SECONDS - time.monotonic()):
                self._collect(pending)
            elif self._sending and (
                time.monotonic() - self._sending_since > TRANSACTION_TIMEOUT_SECONDS
            ):
                self._give_up()
            else:
                if not self._why:
                    self._why = f"publish {self._name}: no answer in {BLOCK_AFTER_SECONDS:.0f} s"
                    _LOG.warning(
                        "partition blocked; the others continue", extra=self._fields(self._why)
                    )
                return False
        return True

    def close(self) -> None:
        """Close the producer; the next owner finishes a pending transaction."""
        self._pending = None
        for task in (self._reconnecting, self._sending):
            if task is not None:
                task.give_up()
        discard(self._producer)

    def _begin(self, pending: _PendingTransaction) -> None:
        if not self._usable:
            old = self._producer
            self._reconnecting = BackgroundTask(
                "tocsin-producer",
                lambda: self._renewed(old, pending.next_offset),
                undo=lambda connected: discard(connected[0]),
            )
            return
        # Both are read here: the worker's thread changes them.
        producer, metadata = self._producer, self._member.metadata
        offsets = None if pending.next_offset is None else {self._input: pending.next_offset}

        def publish() -> None:
            with transaction(producer, offsets=offsets, group_metadata=metadata) as out:
                pending.send(out)

        self.observer.loop_iteration()
        self._generation = metadata.generation_id
        self._sending_since = time.monotonic()
        self._sending = BackgroundTask("tocsin-publish", publish)

    def _renewed(self, old: Any, next_offset: int | None) -> tuple[Any, int]:
        """Return a new producer, and the offset committed when it had fenced the old one."""
        discard(old)
        producer = partition_producer(self._settings, self._input)
        try:
            if next_offset is None:
                return producer, 0
            reader = make_consumer(self._settings, self._member.metadata.group_id)
            try:
                with broker_errors(f"read the offset of {self._name}"):
                    return producer, committed_offset(reader, self._input) or 0
            finally:
                close_consumer(reader)
        except BaseException:
            discard(producer)
            raise

    def _collect(self, pending: _PendingTransaction) -> None:
        """Record the outcome of the task that has ended."""
        reconnecting, sending = self._reconnecting, self._sending
        self._reconnecting = self._sending = None
        if reconnecting is not None:
            try:
                self._producer, committed = reconnecting.result()
            except BrokerUnavailable as error:
                self._failed(error)
                return
            self._usable = True
            if pending.next_offset is not None and committed >= pending.next_offset:
                self._done(pending)
        elif sending is not None:
            try:
                sending.result()
            except ProducerFenced as error:
                self.observer.transaction_ended("cases", "fenced")
                raise Superseded(str(error)) from error
            except ProducerUnusable as error:
                self.observer.transaction_ended("cases", "unknown")
                self._failed(error)
            except TransactionAborted as error:
                self.observer.transaction_ended("cases", "aborted")
                group = isinstance(error.__cause__, CommitFailedError | FencedInstanceIdError)
                if group and self._generation == self._member.metadata.generation_id:
                    raise Superseded(str(error)) from error
                self._failed(error)
            else:
                self.observer.transaction_ended("cases", "committed")
                self._done(pending)

    def _give_up(self) -> None:
        if self._sending is not None:
            self._sending.give_up()
        self._sending = None
        self.observer.transaction_ended("cases", "unknown")
        # If this process hung, a new producer would fence that of the partition's new owner.
        why = f"publish {self._name}: no answer in {TRANSACTION_TIMEOUT_SECONDS:.0f} s"
        self._failed(ProducerUnusable(why), at_least=FENCING_GRACE_SECONDS)

    def _failed(self, error: BrokerError, at_least: float = 0.0) -> None:
        if was_refused(error) or was_refused(error.__cause__):
            raise error
        self._usable = False
        self._back_off.failed(at_least)
        self._why = str(error)
        fields = {**self._fields(self._why), "attempt": self._back_off.failures}
        _LOG.warning("transaction not published; it is retried", extra=fields)

    def _fields(self, why: str) -> dict[str, object]:
        return {"topic": self._input.topic, "partition": self._input.partition, "error": why}

    def _done(self, pending: _PendingTransaction) -> None:
        if self._why:
            seconds = time.monotonic() - pending.since
            _LOG.info(
                "blocked partition published",
                extra={
                    "topic": self._input.topic,
                    "partition": self._input.partition,
                    "seconds": round(seconds),
                },
            )
        self._pending, self._why = None, ""
        self._back_off.reset()
        pending.then()
