"""Batches of any codec and header are read; one that cannot be is one record that says so."""

import struct

import pytest
from kafka.errors import CorruptRecordError
from kafka.record import MemoryRecords

from streams.runtime.broker import consumer
from streams.runtime.broker.consumer import BoundedBatch
from streams.runtime.wire.batches import Unreadable
from tests.broker.support.raw_batches import CODECS, batch, compressed, record

LOG_APPEND_TIME = 0x08
RECORDS = b"".join(record(n, b"key %d" % n, b"value %d" % n, [(b"h", b"x")]) for n in range(50))


@pytest.mark.parametrize("codec", [None, *CODECS])
def test_a_batch_of_each_codec_is_read(codec: str | None) -> None:
    raw = compressed(RECORDS, 50, codec) if codec else batch(RECORDS, 50)
    found = list(BoundedBatch(raw))
    assert [(one.offset, one.key, one.value, one.headers) for one in found] == [
        (n, b"key %d" % n, b"value %d" % n, [("h", b"x")]) for n in range(50)
    ]
    assert {type(one.value) for one in found} == {bytes}


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_beyond_the_bound_is_one_record_that_says_so(
    codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "UNPACKED_BYTES", len(RECORDS) - 1)
    raw = compressed(RECORDS, 50, codec)
    (found,) = BoundedBatch(raw)
    assert isinstance(found.value, Unreadable)
    rule = f"records must unpack to at most {len(RECORDS) - 1} bytes; got more"
    assert found.value.reason == f"batch of offsets 0 to 49: {rule}"
    assert raw.endswith(found.value)
    assert (found.offset, found.key, found.headers) == (0, None, [])
    monkeypatch.setattr(consumer, "UNPACKED_BYTES", len(RECORDS))
    assert len(list(BoundedBatch(raw))) == 50


def test_a_batch_of_an_unknown_codec_is_one_record_that_says_so() -> None:
    (found,) = BoundedBatch(batch(b"?", 3, codec=5))
    assert found.value == b"?"
    assert found.value.reason == (
        "batch of offsets 0 to 2: compression must be none, gzip, snappy, lz4 or zstd; got codec 5"
    )


@pytest.mark.parametrize("codec", [None, "zstd"])
def test_a_record_whose_header_has_no_readable_name_is_read_without_headers(
    codec: str | None,
) -> None:
    odd = [(b"\xff\xfe", b"x"), (b"ok", b"y")]
    records = record(0, b"a", b"first", odd) + record(1, None, None, odd)
    records += record(2, b"c", b"third", [(b"ok", b"y")])
    found = list(BoundedBatch(compressed(records, 3, codec) if codec else batch(records, 3)))
    assert [(one.offset, one.key, one.value, one.headers) for one in found] == [
        (0, b"a", b"first", []), (1, None, None, []), (2, b"c", b"third", [("ok", b"y")])
    ]  # fmt: skip


@pytest.mark.parametrize(("bits", "expected"), [(0, 1_005), (LOG_APPEND_TIME, 2_000)])
def test_a_record_without_readable_headers_keeps_its_time(bits: int, expected: int) -> None:
    body = b"\0" + b"\x0a" + b"\0" + b"\x01" + b"\x01" + b"\x02" + b"\x02\xff" + b"\x01"
    raw = bytearray(batch(bytes([len(body) << 1]) + body, 1, codec=bits))
    struct.pack_into(">qq", raw, 27, 1_000, 2_000)  # the first and the last time of the batch
    (found,) = BoundedBatch(raw)
    assert (found.headers, found.timestamp) == ([], expected)


@pytest.mark.parametrize("cut", [1, 30])
def test_damaged_records_still_raise(cut: int) -> None:
    with pytest.raises(CorruptRecordError):
        list(BoundedBatch(batch(RECORDS[:-cut], 50)))


def test_a_wrong_checksum_is_still_noticed() -> None:
    assert BoundedBatch(compressed(RECORDS, 50, "zstd")).validate_crc()
    assert not BoundedBatch(compressed(RECORDS, 50, "zstd", crc=1)).validate_crc()


def test_a_batch_is_read_as_the_library_reads_it() -> None:
    raw = compressed(RECORDS, 50, "gzip")
    ours, theirs = list(BoundedBatch(raw)), list(MemoryRecords(raw).next_batch())
    assert [repr(one) for one in ours] == [repr(one) for one in theirs]
