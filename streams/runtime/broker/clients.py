"""Kafka clients with the settings that correctness needs, and transactions that cannot mislead.

What this adds to kafka-python, each measured or read in version 3.0.12:

- Its constructors say only "unable to bootstrap"; the makers here say why.
- `commit_transaction`, `abort_transaction` and `send_offsets_to_transaction` wait for ever when
  the broker is gone; `transaction` bounds them.
- A batch that fails while a commit is under way can leave that commit reported as a success:
  the client renews its epoch, forgets the transaction and ends it as empty. `transaction`
  therefore waits for every record to be acknowledged before it commits.
- After a commit the broker finishes in the background; the next transaction is then told to try
  again, and the client's pause of 100 ms becomes the price of every transaction. Ours is 10 ms.
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

MAX_POLL_RECORDS = 10_000  # the batch that the stages are built for
PARTITION_FETCH_BYTES = 8 << 20  # 10,000 reports of 586 bytes, keys and framing, in one answer
FETCH_BYTES = 64 << 20
LINGER_BYTES = 2 << 20  # 3,000 reports: an answer of so much does not wait for more
FETCH_WAIT_MS = 500  # that the broker has to answer when there is nothing
BATCH_BYTES = 1 << 20
HEARTBEAT_MS = 500  # a member learns by it that another came: a rebalance waits for two
METADATA_MS = 30_000  # until partitions that were added are noticed


def make_admin(settings: Settings) -> Any:
    """Return a connected `KafkaAdminClient`.

    Raises
    ------
    BrokerError
        No broker answered in time, or it refused us.
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
    """Return a connected `BoundedConsumer` that sees committed records and commits nothing itself.

    Groups rebalance cooperatively: a partition that stays is not interrupted.

    Parameters
    ----------
    settings
        How to reach the broker.
    group_id
        Consumer group; None to assign partitions by hand.
    group_instance_id
        Static membership: a restart within the session timeout causes no rebalance.
    auto_offset_reset
        'earliest' begins at the start of a partition with no position; 'none' raises instead, also
        when the position sought has been deleted, which 'earliest' would skip in silence.
    max_poll_records
        Most records that one `poll` returns.
    isolation_level
        'read_uncommitted' only to learn how far a topic is written.
    linger_ms
        How long the broker may wait until an answer holds `LINGER_BYTES`; 0: it answers with the
        first record. An answer is asked for as soon as the last one is read, so that without this
        a poll gives the few records that came then, and leaves those of the meantime to the next.

    Raises
    ------
    BrokerError
        No broker answered in time, or it refused us.
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
        # A member learns of a rebalance by it: a long session need not make that slow.
        heartbeat_interval_ms=min(settings.session_timeout_ms // 3, HEARTBEAT_MS),
        metadata_max_age_ms=METADATA_MS,
        partition_assignment_strategy=[CooperativeStickyAssignor],
    )


def make_producer(settings: Settings, transactional_id: str | None = None) -> Any:
    """Return a connected, idempotent `KafkaProducer`; with an id, ready to begin transactions.

    Making a second producer with one transactional id fences the first and ends its transaction.
    Nothing is compressed: that would cost more than it saves on a local network.

    Raises
    ------
    BrokerError
        No broker answered in time, or it refused us.
    """
    transactional = transactional_id is not None
    producer = _connect(
        settings,
        Producer,
        transactional_id=transactional_id,
        transaction_timeout_ms=TRANSACTION_MS,
        acks="all",
        partitioner=DefaultPartitioner(),  # that of the Java client: a case keeps its partition
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
            # What this logger says is raised as well.
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
    made: list[Any] = []

    def net_client(**given: Any) -> Any:
        made.append(NetClient(**given))
        return made[-1]

    with last_complaint() as complaint:
        try:
            client = client_class(**settings.client_settings(), kafka_client=net_client, **config)
        except (errors.KafkaError, OSError) as error:
            for net in made:  # its thread would go on trying for ever
                net.close()
            said = complaint.text or str(error)
            where = f"{settings.bootstrap} ({settings.security_protocol})"
            msg = f"connect to Kafka at {where}: {explained(said)}"
            raise connecting_failed(said)(shorten(msg)) from error
    try:
        # The broker we asked may name others, and these are what records are sent to.
        if settings.security_protocol.endswith("PLAINTEXT"):
            for broker in made[0].cluster.brokers():
                settings.refuse_plaintext(broker.host)
    except BrokerError:
        client.close()
        raise
    return client
