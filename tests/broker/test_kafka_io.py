"""The kafka-python adapters on a real Kafka: transactions, fencing, limits, dead brokers."""

import logging
import socket
import struct
import threading
import time
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest
from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.errors import KafkaError, UnknownProducerIdError

from schemas.errors import BrokerError, InputError
from streams.runtime.broker import clients, transactions
from streams.runtime.broker.clients import make_admin, make_consumer, make_producer
from streams.runtime.broker.errors import broker_errors
from streams.runtime.broker.topics import create_topics
from streams.runtime.broker.transactions import (
    ProducerFenced,
    ProducerUnusable,
    TransactionAborted,
    discard,
    transaction,
)
from streams.runtime.settings import Settings
from streams.runtime.wire.limits import MAX_MESSAGE_BYTES
from tests.broker.support.kafka_server import KafkaServer, free_ports

pytestmark = pytest.mark.broker
# ruff: noqa: PT012  -- the body of a transaction is what must raise


def at(settings: Settings, name: str, partition: int = 0) -> TopicPartition:
    return TopicPartition(f"{settings.topic_prefix}{name}", partition)


def read(settings: Settings, where: TopicPartition, seconds: float = 1.5) -> list[bytes]:
    """Return the records that a new reader gets until the topic is idle."""
    values: list[bytes] = []
    with closing(make_consumer(settings)) as consumer:
        consumer.assign([where])
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for record in consumer.poll(timeout_ms=100).get(where, []):
                values.append(record.value)
                deadline = time.monotonic() + 0.5
    return values


# transactions


def test_aborted_records_are_invisible(topics: Settings) -> None:
    where = at(topics, "deltas")
    with closing(make_producer(topics, f"{topics.topic_prefix}a")) as producer:
        with transaction(producer) as records:
            records.send(where.topic, b"first")
        with pytest.raises(ZeroDivisionError), transaction(producer) as records:
            records.send(where.topic, b"aborted")
            producer.flush()  # it is in the log, and must not be seen
            raise ZeroDivisionError
        with transaction(producer) as records:
            records.send(where.topic, b"second", headers={"k": b"v"})
    assert read(topics, where) == [b"first", b"second"]
    with closing(make_consumer(topics)) as consumer:
        assert consumer.end_offsets([where])[where] > 3, "the aborted record is in the log"


def test_offsets_and_records_are_committed_together(topics: Settings) -> None:
    source, sink = at(topics, "reports"), at(topics, "deltas")
    group = f"{topics.topic_prefix}cases"
    with closing(make_producer(topics)) as producer:
        for number in range(10):
            producer.send(source.topic, b"%d" % number, partition=0)
        producer.flush()
    with (
        closing(make_consumer(topics, group)) as consumer,
        closing(make_producer(topics, f"{topics.topic_prefix}o")) as producer,
    ):
        consumer.subscribe([source.topic])
        while not consumer.poll(timeout_ms=200):
            pass
        member = consumer.group_metadata()
        with transaction(producer, offsets={source: 4}, group_metadata=member) as records:
            records.send(sink.topic, b"0-4")
        assert consumer.committed(source) == 4

        with (
            pytest.raises(ZeroDivisionError),
            transaction(producer, offsets={source: 9}, group_metadata=member) as records,
        ):
            records.send(sink.topic, b"4-9")
            raise ZeroDivisionError
        assert consumer.committed(source) == 4

        # A worker that the group has dropped is refused, and its records with it.
        stale = member._replace(generation_id=member.generation_id + 1)
        with (
            pytest.raises(TransactionAborted, match="the consumer group has rebalanced"),
            transaction(producer, offsets={source: 9}, group_metadata=stale) as records,
        ):
            records.send(sink.topic, b"4-9 of a stale worker")
        assert consumer.committed(source) == 4

        with transaction(producer, offsets={source: 9}, group_metadata=member) as records:
            records.send(sink.topic, b"4-9 again")
        assert consumer.committed(source) == 9
    assert read(topics, sink) == [b"0-4", b"4-9 again"]


def test_offsets_need_their_group(topics: Settings) -> None:
    with (
        closing(make_producer(topics, f"{topics.topic_prefix}g")) as producer,
        pytest.raises(InputError, match="group_metadata"),
        transaction(producer, offsets={at(topics, "reports"): 1}),
    ):
        pass


