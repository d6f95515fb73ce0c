"""Records are unpacked as kafka-python unpacks them, only sooner."""

import struct
from typing import Any

from crc32c import crc32c
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from kafka import TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from streams.runtime.consuming import _PartitionRecords

AT = TopicPartition("pv.reports", 3)
FIRST = 1_700_000_000_000
NONE, GZIP = 0, 1
TIMESTAMP_TYPE, LOG_APPEND_TIME = 21, 0x08  # place and bit in the header of a batch

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


def _read(kind: Any, raw: bytes, start: int, *, check: bool) -> list[Any]:
    read: list[Any] = []
    part = kind(start, AT, MemoryRecords(raw), check_crcs=check)
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
        batch = bytearray(_batch(offset, rows, codec, producer))
        if appended:
            batch[TIMESTAMP_TYPE + 1] |= LOG_APPEND_TIME
            struct.pack_into(">I", batch, 17, crc32c(bytes(batch[21:])))
        raw += batch
        offset += len(rows)
    expected = _read(Fetcher.PartitionRecords, raw, start, check=True)
    assert _read(_PartitionRecords, raw, start, check=True) == expected
    if start <= 40:
        assert sum(hasattr(each, "value") for each in expected) == offset - 40


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
