"""A consumer whose memory has a bound, and which no record of a sender can stop.

What this adds to kafka-python, each read or tried in version 3.0.12:

- `poll` is bounded in records only; 10,000 records of a megabyte each would be handed out at once.
  Ours ends a poll at `POLL_BYTES` as well.
- A compressed batch is unpacked whole, whatever it unpacks to: a batch of 1.5 MB can hold 1.5 GB,
  and the broker takes it. Ours stops at `UNPACKED_BYTES`.
- A codec whose library is missing raises, at the same batch for ever. What can be read would then
  depend on the machine; ours unpacks gzip and nothing else.
- The name of a header that is not UTF-8 raises, at the same record for ever; brokers and other
  clients let such names pass. Ours leaves the headers of that record out.
- Its records are unpacked number by number, by calls. Ours takes two thirds of the time for those
  without headers; any other it leaves to the library.

A batch that cannot be unpacked is handed out as one record, at the offset of its first, whose value
is `Unreadable`: it becomes one reject, and the partition goes on. A checksum that does not fit
still raises: that is no sender's doing, and to skip a damaged batch would be to lose it.
"""

import zlib
from collections.abc import Iterator
from typing import Any

import msgspec
from kafka import KafkaConsumer
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch
from kafka.record.util import decode_varint

from streams.runtime.unreadable import Unreadable

__all__ = ["POLL_BYTES", "UNPACKED_BYTES", "BoundedConsumer"]

POLL_BYTES = 16 << 20  # of values: 10,000 reports of 1,600 bytes, or one message of the largest
UNPACKED_BYTES = 64 << 20  # of a batch: a producer's megabyte at four times the usual ratio
_CODECS = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}
_GZIP = 1
_MORE = 0x80  # a byte of a varint with others after it
_NO_HEADERS = 0


class BoundedConsumer(KafkaConsumer):  # type: ignore[misc]
    """A `KafkaConsumer` of which one poll gives no more than `POLL_BYTES` and one message.

    Raw answers wait in memory besides: at most one for each broker, of at most `fetch_max_bytes`
    and one batch, and one of at most `max_partition_fetch_bytes` and one batch for each partition
    that was paused after it was asked for.
    """

    def __init__(self, *topics: str, **configs: Any) -> None:
        super().__init__(*topics, **configs)
        # It is made in the middle of the constructor; of its state nothing differs.
        self._fetcher.__class__ = _Fetcher


class _Plain(msgspec.Struct, gc=False):
    """A record as the fetcher reads it; its class of the same does so through properties."""

    size_in_bytes: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    checksum: None = None

    def validate_crc(self) -> bool:
        """Say yes: the checksum is that of the batch."""
        return True


class _Unpackable(Exception):
    """A batch cannot be unpacked, and why."""


class _Batch(DefaultRecordBatch):  # type: ignore[misc]
    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        try:
            self._unpack()
        except _Unpackable as why:
            return iter([self._placeholder(str(why))])
        return self._each()

    def _each(self: Any) -> Iterator[Any]:
        # What nearly every record is, whole and without headers; any other is left to `__next__`.
        buffer, pos, number = bytes(self._buffer), self._pos, self._num_records
        base, first, kind = self.base_offset, self.first_timestamp, self.timestamp_type
        appended = self.max_timestamp if kind == self.LOG_APPEND_TIME else None
        for index in range(number):
            start = pos
            try:
                length, pos = _varint(buffer, pos)
                end = pos + length
                _, pos = _varint(buffer, pos)  # attributes, unused
                since, pos = _varint(buffer, pos)
                delta, pos = _varint(buffer, pos)
                key, pos = _sized(buffer, pos)
                value, pos = _sized(buffer, pos)
                plain = buffer[pos] == _NO_HEADERS and pos + 1 == end
            except (IndexError, ValueError):
                plain = False
            if plain:
                pos = end
                at = first + since if appended is None else appended
                yield _Plain(length, base + delta, at, kind, key, value, [])
            else:
                self._pos, self._next_record_index = start, index
                yield next(self)
                pos = self._pos
        self._pos, self._next_record_index = pos, number
        next(self, None)  # raises if something is left

    def __next__(self: Any) -> Any:
        start = self._pos
        try:
            return super().__next__()
        except CorruptRecordError as error:
            if not isinstance(error.__context__, UnicodeDecodeError):
                raise
        record = self._without_headers(start)
        self._next_record_index += 1
        return record

    def _unpack(self: Any) -> None:
        codec = self.compression_type
        if self._decompressed or not codec:
            return
        if codec != _GZIP:
            name = _CODECS.get(codec, f"codec {codec}")
            msg = f"compression must be gzip or none; got {name}"
            raise _Unpackable(msg)
        self._buffer = _gunzip(memoryview(self._buffer)[self._pos :])
        self._pos = 0
        self._decompressed = True

    def _placeholder(self, why: str) -> Any:
        which = f"batch of offsets {self.base_offset} to {self.last_offset}"
        value = Unreadable(memoryview(self._buffer)[self._pos :])
        value.reason = f"{which}: {why}"
        kind, offset = self.timestamp_type, self.base_offset
        return DefaultRecord(len(value), offset, self.max_timestamp, kind, None, value, [])

    def _without_headers(self: Any, start: int) -> Any:
        buffer = self._buffer
        length, body = decode_varint(buffer, start)
        _, at = decode_varint(buffer, body)  # attributes, unused
        since, at = decode_varint(buffer, at)
        delta, at = decode_varint(buffer, at)
        key, at = _sized(buffer, at)
        value, at = _sized(buffer, at)
        self._pos = body + length
        kind, offset = self.timestamp_type, self.base_offset + delta
        return DefaultRecord(length, offset, self.first_timestamp + since, kind, key, value, [])


