"""Where what came of one partition goes out: in order, a transaction at a time, once.

A transaction that hangs or fails is this partition's trouble and nobody else's. It runs in a thread
of its own, for which the worker waits shortly; after that the partition is *blocked*: nothing more
is read of it, what was counted stays in its outbox, and the other partitions go on. What fails is
done again, later and later, with a new producer. Whatever the broker did with the transaction that
was given up, it did before the new producer was ready; so then the group knows, and one that went
out is not sent again.
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

__all__ = ["PartitionPublisher", "Superseded", "partition_producer"]

_LOG = logging.getLogger(__name__)
_PATIENCE = 2.0  # that the other partitions have with one: most transactions take 20 ms [s]
_HANGS = 30.0  # then it is given up; half of what the broker allows, so that it ends it for us [s]
# By then a process that slept knows if its group went on without it, be the broker ever so busy.
_TOLD = 12 * HEARTBEAT_MS / 1000


class Superseded(Exception):
    """The group or another producer has taken over; what is owned is known after joining anew."""


def partition_producer(settings: Settings, at: TopicPartition) -> Any:
    """Return the producer of a partition; it ends what its predecessor had open, and fences it."""
    return make_producer(settings, f"{at.topic}-cases-{at.partition}")


@dataclass
class _PendingTransaction:
    """What is to go out: its records, the input offset after it, and what to do once it is out."""

    send: Callable[[Transaction], None]
    following: int | None
    then: Callable[[], None]
    since: float


class PartitionPublisher:
    """The way out of one partition.

    Parameters
    ----------
    settings, member
        How to reach the broker, and what the worker is in its group.
    at
        Topic and partition of the input.
    producer
        As of `partition_producer`; closed by `close`.

    Attributes
    ----------
    observer
        Hears how each transaction ends, on the worker's own thread.
    """

    def __init__(
        self,
        settings: Settings,
        member: Membership,
        at: TopicPartition,
        producer: Any,
        observer: Observer,
    ) -> None:
        self.observer = observer
        self._settings, self._member, self._at = settings, member, at
        self._producer: Any = producer
        self._usable = True
        self._job: _PendingTransaction | None = None
        self._making: BackgroundTask[tuple[Any, int]] | None = None
        self._sending: BackgroundTask[None] | None = None
        self._sending_since = 0.0
        self._generation = -1  # of the group, that the transaction under way was begun in
        self._back_off = BackOff()
        self._why = ""
        self._name = f"{at.topic}[{at.partition}]"

    @property
    def busy(self) -> bool:
        """Whether something is on its way; after `settled` that is to say: blocked."""
        return self._job is not None

    @property
    def blocked(self) -> Blocked | None:
        """Since when and why nothing goes out; `None` if all is well."""
        if self._job is None:
            return None
        seconds = time.monotonic() - self._job.since
        reason = "failing" if self._back_off.failures else "no_answer"
        why = self._why or f"publish {self._name}: no answer for {seconds:.0f} s"
        return Blocked(self._at.partition, reason, seconds, why)

    def send(
        self,
        records: Callable[[Transaction], None],
        following: int | None,
        then: Callable[[], None],
    ) -> None:
        """Send in one transaction, with the input offset if there is one; `settled` waits for it.

        Send nothing more until it says that all is out.

        Parameters
        ----------
        records
            Sends them; may be called again, and in another thread.
        then
            Called once it is out, in the thread of the caller of `settled`.
        """
        self._job = _PendingTransaction(records, following, then, time.monotonic())
        self._begin(self._job)

    def settled(self) -> bool:
        """Go on with what is on its way, wait shortly; return whether all is out.

        If it is not, the partition is blocked: call this until it is.

        Raises
        ------
        Superseded
            If somebody else holds the partition by now.
        BrokerError
            If the broker denies a right: that is not of this partition alone.
        """
        while (job := self._job) is not None:
            task = self._making or self._sending
            if task is None:
                if self._back_off.remaining:
                    return False
                self._begin(job)
            elif task.wait(job.since + _PATIENCE - time.monotonic()):
                self._collect(job)
            elif self._sending and time.monotonic() - self._sending_since > _HANGS:
                self._give_up(f"publish {self._name}: no answer in {_HANGS:.0f} s")
            else:
                if not self._why:
                    self._why = f"publish {self._name}: no answer in {_PATIENCE:.0f} s"
                    _LOG.warning("%s; the partition waits, the others go on", self._why)
                return False
        return True

    def close(self) -> None:
        """Let go of the producer; what was on its way is finished by whoever comes next."""
        self._job = None
        for task in (self._making, self._sending):
            if task is not None:
                task.give_up()
        discard(self._producer)

    def _begin(self, job: _PendingTransaction) -> None:
        if not self._usable:
            old = self._producer
            self._making = BackgroundTask(
                "tocsin-producer",
                lambda: self._renewed(old, job.following),
                undo=lambda made: discard(made[0]),
            )
            return
        # Both are read here: the worker's thread changes them.
        producer, metadata = self._producer, self._member.metadata
        offsets = None if job.following is None else {self._at: job.following}

        def publish() -> None:
            with transaction(producer, offsets=offsets, group_metadata=metadata) as out:
                job.send(out)

        self.observer.turned()
        self._generation = metadata.generation_id
        self._sending_since = time.monotonic()
        self._sending = BackgroundTask("tocsin-publish", publish)

    def _renewed(self, old: Any, following: int | None) -> tuple[Any, int]:
        """Return a new producer, and how far the group is, now that the old one can do no more."""
        discard(old)
        producer = partition_producer(self._settings, self._at)
        try:
            if following is None:
                return producer, 0
            reader = make_consumer(self._settings, self._member.metadata.group_id)
            try:
                with broker_errors(f"read the offset of {self._name}"):
                    return producer, committed_offset(reader, self._at) or 0
            finally:
                close_consumer(reader)
        except BaseException:
            discard(producer)
            raise

    def _collect(self, job: _PendingTransaction) -> None:
        """Take note of how a task ended."""
        making, sending = self._making, self._sending
        self._making = self._sending = None
        if making is not None:
            try:
                self._producer, reached = making.result()
            except BrokerUnavailable as error:
                self._failed(error)
                return
            self._usable = True
            if job.following is not None and reached >= job.following:
                self._done(job)
        elif sending is not None:
            try:
                sending.result()
            except ProducerFenced as error:
                self.observer.transaction("cases", "fenced")
                raise Superseded(str(error)) from error
            except ProducerUnusable as error:
                self.observer.transaction("cases", "unknown")
                self._failed(error)
            except TransactionAborted as error:
                self.observer.transaction("cases", "aborted")
                group = isinstance(error.__cause__, CommitFailedError | FencedInstanceIdError)
                if group and self._generation == self._member.metadata.generation_id:
                    raise Superseded(str(error)) from error
                self._failed(error)
            else:
                self.observer.transaction("cases", "committed")
                self._done(job)

    def _give_up(self, why: str) -> None:
        if self._sending is not None:
            self._sending.give_up()
        self._sending = None
        self.observer.transaction("cases", "unknown")
        # Perhaps it is we who hung: a new producer would fence the one of whoever took over.
        self._failed(ProducerUnusable(why), at_least=_TOLD)

    def _failed(self, error: BrokerError, at_least: float = 0.0) -> None:
        if was_refused(error) or was_refused(error.__cause__):
            raise error
        self._usable = False
        self._back_off.failed(at_least)
        self._why = str(error)
        _LOG.warning("attempt %d: %s", self._back_off.failures, error)

    def _done(self, job: _PendingTransaction) -> None:
        if self._why:
            seconds = time.monotonic() - job.since
            _LOG.info("%s: published after %.0f s", self._name, seconds)
        self._job, self._why = None, ""
        self._back_off.reset()
        job.then()