def test_a_second_producer_fences_the_first(topics: Settings) -> None:
    where, name = at(topics, "deltas"), f"{topics.topic_prefix}fenced"
    old = make_producer(topics, name)
    with transaction(old) as records:
        records.send(where.topic, b"old")
    # It also ends the transaction that the first has open.
    with pytest.raises(ProducerFenced), transaction(old) as records:
        records.send(where.topic, b"zombie")
        old.flush()
        new = make_producer(topics, name)
        with transaction(new) as taken_over:
            taken_over.send(where.topic, b"new")
    with pytest.raises(ProducerFenced), transaction(old):
        pytest.fail("a fenced producer must not begin")
    discard(old)
    new.close()
    assert read(topics, where) == [b"old", b"new"]


def test_a_failed_record_aborts_the_transaction(topics: Settings) -> None:
    where = at(topics, "deltas")
    with closing(make_producer(topics, f"{topics.topic_prefix}fails")) as producer:
        with pytest.raises(TransactionAborted), transaction(producer) as records:
            records.send(where.topic, b"good")
            # A compacted topic takes no record without a key.
            records.send(at(topics, "signals").topic, b"no key", partition=0)
        with transaction(producer) as records:
            records.send(where.topic, b"next")
    assert read(topics, where) == [b"next"]


class Forgetful:
    """A producer that loses a record and calls the commit a success.

    kafka-python 3.0.12 does so when a batch fails with an unknown producer id or a gap in the
    sequence while the commit waits for it: it renews its epoch and ends the transaction as empty.
    """

    def begin_transaction(self) -> None: ...

    def send(self, *_: object, **__: object) -> "Forgetful":
        return self

    def flush(self, _: float) -> None: ...

    def get(self, timeout: float) -> None:
        raise UnknownProducerIdError

    def commit_transaction(self) -> None:
        pytest.fail("a transaction that lost a record must not be committed")

    def abort_transaction(self) -> None:
        msg = "Invalid transition attempted from state READY to state ABORTING_TRANSACTION"
        raise KafkaError(msg)


def test_a_lost_record_prevents_the_commit() -> None:
    with pytest.raises(ProducerUnusable, match="UnknownProducerId"), transaction(Forgetful()) as t:
        t.send("deltas", b"lost")


