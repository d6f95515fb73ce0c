"""Kafka transactions with timeouts: send records and offsets, then commit or abort."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import ConsumerGroupMetadata, OffsetAndMetadata, TopicPartition, errors

from schemas.errors import BrokerError, InputError
from streams.runtime.background import BackgroundTask
from streams.runtime.broker.errors import one_line, was_fenced
from streams.runtime.wire.limits import MAX_MESSAGE_BYTES

__all__ = [
    "DELIVERY_MS",
    "REQUEST_MS",
    "TRANSACTION_MS",
    "ProducerFenced",
    "ProducerUnusable",
    "Transaction",
    "TransactionAborted",
    "discard",
    "may_have_moved",
    "transaction",
]

REQUEST_MS = 15_000
DELIVERY_MS = 45_000  # three requests
TRANSACTION_MS = 60_000  # then the broker aborts it; until then read_committed readers wait
FINISH_SECONDS = TRANSACTION_MS / 1000
ABORT_SECONDS = 15.0
CLOSE_SECONDS = 2.0


class TransactionAborted(BrokerError):
    """Nothing of this transaction was published. The producer is usable: retry the batch.

    If the message names the consumer group, the partitions may be assigned to another worker: poll
    first.
    """


class ProducerUnusable(BrokerError):
    """The transaction's outcome is unknown, or the producer cannot continue.

    Call `discard`, make a new producer with the same transactional id (which ends the old one's
    transaction either way), and publish again the records that the store has as unacknowledged.
    """


class ProducerFenced(ProducerUnusable):
    """Another producer with this transactional id owns the partition now. Stop; do not retry.

    The broker also raises it for a transaction that lasted longer than its timeout.
    """


class Transaction:
    """Sends the records of a transaction, and tracks their acknowledgements."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer
        self._futures: list[Any] = []

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        *,
        partition: int | None = None,
        headers: Mapping[str, bytes] | Iterable[tuple[str, bytes]] = (),
        timestamp: int | None = None,
    ) -> None:
        """Add one record to the transaction.

        Parameters
        ----------
        timestamp
            Of the record [ms since 1970-01-01]; `None` for now.

        Raises
        ------
        InputError
            The record is larger than `MAX_MESSAGE_BYTES`. The transaction is aborted unless the
            body catches this.
        """
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        try:
            future = self._producer.send(
                topic,
                value,
                key,
                headers=list(pairs),
                partition=partition,
                timestamp_ms=timestamp,
            )
        except errors.MessageSizeTooLargeError:
            raise _too_large(topic, len(value or b"") + len(key or b"")) from None
        self._futures.append(future)

    def wait_for_acknowledgements(self) -> None:
        """Wait for the acknowledgement of every record; raise the first error."""
        self._producer.flush(DELIVERY_MS / 1000)
        for future in self._futures:
            future.get(timeout=0)


@contextmanager
def transaction(
    producer: Any,
    *,
    offsets: Mapping[TopicPartition, int] | None = None,
    group_metadata: ConsumerGroupMetadata | None = None,
) -> Iterator[Transaction]:
    """Publish records and the input offsets behind them atomically.

    Parameters
    ----------
    producer
        From `make_producer`, with a transactional id.
    offsets
        Next offset of each input partition; committed with the records.
    group_metadata
        ``consumer.group_metadata()`` at the poll of the batch: a worker that has since lost its
        partitions is refused. Required with `offsets`.

    Raises
    ------
    TransactionAborted
        Nothing was published; the batch can be retried with the same producer.
    ProducerFenced
        Another producer has the transactional id; stop.
    ProducerUnusable
        The outcome is unknown or the producer is broken; make a new one.
    """
    if offsets and group_metadata is None:
        msg = "transaction: offsets need the group_metadata of their consumer; got None"
        raise InputError(msg)

    try:
        producer.begin_transaction()
    except errors.KafkaError as error:
        raise _fatal(error) from error
    records = Transaction(producer)

    def finish() -> None:
        if offsets:
            positions = {
                partition: OffsetAndMetadata(next_offset, "", -1)
                for partition, next_offset in offsets.items()
            }
            producer.send_offsets_to_transaction(positions, group_metadata)
        records.wait_for_acknowledgements()
        producer.commit_transaction()

    try:
        yield records
        if not _ended_within(FINISH_SECONDS, finish):
            msg = f"commit a transaction: no answer in {FINISH_SECONDS:.0f} s; it may yet commit"
            raise ProducerUnusable(msg)
    except ProducerUnusable:
        raise
    except errors.KafkaError as error:
        if was_fenced(error) or not _aborted(producer):
            raise _fatal(error) from error
        raise TransactionAborted(one_line("publish", error)) from error
    except BaseException:
        _aborted(producer)  # if this fails, the producer's next transaction raises
        raise


def discard(producer: Any) -> None:
    """Close a producer that may be broken, without waiting for undelivered records."""
    try:
        producer.close(timeout=CLOSE_SECONDS)
    except errors.KafkaError:
        # It times out while flushing and leaves its sender thread running, which would deliver once
        # a broker is reachable, perhaps hours later. No public method ends it.
        producer._sender.force_close()


def _ended_within(seconds: float, call: Callable[[], None]) -> bool:
    """Return whether `call` ends within the timeout, or raise its error; else it keeps running."""
    task = BackgroundTask("tocsin-transaction", call)
    if not task.wait(seconds):
        return False
    task.result()
    return True


def _too_large(topic: str, size: int) -> InputError:
    return InputError(f"{topic}: a record must fit in {MAX_MESSAGE_BYTES} bytes; got {size}")


def may_have_moved(error: BrokerError) -> bool:
    """Return whether a transaction failed because another member may own the partition now."""
    left_the_group = errors.CommitFailedError | errors.FencedInstanceIdError
    return isinstance(error, ProducerFenced) or isinstance(error.__cause__, left_the_group)


def _aborted(producer: Any) -> bool:
    try:
        return _ended_within(ABORT_SECONDS, producer.abort_transaction)
    except errors.KafkaError:
        return False


def _fatal(error: Exception) -> ProducerUnusable:
    kind = ProducerFenced if was_fenced(error) else ProducerUnusable
    return kind(one_line("publish", error))
