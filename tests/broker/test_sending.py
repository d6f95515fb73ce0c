"""Producer: records keep order, headers and the partition that the Java client would choose."""

import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pytest
from kafka import TopicPartition

from schemas.errors import InputError
from streams.runtime.broker.clients import make_consumer, make_producer
from streams.runtime.broker.topics import create_topics
from streams.runtime.broker.transactions import transaction
from streams.runtime.settings import Settings
from streams.runtime.wire.limits import MAX_MESSAGE_BYTES

pytestmark = pytest.mark.broker
# ruff: noqa: PT012  -- the body of a transaction is what must raise


def received(settings: Settings, topic: str, number: int) -> dict[bytes, list[Any]]:
    """Return so many records of a topic, by key, in the order of their partition."""
    found: dict[bytes, list[Any]] = {}
    with closing(make_consumer(settings)) as consumer:
        parts = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        deadline = time.monotonic() + 20
        while sum(map(len, found.values())) < number and time.monotonic() < deadline:
            for records in consumer.poll(timeout_ms=100).values():
                for record in records:
                    found.setdefault(record.key, []).append(record)
    return found


def test_records_for_two_topics_arrive_in_order_with_their_headers(topics: Settings) -> None:
    names = [f"{topics.topic_prefix}{name}" for name in ("alerts", "signals")]
    records = [
        (b"key %d" % (number % 7), b"%d" % number + b"." * 3_000)
        for number in range(3_000)  # several batches of each partition, sent while others are made
    ]
    with closing(make_producer(topics, f"{topics.topic_prefix}many")) as producer:
        with transaction(producer) as out:
            for number, (key, value) in enumerate(records):
                for name in names:
                    headers = {"n": b"%d" % number, "topic": name.encode()}
                    out.send(name, value, key, headers=headers)
            with pytest.raises(InputError, match=r"a record must fit in 16777216 bytes; got 167"):
                out.send(names[0], bytes(MAX_MESSAGE_BYTES), b"key 0")
        with pytest.raises(ZeroDivisionError), transaction(producer) as out:
            out.send(names[0], b"aborted", b"key 0")
            raise ZeroDivisionError
    for name in names:
        found = received(topics, name, len(records))
        assert len(found) == 7
        for key, of_key in found.items():
            assert [(record.value, record.headers) for record in of_key] == [
                (value, [("n", b"%d" % number), ("topic", name.encode())])
                for number, (of, value) in enumerate(records)
                if of == key
            ]


HASHES: Mapping[bytes, int] = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
"""32-bit murmur2 of keys, from Kafka's own test of `Utils.murmur2` (UtilsTest.java)."""


def test_a_key_goes_to_the_partition_that_the_java_client_chooses(settings: Settings) -> None:
    settings = settings.model_copy(update={"partitions": 7})
    create_topics(settings)
    topic = f"{settings.topic_prefix}reports"
    with closing(make_producer(settings)) as producer:
        for key in HASHES:
            producer.send(topic, b"value", key)
        producer.flush()
    found = received(settings, topic, len(HASHES))
    assert {key: record.partition for key, (record,) in found.items()} == {
        key: (hashed & 0x7FFFFFFF) % 7 for key, hashed in HASHES.items()
    }