def test_a_transaction_times_out_without_a_broker(
    killable: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.load(bootstrap=killable.bootstrap, topic_prefix="dead.", partitions=1)
    where = at(settings, "deltas")
    create_topics(settings)
    producer = make_producer(settings, "dead")
    with transaction(producer) as records:
        records.send(where.topic, b"before")
    monkeypatch.setattr(transactions, "FINISH_SECONDS", 3.0)
    started = time.monotonic()
    with pytest.raises(ProducerUnusable), transaction(producer) as records:
        records.send(where.topic, b"in doubt")
        producer.flush()
        killable.kill()
        records.send(where.topic, b"never sent")
    assert time.monotonic() - started < 30, "3 s, on an idle machine"
    discard(producer)
    deadline = time.monotonic() + 10
    while any("network-thread" in thread.name for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "the discarded producer may still deliver"
        time.sleep(0.1)
    killable.restart()
    monkeypatch.undo()
    with (
        closing(make_producer(settings, "dead")) as replacement,
        transaction(replacement) as records,
    ):
        records.send(where.topic, b"after")
    assert read(settings, where) == [b"before", b"after"]


# reading


def test_a_consumer_resumes_at_a_given_offset(topics: Settings) -> None:
    where = at(topics, "reports")
    with closing(make_producer(topics)) as producer:
        for number in range(100):
            producer.send(where.topic, b"%d" % number, partition=0)
        producer.flush()
    with closing(make_consumer(topics)) as consumer:
        consumer.assign([where])
        consumer.seek(where, 97)
        assert [record.value for record in polled(consumer, where)] == [b"97", b"98", b"99"]
        assert consumer.position(where) == 100


class SeekOnAssignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """As the case stage does: the position comes from its own store."""

    def __init__(self, consumer: Any) -> None:
        self.consumer = consumer

    def on_partitions_revoked(self, revoked: object) -> None:
        pass

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        for partition in assigned:
            self.consumer.seek(partition, 3 if partition.partition == 0 else 0)


def test_a_group_member_may_seek_when_partitions_are_assigned(topics: Settings) -> None:
    where = at(topics, "reports")
    with closing(make_producer(topics)) as producer:
        for number in range(5):
            producer.send(where.topic, b"%d" % number, partition=0)
        producer.flush()
    with closing(make_consumer(topics, topics.topic_prefix, auto_offset_reset="none")) as consumer:
        consumer.subscribe([where.topic], listener=SeekOnAssignment(consumer))
        assert [record.value for record in polled(consumer, where)] == [b"3", b"4"]


def test_a_deleted_position_raises_with_reset_none(topics: Settings) -> None:
    where = at(topics, "reports")
    with closing(make_consumer(topics, auto_offset_reset="none")) as consumer:
        consumer.assign([where])
        with (
            pytest.raises(BrokerError, match="read reports: a partition has no position"),
            broker_errors("read reports"),
        ):
            consumer.poll(timeout_ms=3000)
        consumer.seek(where, 7)
        with (
            pytest.raises(BrokerError, match="read reports: the position is no longer"),
            broker_errors("read reports"),
        ):
            consumer.poll(timeout_ms=3000)


def polled(consumer: Any, where: TopicPartition) -> list[Any]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        records: list[Any] = consumer.poll(timeout_ms=200).get(where, [])
        if records:
            return records
    pytest.fail("nothing came")


# limits and refusals


def test_records_up_to_the_limit_pass_and_larger_ones_are_refused(topics: Settings) -> None:
    where = at(topics, "reports")
    framing = 128  # of the batch and the record around the value
    largest = b"x" * (MAX_MESSAGE_BYTES - framing)
    with (
        closing(make_producer(topics, f"{topics.topic_prefix}large")) as producer,
        transaction(producer) as records,
    ):
        records.send(where.topic, largest, partition=0)
        with pytest.raises(InputError, match=r"a record must fit in 16777216 bytes; got 167"):
            records.send(where.topic, largest + b"x" * framing, partition=0)
        records.send(where.topic, b"small", partition=0)
    assert [len(value) for value in read(topics, where)] == [len(largest), 5]


@pytest.mark.parametrize("make", [make_admin, make_consumer, make_producer])
def test_an_unreachable_broker_is_reported_in_time(make: Any) -> None:
    (port,) = free_ports(1)
    settings = Settings.load(bootstrap=f"127.0.0.1:{port}", connect_timeout_ms=2000)
    started = time.monotonic()
    with pytest.raises(BrokerError, match=rf"connect to Kafka at 127.0.0.1:{port} .*REFUSED"):
        make(settings)
    assert 1 < time.monotonic() - started < 7, "the timeout, and some seconds of a busy machine"


def test_a_connection_that_is_reset_is_logged_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            connection.recv(1)
            # Zero seconds to linger: the end of the connection is a reset, not a farewell.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        port = server.getsockname()[1]
        settings = Settings.load(bootstrap=f"127.0.0.1:{port}", connect_timeout_ms=1000)
        with caplog.at_level(logging.WARNING), pytest.raises(BrokerError, match="reset by peer"):
            make_admin(settings)
        thread.join()
    lost = [record for record in caplog.records if "reset by peer" in record.getMessage()]
    assert lost
    assert all(record.exc_info is None for record in caplog.records)


def test_a_wrong_security_protocol_is_reported(broker: str) -> None:
    quick = Settings.load(bootstrap=broker, security_protocol="SSL", connect_timeout_ms=1000)
    with pytest.raises(BrokerError, match=r"\(SSL\): .*Handshake failed"):
        make_admin(quick)


def test_a_broker_that_advertises_a_remote_plaintext_address_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def refuse(self: Settings, host: str) -> None:
        seen.append(host)
        msg = "elsewhere"
        raise BrokerError(msg)

    monkeypatch.setattr(Settings, "refuse_plaintext", refuse)
    with pytest.raises(BrokerError, match="elsewhere"):
        make_consumer(settings)
    assert seen


def test_an_unknown_topic_is_reported_in_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "REQUEST_MS", 3000)
    with closing(make_producer(settings, f"{settings.topic_prefix}{uuid4()}")) as producer:
        started = time.monotonic()
        with pytest.raises(TransactionAborted), transaction(producer) as records:
            records.send(f"{settings.topic_prefix}absent", b"x")
        assert time.monotonic() - started < 20
