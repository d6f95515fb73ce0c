"""A record is put together byte for byte as kafka-python does it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecordsBuilder

from streams.runtime import producing

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


@given(st.lists(records, max_size=5))
def test_a_batch_is_that_of_the_library(records: list[Any]) -> None:
    ours, theirs = batch(), batch()
    for delay, key, value, headers in records:
        assert producing._appended(ours, FIRST + delay, key, value, headers) is not None
        assert theirs.try_append(FIRST + delay, key, value, headers) is not None
    assert ours.max_record_size == theirs.max_record_size
    assert written(ours) == written(theirs)


def test_every_place_in_a_batch_is_written_as_the_library_does() -> None:
    ours, theirs = batch(), batch()
    for _ in range(8_300):  # past two bytes
        assert producing._appended(ours, FIRST, b"k", b"v", []).args[0] is not None
        theirs.try_append(FIRST, b"k", b"v", [])
    assert written(ours) == written(theirs)


@pytest.mark.parametrize("room", [200, 300, 1_000])
def test_a_batch_is_full_for_both_at_the_same_record(room: int) -> None:
    ours, theirs = batch(room), batch(room)
    for _ in range(50):
        ended = producing._appended(ours, FIRST, b"key", b"value", [("a", b"b")])
        assert (ended is None) == (
            theirs.try_append(FIRST, b"key", b"value", [("a", b"b")]) is None
        )
    assert written(ours) == written(theirs)


def test_nothing_is_added_to_a_batch_that_is_being_sent() -> None:
    closed = batch()
    closed.records.close()
    assert producing._appended(closed, FIRST, b"key", b"value", []) is None


def test_the_answer_of_the_broker_reaches_every_record() -> None:
    sent = batch()
    later = [producing._appended(sent, FIRST + 1, b"key", b"value", []) for _ in range(2)]
    sent.complete(100, -1)
    assert [future.get(timeout=0).offset for future in later] == [101, 102]