class _Batches:
    """The batches of an answer, each made a `_Batch`."""

    def __init__(self, records: Any) -> None:
        self._records = records

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        if isinstance(batch, DefaultRecordBatch):  # Kafka 4 keeps no older ones
            batch.__class__ = _Batch
        return batch


class _PartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
    room = POLL_BYTES  # what one `take` may give, in bytes, and one record

    def take(self: Any, n: int | None = None) -> list[Any]:
        whole = self.record_iterator
        self.record_iterator = self._bounded(whole)
        try:
            taken: list[Any] = super().take(n)
            return taken
        finally:
            if self.record_iterator is not None:  # else it came to its end
                self.record_iterator = whole

    def _bounded(self, records: Iterator[Any]) -> Iterator[Any]:
        until = self.bytes_read + self.room
        for record in records:
            yield record
            if self.bytes_read >= until:
                return

    def _unpack_records(self, tp: Any, records: Any, *deserializers: Any) -> Any:
        return super()._unpack_records(tp, _Batches(records), *deserializers)


class _Fetcher(Fetcher):  # type: ignore[misc]
    PartitionRecords = _PartitionRecords

    def fetched_records(self, max_records: int | None = None, update_offsets: bool = True) -> Any:
        self._room = POLL_BYTES
        return super().fetched_records(max_records, update_offsets)

    def _append(self, drained: Any, part: Any, max_records: int, update_offsets: bool) -> int:
        part.room, before = self._room, part.bytes_read
        taken: int = super()._append(drained, part, max_records, update_offsets)
        self._room -= part.bytes_read - before
        return taken if self._room > 0 else max_records  # as many as may be: the poll ends


def _gunzip(packed: Any) -> bytearray:
    unpacked = bytearray()
    while True:
        stream = zlib.decompressobj(wbits=31)
        try:
            unpacked += stream.decompress(packed, UNPACKED_BYTES + 1 - len(unpacked))
        except zlib.error as error:
            msg = f"compressed data must be gzip; got {error}"
            raise _Unpackable(msg) from error
        if len(unpacked) > UNPACKED_BYTES:
            msg = f"records must unpack to at most {UNPACKED_BYTES} bytes; got more"
            raise _Unpackable(msg)
        if not stream.eof:
            msg = "compressed data must be whole; got only its beginning"
            raise _Unpackable(msg)
        packed = stream.unused_data  # gzip allows for several streams in a row
        if not packed:
            return unpacked


def _varint(buffer: bytes | bytearray, at: int) -> tuple[int, int]:
    """Do as `decode_varint`, but sooner where there are two bytes."""
    low = buffer[at]
    if low < _MORE:
        return (low >> 1) ^ -(low & 1), at + 1
    high = buffer[at + 1]
    if high < _MORE:
        whole = low & 0x7F | high << 7
        return (whole >> 1) ^ -(whole & 1), at + 2
    number, after = decode_varint(buffer, at)
    return number, after


def _sized(buffer: bytes | bytearray, at: int) -> tuple[bytes | None, int]:
    length, at = _varint(buffer, at)
    return (None, at) if length < 0 else (bytes(buffer[at : at + length]), at + length)
