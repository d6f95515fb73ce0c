"""Records are put together byte for byte, and batched, as kafka-python does it."""

import random
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaProducer, TopicPartition, errors
from kafka.partitioner import DefaultPartitioner
from kafka.producer.producer_batch import ProducerBatch
from kafka.producer.record_accumulator import RecordAccumulator
from kafka.producer.transaction_manager import (
    ProducerIdAndEpoch,
    TransactionManager,
    TransactionState,
)
from kafka.record.memory_records import MemoryRecordsBuilder

from schemas.errors import InputError
from streams.runtime.broker import producer
from streams.runtime.broker.producer import Producer, Record, Sent
from streams.runtime.broker.transactions import Transaction

FIRST = 1_700_000_000_000  # [ms]
lengths = st.sampled_from([0, 1, 63, 64, 127, 128, 8_191, 8_192, 70_000])
headers = st.lists(
    st.tuples(st.text(max_size=70), st.sampled_from([0, 1, 63, 64, 8_192]).map(bytes)), max_size=70
)
records = st.tuples(
    st.one_of(st.integers(-(1 << 40), 1 << 40), st.integers(-130, 130)),  # after the first [ms]
    lengths.map(bytes),
    lengths.map(bytes),
    headers,
)


def batch(size: int = 1 << 24) -> Any:
    made = ProducerBatch(TopicPartition("pv.alerts", 0), MemoryRecordsBuilder(2, 0, size))
    assert made.try_append(FIRST, b"first", b"{}", [])
    return made


def written(batch: Any) -> tuple[bytes, Any]:
    records = batch.records
    records.close()
    return bytes(records.buffer()), batch.record_count


def append(to: Any, at: int, *some: Record, more: Any = ()) -> list[Any]:
    """Append records as a producer does; `more` are headers of each."""
    last = len(more), producer._encoded_headers(more)
    return producer._appended(to, at, some, last, Sent)


@given(st.lists(records, max_size=5), headers)
def test_a_batch_is_that_of_the_library(records: list[Any], more: Any) -> None:
    ours, theirs = batch(), batch()
    for delay, key, value, headers in records:
        assert append(ours, FIRST + delay, Record(key, value, headers), more=more)
        assert theirs.try_append(FIRST + delay, key, value, headers + more) is not None
    assert ours.max_record_size == theirs.max_record_size
    assert written(ours) == written(theirs)


def test_every_place_in_a_batch_is_written_as_the_library_does() -> None:
    ours, theirs = batch(), batch()
    assert len(append(ours, FIRST, *[Record(b"k", b"v")] * 8_300)) == 8_300  # past two bytes
    for _ in range(8_300):
        theirs.try_append(FIRST, b"k", b"v", [])
    assert written(ours) == written(theirs)


@pytest.mark.parametrize("room", [*range(200, 230), 1_000])  # some that a record just fills
def test_a_batch_is_full_for_both_at_the_same_record(room: int) -> None:
    one = (b"key", b"value", [("a", b"b")])
    ours, singly, theirs = batch(room), batch(room), batch(room)
    fitting = sum(theirs.try_append(FIRST, *one) is not None for _ in range(50))
    assert len(append(ours, FIRST, *[Record(*one)] * 50)) == fitting
    assert sum(len(append(singly, FIRST, Record(*one))) for _ in range(50)) == fitting
    assert written(ours) == written(singly) == written(theirs)


def test_nothing_is_added_to_a_batch_that_is_being_sent() -> None:
    closed = batch()
    closed.records.close()
    assert append(closed, FIRST, Record(b"key", b"value")) == []


# a producer, without a broker

ALERTS, SIGNALS = "pv.alerts", "pv.signals"
NOW = 1_700_000_000.25
LIMIT = 20_000  # bytes of a record


class Cluster:
    """What a producer knows of topics, once it has asked."""

    def __init__(self, partitions: int) -> None:
        self._known = dict.fromkeys((ALERTS, SIGNALS), partitions)

    def topics(self) -> set[str]:
        return set(self._known)

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self._known[topic])) if topic in self._known else None

    available_partitions_for_topic = partitions_for_topic

    def learn(self, topic: str) -> None:
        self._known[topic] = 3


class Sender:
    woken = 0

    def wakeup(self) -> None:
        self.woken += 1


def offline(kind: type[KafkaProducer], size: int = 1 << 20, partitions: int = 3) -> Any:
    """Return a producer in a transaction, with the library's accumulator and no network."""
    made = kind.__new__(kind)
    made.config = {**KafkaProducer.DEFAULT_CONFIG, "api_version": (4, 0)}
    made.config.update(partitioner=DefaultPartitioner(), max_request_size=LIMIT)
    made._metadata, made._sender = Cluster(partitions), Sender()
    state = made._transaction_manager = TransactionManager("id", 60_000, 10, (4, 0))
    state.producer_id_and_epoch = ProducerIdAndEpoch(1, 0)
    state._current_state = TransactionState.IN_TRANSACTION
    made._accumulator = RecordAccumulator(batch_size=size, transaction_manager=state)
    made._closed = False
    made.close = lambda **_: None  # when it is deleted: there is nothing to end
    return made


