"""Records are unpacked as kafka-python unpacks them, only sooner."""

import struct
from typing import Any, NamedTuple

import pytest
from crc32c import crc32c
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher, IsolationLevel
from kafka.errors import CorruptRecordError
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from streams.runtime.broker.consumer import _PartitionRecords

AT = TopicPartition("pv.reports", 3)
FIRST = 1_700_000_000_000
NONE, GZIP = 0, 1
TIMESTAMP_TYPE, LOG_APPEND_TIME, CONTROL = 21, 0x08, 0x20  # place in the header of a batch, bits


class Aborted(NamedTuple):
    producer_id: int
    first_offset: int


blobs = st.one_of(
    st.none(), st.binary(max_size=9), st.sampled_from([b"", b"k" * 63, b"v" * 64, b"v" * 20_000])
)
records = st.tuples(
    st.sampled_from([0, 1, -1, -500, 63, 64, 8191, 8192, 10**7, 2**41]),
    blobs,
    blobs,
    st.one_of(
        st.just([]), st.just([]), st.lists(st.tuples(st.text(max_size=3), blobs), max_size=2)
    ),
)
batches = st.tuples(
    st.lists(records, min_size=1, max_size=90),
    st.sampled_from([NONE, NONE, GZIP]),
    st.integers(0, 3),
)


def _batch(offset: int, rows: list[Any], codec: int, producer: int) -> bytes:
    builder = MemoryRecordsBuilder(
        magic=2,
        compression_type=codec,
        batch_size=1 << 26,
        offset=offset,
        producer_id=producer - 1,
        producer_epoch=0,
        base_sequence=0,
        transactional=producer > 1,
    )
    for since, key, value, headers in rows:
        builder.append(timestamp=FIRST + since, key=key, value=value, headers=headers)
    builder.close()
    return bytes(builder.buffer())


def _read(kind: Any, raw: bytes, start: int, *, check: bool, **more: Any) -> list[Any]:
    read: list[Any] = []
    part = kind(start, AT, MemoryRecords(raw), check_crcs=check, **more)
    try:
        while part and (taken := part.take(7)):
            read += taken
            read.append((part.next_fetch_offset, part.bytes_read, part.records_read))
    except CorruptRecordError as error:
        # There we differ on purpose, and `tests.broker.test_poison` shows how.
        assume(not isinstance(error.__context__, UnicodeDecodeError))
        read.append(str(error).partition(":")[0])
    return read


@settings(deadline=None, max_examples=300)
@given(st.lists(batches, max_size=3), st.integers(0, 100), st.booleans())
def test_records_are_those_of_the_library(many: list[Any], start: int, appended: bool) -> None:
    raw, offset = b"", 40
    for rows, codec, producer in many:
        batch = _batch(offset, rows, codec, producer)
        raw += _marked(batch, LOG_APPEND_TIME) if appended else batch
        offset += len(rows)
    expected = _read(Fetcher.PartitionRecords, raw, start, check=True)
    assert _read(_PartitionRecords, raw, start, check=True) == expected
    if start <= 40:
        assert sum(hasattr(each, "value") for each in expected) == offset - 40


def _marked(batch: bytes, bits: int) -> bytes:
    marked = bytearray(batch)
    marked[TIMESTAMP_TYPE + 1] |= bits
    struct.pack_into(">I", marked, 17, crc32c(bytes(marked[21:])))
    return bytes(marked)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(st.integers(2, 4), st.sampled_from(["rows", "abort", "commit"])), max_size=9)
)
def test_what_was_aborted_is_left_out_where_the_library_leaves_it_out(
    written: list[tuple[int, str]],
) -> None:
    raw, offset, begun, aborted = b"", 0, dict[int, int](), []
    for producer, what in written:
        if what == "rows":
            begun.setdefault(producer, offset)
            raw += _batch(offset, [(0, b"k", b"%d" % offset, [])] * 2, NONE, producer)
            offset += 2
        else:
            kind = struct.pack(">hh", 0, what == "commit")
            raw += _marked(_batch(offset, [(0, kind, bytes(6), [])], NONE, producer), CONTROL)
            offset += 1
            first = begun.pop(producer, None)
            if what == "abort" and first is not None:
                aborted.append(Aborted(producer - 1, first))
    more = {"isolation_level": IsolationLevel.READ_COMMITTED, "aborted_transactions": aborted}
    expected = _read(Fetcher.PartitionRecords, raw, 0, check=True, **more)
    assert _read(_PartitionRecords, raw, 0, check=True, **more) == expected


@pytest.mark.parametrize("magic", [0, 1])
def test_batches_of_older_formats_are_read_as_the_library_reads_them(magic: int) -> None:
    builder = MemoryRecordsBuilder(magic=magic, compression_type=NONE, batch_size=1 << 20, offset=5)
    for n in range(9):
        builder.append(timestamp=FIRST + n, key=b"k" if n % 2 else None, value=b"v" * n, headers=[])
    builder.close()
    raw = bytes(builder.buffer())
    expected = _read(Fetcher.PartitionRecords, raw, 7, check=True)
    assert _read(_PartitionRecords, raw, 7, check=True) == expected
    assert len([each for each in expected if hasattr(each, "value")]) == 7


@pytest.mark.parametrize("headers", [[], [("h", b"x")]])
def test_a_poll_ends_at_its_bytes_and_goes_on_there(headers: list[Any]) -> None:
    raw = _batch(0, [(0, b"k", b"v" * 1000, headers)] * 9, NONE, 0)
    part = _PartitionRecords(0, AT, MemoryRecords(raw))
    part.room = 2500
    taken = []
    while part:
        taken.append([record.offset for record in part.take(100)])
    assert taken == [[0, 1, 2], [3, 4, 5], [6, 7, 8], []]


ROWS = [(n, b"k", b"v" * (n * 40), [("h", b"x")] if n == 2 else []) for n in range(5)]


@settings(deadline=None, max_examples=500)
@given(st.lists(st.tuples(st.integers(57, 800), st.integers(0, 255)), min_size=1, max_size=3))
@example([(61, 1)])  # a size that is negative
@example([(61, 0xFF), (62, 0xFF), (63, 0xFF)])  # an endless number
def test_damaged_records_are_refused_where_the_library_refuses_them(
    damage: list[tuple[int, int]],
) -> None:
    raw = bytearray(_batch(0, ROWS, NONE, 0))
    for at, byte in damage:
        raw[min(at, len(raw) - 1)] = byte
    expected = _read(Fetcher.PartitionRecords, bytes(raw), 0, check=False)
    assert _read(_PartitionRecords, bytes(raw), 0, check=False) == expected
