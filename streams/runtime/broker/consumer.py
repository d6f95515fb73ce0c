"""Kafka consumer with bounded memory that malformed records cannot block.

Differences from kafka-python, each read or tried in version 3.0.12:

- `poll` limits the number of records only; 10,000 records of a megabyte each would be returned at
  once. Here `POLL_BYTES` ends a poll too.
- A compressed batch is decompressed without a limit. Here `UNPACKED_BYTES` is the limit, and every
  codec of Kafka is supported on every machine: see `bounded_decompression`.
- A header name that is not UTF-8 raises at every attempt to read the record; brokers and other
  clients accept such names. Here the record is returned without its headers.

A batch that cannot be decompressed is returned as one record at its first offset, with the value
`Unreadable`: it becomes one reject, and the partition continues. A wrong checksum still raises: no
sender causes it, and skipping a damaged batch would lose its records.
"""

from collections.abc import Iterator
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch
from kafka.record.util import decode_varint

from streams.runtime.broker.bounded_decompression import CannotDecompress, decompress
from streams.runtime.wire.batches import Unreadable

__all__ = ["POLL_BYTES", "UNPACKED_BYTES", "BoundedBatch", "BoundedConsumer"]

POLL_BYTES = 16 << 20  # of values: 10,000 reports of 1,600 bytes, or one message of maximum size
UNPACKED_BYTES = 64 << 20  # of a batch: 1 MB as producers send it, at 4 times the usual ratio


class BoundedConsumer(KafkaConsumer):  # type: ignore[misc]
    """A `KafkaConsumer` whose polls return at most `POLL_BYTES` and one message.

    Raw fetch responses take memory besides: at most one for each broker, of `fetch_max_bytes` and
    one batch, and one of `max_partition_fetch_bytes` and one batch for each partition that was
    paused after its fetch was sent.
    """

    def __init__(self, *topics: str, **configs: Any) -> None:
        # The client's own metrics are not used; the second fetcher could not register them again.
        super().__init__(*topics, **configs, metrics_enabled=False)
        self._fetcher = _Fetcher(self._client, self._subscription, **self.config)


class BoundedBatch(DefaultRecordBatch):  # type: ignore[misc]
    """A batch with bounded decompression that accepts any header name."""

    __slots__ = ()

    def __iter__(self: Any) -> Iterator[Any]:
        if self.compression_type and not self._decompressed:
            packed = bytes(memoryview(self._buffer)[self._pos :])
            try:
                unpacked = decompress(self.compression_type, packed, UNPACKED_BYTES)
            except CannotDecompress as error:
                return iter([self._placeholder(packed, str(error))])
            self._buffer, self._pos, self._decompressed = unpacked, 0, True
        records: Iterator[Any] = super().__iter__()
        return records

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

    def _placeholder(self, packed: bytes, why: str) -> Any:
        """Return the record that replaces a batch that cannot be decompressed."""
        value = Unreadable(packed)
        value.reason = f"batch of offsets {self.base_offset} to {self.last_offset}: {why}"
        kind, offset = self.timestamp_type, self.base_offset
        return DefaultRecord(len(value), offset, self.max_timestamp, kind, None, value, [])

    def _without_headers(self: Any, start: int) -> Any:
        """Read the record at buffer position `start` again, without its headers."""
        buffer = self._buffer
        length, body = decode_varint(buffer, start)
        _, position = decode_varint(buffer, body)  # attributes, unused
        timestamp_delta, position = decode_varint(buffer, position)
        offset_delta, position = decode_varint(buffer, position)
        key, position = _nullable_bytes(buffer, position)
        value, position = _nullable_bytes(buffer, position)
        self._pos = body + length
        kind, offset = self.timestamp_type, self.base_offset + offset_delta
        timestamp = (
            self.max_timestamp
            if kind == self.LOG_APPEND_TIME
            else self.first_timestamp + timestamp_delta
        )
        return DefaultRecord(length, offset, timestamp, kind, key, value, [])


def _nullable_bytes(buffer: bytes, position: int) -> tuple[bytes | None, int]:
    length, position = decode_varint(buffer, position)
    if length < 0:
        return None, position
    return bytes(buffer[position : position + length]), position + length


class _Batches:
    """The batches of a fetch response, each as a `BoundedBatch`."""

    def __init__(self, records: Any) -> None:
        self._records = records

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        # Kafka 4 writes no older format, but a topic may still hold some.
        return BoundedBatch(batch._buffer) if isinstance(batch, DefaultRecordBatch) else batch


class _PartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one partition in a fetch response; `take` also stops at a number of bytes."""

    def __init__(self: Any, fetch_offset: int, tp: TopicPartition, records: Any, **config: Any):
        super().__init__(fetch_offset, tp, _Batches(records), **config)
        self.record_iterator = _UpToLimit(self, self.record_iterator)
        self.limit = 0  # of `bytes_read`; the last record may exceed it


class _UpToLimit:
    """An iterator that stops at the byte limit of its partition; raising the limit resumes it."""

    def __init__(self, part: Any, records: Iterator[Any]) -> None:
        self._part, self._records = part, records

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._part.bytes_read >= self._part.limit:
            raise StopIteration
        return next(self._records)


class _Fetcher(Fetcher):  # type: ignore[misc]
    """A `Fetcher` that returns at most `POLL_BYTES` and one record at a time."""

    PartitionRecords = _PartitionRecords

    def fetched_records(self, max_records: int | None = None, update_offsets: bool = True) -> Any:
        self._room = POLL_BYTES
        return super().fetched_records(max_records, update_offsets)

    def _append(self, drained: Any, part: Any, max_records: int, update_offsets: bool) -> int:
        before = part.bytes_read
        part.limit = before + self._room
        n_records: int = super()._append(drained, part, max_records, update_offsets)
        self._room -= part.bytes_read - before
        return n_records if self._room > 0 else max_records  # `max_records` ends the poll