def batches(producer: Any, topic: str) -> dict[int, list[Any]]:
    held = producer._accumulator._batches
    return {at.partition: list(some) for at, some in held.items() if at.topic == topic and some}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)


def some_records(count: int, seed: int = 5) -> list[Record]:
    chance = random.Random(seed)
    return [
        Record(
            b"key %d" % chance.randint(0, 20),
            chance.randbytes(chance.choice([0, 10, 700, 3_000])),
            [("ce_id", b"%d" % number), ("ce_time", b"2024")][: chance.randint(0, 2)],
        )
        for number in range(count)
    ]


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("size", [500, 2_000, 1 << 20])  # smaller than a record, or than all
@pytest.mark.parametrize("partitions", [1, 4])
def test_many_records_make_the_batches_that_the_library_makes(size: int, partitions: int) -> None:
    ours, theirs = offline(Producer, size, partitions), offline(KafkaProducer, size, partitions)
    records, more = some_records(300), [("traceparent", b"00-1")]
    sent: list[Any] = []
    for start in range(0, 300, 70):
        some = records[start : start + 70]
        ours.send_all(ALERTS, some, sent, more)
        ours.send_all(SIGNALS, some, sent)
    assert len(sent) == 600
    for one in records:
        at = {"timestamp_ms": int(NOW * 1000)}
        theirs.send(ALERTS, one.value, one.key, [*one.headers, *more], **at)
        theirs.send(SIGNALS, one.value, one.key, [*one.headers], **at)
    for topic in (ALERTS, SIGNALS):
        got, expected = batches(ours, topic), batches(theirs, topic)
        assert sum(len(some) for some in expected.values()) >= partitions
        assert sorted(got) == sorted(expected)
        for partition, some in expected.items():
            assert [written(one) for one in got[partition]] == [written(one) for one in some]
    # What a flush waits for, and what the coordinator is told of.
    assert len(ours._accumulator._incomplete.all()) == len(theirs._accumulator._incomplete.all())
    added, known = (one._transaction_manager for one in (ours, theirs))
    assert added._new_partitions_in_transaction == known._new_partitions_in_transaction
    assert ours._accumulator._appends_in_progress.get() == 0


@pytest.mark.usefixtures("clock")
def test_single_records_make_the_batches_that_the_library_makes() -> None:
    ours, theirs = offline(Producer, 5_000), offline(KafkaProducer, 5_000)
    for one in some_records(300):
        ours.send(ALERTS, one.value, one.key, [*one.headers])
        theirs.send(ALERTS, one.value, one.key, [*one.headers], timestamp_ms=int(NOW * 1000))
    got, expected = batches(ours, ALERTS), batches(theirs, ALERTS)
    assert sorted(got) == sorted(expected)
    for partition, some in expected.items():
        assert [written(one) for one in got[partition]] == [written(one) for one in some]


def test_the_sender_is_woken_by_a_batch_that_is_opened_and_by_no_other() -> None:
    producer = offline(Producer, partitions=1)
    producer.send_all(ALERTS, some_records(5), [])
    assert producer._sender.woken == 1
    producer.send_all(ALERTS, some_records(5), [])
    assert producer._sender.woken == 1


def test_no_records_open_no_batch() -> None:
    producer = offline(Producer)
    producer.send_all(ALERTS, [], [])
    producer.send_all("pv.unknown", [], [])
    assert not producer._accumulator._incomplete


def test_a_topic_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    producer, asked = offline(Producer), []

    def wait(topic: str, _: float) -> None:
        asked.append(topic)
        producer._metadata.learn(topic)

    monkeypatch.setattr(producer, "_wait_on_metadata", wait)
    sent: list[Any] = []
    producer.send_all("pv.new", some_records(20), sent)
    assert (asked, len(sent)) == (["pv.new"], 20)
    held = [one for some in batches(producer, "pv.new").values() for one in some]
    assert sum(one.record_count for one in held) == 20


def test_a_topic_that_is_refused_raises_at_the_first_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    producer, asked = offline(Producer), []

    def wait(topic: str, _: float) -> None:
        asked.append(topic)
        raise errors.TopicAuthorizationFailedError({topic})

    monkeypatch.setattr(producer, "_wait_on_metadata", wait)
    sent: list[Any] = []
    with pytest.raises(errors.TopicAuthorizationFailedError):
        producer.send_all("pv.secret", some_records(20), sent)
    assert (asked, sent) == (["pv.secret"], [])


