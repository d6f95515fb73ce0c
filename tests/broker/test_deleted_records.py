"""Records deleted while they are read (DeleteRecords, like retention), on a real Kafka."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest

from schemas.errors import BrokerError
from streams.runtime.broker import clients, topic_reader
from streams.runtime.broker.clients import make_admin, make_consumer, make_producer
from streams.runtime.broker.errors import PositionOutOfRange
from streams.runtime.broker.topic_reader import last_record, read_in_steps
from streams.runtime.broker.topic_tail import TopicTail
from streams.runtime.broker.transactions import transaction
from streams.runtime.settings import Settings
from tests.broker.support.processes import at, wait_until

pytestmark = pytest.mark.broker

NUMBER = 100
VALUE = b"x" * 1_000


@pytest.fixture
def reports(one_partition: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A hundred records in batches of their own; an answer holds a few, a poll two."""
    with closing(make_producer(one_partition)) as producer:
        for _ in range(NUMBER):
            producer.send(at(one_partition, "reports").topic, VALUE, partition=0)
            producer.flush()
    monkeypatch.setattr(clients, "PARTITION_FETCH_BYTES", 5_000)
    few = partial(make_consumer, max_poll_records=2)
    monkeypatch.setattr(topic_reader, "make_consumer", few)
    return one_partition


def delete_before(settings: Settings, first: int, name: str = "reports") -> None:
    with closing(make_admin(settings)) as admin:
        admin.delete_records({at(settings, name): first})


def read(settings: Settings, *, first: int, start: int | None = None) -> Iterator[int]:
    """Yield offsets; delete all records before another one once the first is read."""
    deleted = False
    for record, _ in read_in_steps(settings, at(settings, "reports").topic, start=start):
        if record is not None:
            yield record.offset
            if not deleted:
                delete_before(settings, first)
                deleted = True


def handed_out(tail: TopicTail) -> Iterator[int]:
    """Yield the offsets returned by a tail, for ever."""
    while True:
        yield from (offset for _, offset, _ in tail.poll())


@pytest.mark.parametrize("first", [60, NUMBER - 1, NUMBER])
def test_a_reader_that_accepts_gaps_continues_at_the_new_start(
    reports: Settings, first: int
) -> None:
    offsets = list(read(reports, first=first))
    fetched = [offset for offset in offsets if offset < first]
    assert fetched == list(range(len(fetched))), "what was fetched before is handed out"
    assert 2 <= len(fetched) < 20
    assert offsets == [*fetched, *range(first, NUMBER)]


def test_a_reader_that_needs_every_record_raises_on_a_gap(reports: Settings) -> None:
    offsets: list[int] = []
    with pytest.raises(PositionOutOfRange, match="the position is no longer in the topic"):
        offsets.extend(read(reports, first=60, start=0))
    assert offsets == list(range(len(offsets)))
    assert 2 <= len(offsets) < 20


def test_a_tail_raises_if_its_next_offset_is_deleted(
    reports: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = partial(make_consumer, max_poll_records=2)
    monkeypatch.setattr("streams.runtime.broker.topic_tail.make_consumer", few)
    delete_before(reports, 10)
    with closing(TopicTail(reports, "reports", lambda source: 0)) as tail:
        delete_before(reports, 20)  # after it has asked where the topic begins
        offsets: list[int] = []
        read_on = handed_out(tail)
        offsets.append(next(read_on))
        assert offsets == [20]
        delete_before(reports, 60)
        rule = r"must still have offset \d\d, which comes next; got 60 to 100"
        with pytest.raises(BrokerError, match=rule):
            offsets.extend(read_on)
    assert offsets == list(range(20, 20 + len(offsets)))
    assert len(offsets) < 20


def test_the_last_record_is_found_while_earlier_ones_are_deleted(one_partition: Settings) -> None:
    cases = at(one_partition, "cases")
    with (
        closing(make_producer(one_partition, f"{one_partition.topic_prefix}test")) as producer,
        closing(make_consumer(one_partition, auto_offset_reset="none")) as consumer,
    ):
        consumer.assign([cases])
        ends = consumer.end_offsets

        def send(value: bytes, end: int) -> None:
            """Send a record and wait until its transaction is over."""
            with transaction(producer) as out:
                out.send(cases.topic, value, partition=0)
            wait_until(lambda: ends([cases])[cases] == end, 10, "the end of a transaction")

        def append_and_delete(partitions: object) -> object:
            """Return the end; then copy the state of a worker, and delete the earlier records."""
            found = ends(partitions)
            if found[cases] == 2:
                send(b"new", 4)
                delete_before(one_partition, 2, "cases")
            return found

        send(b"old", 2)
        consumer.end_offsets = append_and_delete
        last = last_record(consumer, cases)
        assert last is not None
        assert last.value == b"new"
