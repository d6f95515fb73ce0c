"""Many records at a time, to a real Kafka that takes the first while others are being made."""

import time
from contextlib import closing
from typing import Any

import pytest
from kafka import TopicPartition

from schemas.errors import InputError
from streams.runtime.broker.clients import make_consumer, make_producer
from streams.runtime.broker.producer import Record
from streams.runtime.broker.transactions import transaction
from streams.runtime.settings import Settings
from streams.runtime.wire.limits import MAX_MESSAGE_BYTES

pytestmark = pytest.mark.broker
# ruff: noqa: PT012  -- the body of a transaction is what must raise


def test_records_sent_together_arrive_in_order_with_their_headers(topics: Settings) -> None:
    names = [f"{topics.topic_prefix}{name}" for name in ("alerts", "signals")]
    records = [
        Record(b"key %d" % (number % 7), b"%d" % number + b"." * 3_000, [("n", b"%d" % number)])
        for number in range(3_000)  # several batches of each partition, sent while others are made
    ]
    with closing(make_producer(topics, f"{topics.topic_prefix}many")) as producer:
        with transaction(producer) as out:
            for start in range(0, len(records), 100):
                for name in names:
                    out.send_all(name, records[start : start + 100], {"topic": name.encode()})
            with pytest.raises(InputError, match=r"a record must fit in 16777216 bytes; got 167"):
                out.send_all(names[0], [Record(b"key 0", bytes(MAX_MESSAGE_BYTES))])
        with pytest.raises(ZeroDivisionError), transaction(producer) as out:
            out.send_all(names[0], [Record(b"key 0", b"aborted")])
            raise ZeroDivisionError
    with closing(make_consumer(topics)) as consumer:
        for name in names:
            parts = [TopicPartition(name, one) for one in consumer.partitions_for_topic(name)]
            consumer.assign(parts)
            consumer.seek_to_beginning(*parts)
            found: dict[bytes, list[Any]] = {}
            deadline = time.monotonic() + 20
            while sum(map(len, found.values())) < len(records) and time.monotonic() < deadline:
                for some in consumer.poll(timeout_ms=100).values():
                    for one in some:
                        found.setdefault(one.key, []).append((one.value, list(one.headers)))
            assert len(found) == 7
            for key, held in found.items():
                assert held == [
                    (one.value, [("n", one.headers[0][1]), ("topic", name.encode())])
                    for one in records
                    if one.key == key
                ]
