"""Kafka clients with the settings that correctness requires.

Differences from kafka-python, each measured or read in version 3.0.12:

- Its constructors fail with only "unable to bootstrap"; the functions here raise the cause.
- `commit_transaction`, `abort_transaction` and `send_offsets_to_transaction` block for ever if the
  broker is unreachable; `transaction` has timeouts.
- A batch that fails during a commit can leave that commit reported as a success: the client bumps
  its epoch, forgets the transaction and ends it as empty. `transaction` therefore waits for the
  acknowledgement of every record before it commits.
- After a commit the broker completes the transaction in the background and answers the next one
  with a retriable error. The client's back-off of 100 ms would delay every transaction; ours is
  10 ms.
"""

from collections.abc import Callable
from typing import Any, Literal

from kafka import KafkaAdminClient, TopicPartition, errors
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.partitioner import DefaultPartitioner

from schemas.errors import BrokerError
from streams.runtime.broker.client_patches import NetClient, Producer
from streams.runtime.broker.consumer import BoundedConsumer
from streams.runtime.broker.errors import (
    broker_errors,
    connecting_failed,
    explained,
    last_complaint,
    shorten,
    silenced,
)
from streams.runtime.broker.transactions import DELIVERY_MS, REQUEST_MS, TRANSACTION_MS, discard
from streams.runtime.settings import Settings
from streams.runtime.wire.limits import MAX_MESSAGE_BYTES

__all__ = ["HEARTBEAT_MS", "TopicPartition", "make_admin", "make_consumer", "make_producer"]

MAX_POLL_RECORDS = 10_000  # the batch size that the stages are designed for
PARTITION_FETCH_BYTES = 8 << 20  # 10,000 reports of 586 bytes, with keys and framing
FETCH_BYTES = 64 << 20
LINGER_BYTES = 2 << 20  # 3,000 reports: the broker answers at once when it has so many bytes
FETCH_WAIT_MS = 500  # after which the broker answers a fetch without records
BATCH_BYTES = 1 << 20
HEARTBEAT_MS = 500  # members learn of a rebalance by heartbeat: a rebalance takes two of them
METADATA_MS = 30_000  # until added partitions are discovered


def make_admin(settings: Settings) -> Any:
    """Return a connected `KafkaAdminClient`.

    Raises
    ------
    BrokerError
        If no broker answered in time, or it refused the connection.
    """
    return _connect(settings, KafkaAdminClient, request_timeout_ms=REQUEST_MS)


def make_consumer(
    settings: Settings,
    group_id: str | None = None,
    *,
    group_instance_id: str | None = None,
    auto_offset_reset: Literal["earliest", "none"] = "earliest",
    max_poll_records: int = MAX_POLL_RECORDS,
    isolation_level: Literal["read_committed", "read_uncommitted"] = "read_committed",
    linger_ms: int = 0,
) -> Any:
    """Return a connected `BoundedConsumer` that reads committed records, without auto-commit.

    Groups rebalance cooperatively: partitions that are not revoked are not interrupted.

    Parameters
    ----------
    settings
        How to reach the broker.
    group_id
        Consumer group; None to assign partitions manually.
    group_instance_id
        Static membership: a restart within the session timeout causes no rebalance.
    auto_offset_reset
        'earliest' starts a partition without a position at its first record; 'none' raises instead.
        'none' also raises if the position has been deleted, which 'earliest' would silently skip.
    max_poll_records
        Maximum number of records that one `poll` returns.
    isolation_level
        'read_uncommitted' only to find out how far a topic is written.
    linger_ms
        How long the broker may wait until it has `LINGER_BYTES`; 0: it answers with the first
        record. The next fetch is sent as soon as a response is read. With 0 a poll would therefore
        return the few records present at that moment, and leave later ones to the next poll.

    Raises
    ------
    BrokerError
        If no broker answered in time, or it refused the connection.
    """
    return _connect(
        settings,
        BoundedConsumer,
        group_id=group_id,
        group_instance_id=group_instance_id,
        enable_auto_commit=False,
        auto_offset_reset=auto_offset_reset,
        isolation_level=isolation_level,
        check_crcs=True,
        allow_auto_create_topics=False,
        max_poll_records=max_poll_records,
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
        fetch_max_bytes=FETCH_BYTES,
        fetch_min_bytes=LINGER_BYTES if linger_ms else 1,
        fetch_max_wait_ms=linger_ms or FETCH_WAIT_MS,
        request_timeout_ms=REQUEST_MS,
        session_timeout_ms=settings.session_timeout_ms,
        # Members learn of a rebalance by heartbeat: a long session timeout must not delay it.
        heartbeat_interval_ms=min(settings.session_timeout_ms // 3, HEARTBEAT_MS),
        metadata_max_age_ms=METADATA_MS,
        partition_assignment_strategy=[CooperativeStickyAssignor],
    )


def make_producer(settings: Settings, transactional_id: str | None = None) -> Any:
    """Return a connected, idempotent `KafkaProducer`; with an id, initialised for transactions.

    A second producer with the same transactional id fences the first and ends its transaction.
    Without compression, which would cost more than it saves on a local network.

    Raises
    ------
    BrokerError
        If no broker answered in time, or it refused the connection.
    """
    transactional = transactional_id is not None
    producer = _connect(
        settings,
        Producer,
        transactional_id=transactional_id,
        transaction_timeout_ms=TRANSACTION_MS,
        acks="all",
        partitioner=DefaultPartitioner(),  # as the Java client: a case keeps its partition
        enable_idempotence=True,
        allow_auto_create_topics=False,
        max_request_size=MAX_MESSAGE_BYTES,
        batch_size=BATCH_BYTES,
        linger_ms=5,
        max_block_ms=REQUEST_MS,
        request_timeout_ms=REQUEST_MS,
        delivery_timeout_ms=DELIVERY_MS,
        retry_backoff_ms=10 if transactional else 100,
    )
    if transactional:
        try:
            # This logger repeats errors that are raised as well.
            with (
                broker_errors(f"begin as {transactional_id}"),
                silenced("kafka.producer.transaction_manager"),
            ):
                producer.init_transactions()
        except BaseException:
            discard(producer)
            raise
    return producer


def _connect(settings: Settings, client_class: Callable[..., Any], **config: Any) -> Any:
    net_clients: list[Any] = []

    def net_client(**options: Any) -> Any:
        net_clients.append(NetClient(**options))
        return net_clients[-1]

    with last_complaint() as complaint:
        try:
            client = client_class(**settings.client_settings(), kafka_client=net_client, **config)
        except (errors.KafkaError, OSError) as error:
            for net in net_clients:  # its thread would reconnect for ever
                net.close()
            cause = complaint.text or str(error)
            where = f"{settings.bootstrap} ({settings.security_protocol})"
            msg = f"connect to Kafka at {where}: {explained(cause)}"
            raise connecting_failed(cause)(shorten(msg)) from error
    try:
        # The bootstrap broker may advertise other brokers, to which records are then sent.
        if settings.security_protocol.endswith("PLAINTEXT"):
            for broker in net_clients[0].cluster.brokers():
                settings.refuse_plaintext(broker.host)
    except BrokerError:
        client.close()
        raise
    return client