def test_a_transaction_that_failed_takes_no_more_records() -> None:
    producer = offline(Producer)
    producer._transaction_manager._current_state = TransactionState.ABORTABLE_ERROR
    with pytest.raises(errors.KafkaError, match="Cannot perform send"):
        producer.send_all(ALERTS, some_records(3), [])
    assert not producer._accumulator._incomplete


@pytest.mark.parametrize("part", ["producer", "accumulator"])
def test_a_closed_producer_takes_no_more_records(part: str) -> None:
    producer = offline(Producer)
    (producer if part == "producer" else producer._accumulator)._closed = True
    with pytest.raises(errors.IllegalStateError, match="closed"):
        producer.send_all(ALERTS, some_records(3), [])
    assert not producer._accumulator._incomplete


def test_a_record_that_is_too_large_leaves_those_before_it_known() -> None:
    producer = offline(Producer, 2_000, partitions=1)
    out = Transaction(producer)
    records = [Record(b"a", b"1"), Record(b"a", bytes(LIMIT)), Record(b"a", b"2")]
    with pytest.raises(InputError, match=f"{ALERTS}: a record must fit in .* got {LIMIT + 1}"):
        out.send_all(ALERTS, records)
    assert [one.record_count for one in batches(producer, ALERTS)[0]] == [1]
    assert len(out._futures) == 1


# what became of them


def sent_in_one() -> tuple[Any, Any, list[Sent]]:
    """Return a producer, the one batch that it drained, and what tells of its four records."""
    producer = offline(Producer, partitions=1)
    sent: list[Any] = []
    producer.send_all(ALERTS, [Record(b"a", b"%d" % number) for number in range(4)], sent)
    return producer, drained(producer), sent


def drained(producer: Any) -> Any:
    one = producer._accumulator._batches[TopicPartition(ALERTS, 0)].popleft()
    one.records.close()
    return one


def outcomes(sent: list[Sent]) -> list[str]:
    """Return the name of the error of each record; empty if it is acknowledged."""
    said = []
    for one in sent:
        try:
            one.get(timeout=0)
        except errors.KafkaError as error:
            said.append(type(error).__name__)
        else:
            said.append("")
    return said


def test_a_record_is_acknowledged_with_its_batch_and_not_before() -> None:
    _, one, sent = sent_in_one()
    assert outcomes(sent) == ["KafkaTimeoutError"] * 4
    one.complete(100, -1)
    assert outcomes(sent) == [""] * 4


def test_a_batch_that_fails_takes_its_records_with_it() -> None:
    refused = errors.InvalidTopicError("no")
    for fail in (
        lambda one: one.abort(refused),
        lambda one: one.complete_exceptionally(refused, lambda _: refused),
        lambda one: one.produce_future.failure(refused),
    ):
        _, one, sent = sent_in_one()
        fail(one)
        assert outcomes(sent) == ["InvalidTopicError"] * 4


def test_each_record_tells_its_own_error() -> None:
    _, one, sent = sent_in_one()
    named = [errors.InvalidRecordError, *[errors.KafkaError] * 2, errors.CorruptRecordError]
    one.complete_exceptionally(errors.InvalidRecordError(), lambda place: named[place]())
    assert outcomes(sent) == [error.__name__ for error in named]


def test_records_of_a_batch_that_is_split_belong_to_its_parts() -> None:
    producer, one, sent = sent_in_one()
    producer._accumulator.split_and_reenqueue(one)
    assert one.produce_future.wait(0), "who waits for it waits on"
    assert outcomes(sent) == ["KafkaTimeoutError"] * 4
    first, second = drained(producer), drained(producer)
    first.complete(100, -1)
    assert outcomes(sent) == ["", "", "KafkaTimeoutError", "KafkaTimeoutError"]
    producer._accumulator.split_and_reenqueue(second)
    third, fourth = drained(producer), drained(producer)
    fourth.abort(errors.CorruptRecordError())
    assert outcomes(sent) == ["", "", "KafkaTimeoutError", "CorruptRecordError"]
    third.complete(102, -1)
    assert outcomes(sent) == ["", "", "", "CorruptRecordError"]


def test_who_waits_while_a_batch_is_split_is_told_that_nothing_is_known() -> None:
    _, one, sent = sent_in_one()
    one.produce_future._latch.set()  # as the split does, for the record that it has rebound
    assert outcomes(sent) == ["KafkaTimeoutError"] * 4


def test_a_single_record_tells_its_offset() -> None:
    producer = offline(Producer, partitions=1)
    futures = [producer.send(ALERTS, b"value", b"key") for _ in range(3)]
    drained(producer).complete(100, -1)
    assert [future.get(timeout=0).offset for future in futures] == [100, 101, 102]
