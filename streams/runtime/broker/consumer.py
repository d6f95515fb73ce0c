"""A consumer with bounded memory, which no record of a sender can stop.

What this adds to kafka-python, each read or tried in version 3.0.12:

- `poll` is bounded in records only; 10,000 records of a megabyte each would be handed out at once.
  Ours ends a poll at `POLL_BYTES` as well.
- A compressed batch is decompressed whole, whatever its size. Ours stops at `UNPACKED_BYTES`, and
  reads every codec of Kafka on every machine: see `bounded_decompression`.
- The name of a header that is not UTF-8 raises, at the same record for ever; brokers and other
  clients let such names pass. Ours leaves the headers of that record out.

A batch that cannot be decompressed is handed out as one record, at the offset of its first, whose
value is `Unreadable`: it becomes one reject, and the partition goes on. A checksum that does not
fit still raises: that is no sender's doing, and to skip a damaged batch would be to lose it.
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

POLL_BYTES = 16 << 20  # of values: 10,000 reports of 1,600 bytes, or one message of the largest
UNPACKED_BYTES = 64 << 20  # of a batch: a producer's megabyte at four times the usual ratio


class BoundedConsumer(KafkaConsumer):  # type: ignore[misc]
    """A `KafkaConsumer` of which one poll gives no more than `POLL_BYTES` and one message.

    Raw answers wait in memory besides: at most one for each broker, of at most `fetch_max_bytes`
    and one batch, and one of at most `max_partition_fetch_bytes` and one batch for each partition
    that was paused after it was asked for.
    """

    def __init__(self, *topics: str, **configs: Any) -> None:
        # Nobody reads the client's own metrics, which a second fetcher could not register again.
        super().__init__(*topics, **configs, metrics_enabled=False)
        self._fetcher = _Fetcher(self._client, self._subscription, **self.config)


class BoundedBatch(DefaultRecordBatch):  # type: ignore[misc]
    """A batch that is decompressed within a bound, and whose headers may have any name."""

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
        """Return the record that stands for a batch that cannot be decompressed."""
        value = Unreadable(packed)
        value.reason = f"batch of offsets {self.base_offset} to {self.last_offset}: {why}"
        kind, offset = self.timestamp_type, self.base_offset
        return DefaultRecord(len(value), offset, self.max_timestamp, kind, None, value, [])

    def _without_headers(self: Any, start: int) -> Any:
        """Read the record at `start` again, up to its headers."""
        buffer = self._buffer
        length, body = decode_varint(buffer, start)
        _, at = decode_varint(buffer, body)  # attributes, unused
        since, at = decode_varint(buffer, at)
        delta, at = decode_varint(buffer, at)
        key, at = _sized(buffer, at)
        value, at = _sized(buffer, at)
        self._pos = body + length
        kind, offset = self.timestamp_type, self.base_offset + delta
        made = self.max_timestamp if kind == self.LOG_APPEND_TIME else self.first_timestamp + since
        return DefaultRecord(length, offset, made, kind, key, value, [])


def _sized(buffer: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = decode_varint(buffer, at)
    return (None, at) if length < 0 else (bytes(buffer[at : at + length]), at + length)


class _Batches:
    """The batches of an answer, each made a `BoundedBatch`."""

    def __init__(self, records: Any) -> None:
        self._records = records

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        # Kafka 4 writes no older ones, but may have kept some.
        return BoundedBatch(batch._buffer) if isinstance(batch, DefaultRecordBatch) else batch


class _PartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one partition in an answer; `take` ends at a number of bytes as well."""

    def __init__(self: Any, fetch_offset: int, tp: TopicPartition, records: Any, **config: Any):
        super().__init__(fetch_offset, tp, _Batches(records), **config)
        self.record_iterator = _UpToLimit(self, self.record_iterator)
        self.limit = 0  # of `bytes_read`; one record more


class _UpToLimit:
    """An iterator that ends at the limit of its partition; once that is raised, it goes on."""

    def __init__(self, part: Any, records: Iterator[Any]) -> None:
        self._part, self._records = part, records

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._part.bytes_read >= self._part.limit:
            raise StopIteration
        return next(self._records)


class _Fetcher(Fetcher):  # type: ignore[misc]
    """A `Fetcher` that hands out no more than `POLL_BYTES` and one record at a time."""

    PartitionRecords = _PartitionRecords

    def fetched_records(self, max_records: int | None = None, update_offsets: bool = True) -> Any:
        self._room = POLL_BYTES
        return super().fetched_records(max_records, update_offsets)

    def _append(self, drained: Any, part: Any, max_records: int, update_offsets: bool) -> int:
        before = part.bytes_read
        part.limit = before + self._room
        taken: int = super()._append(drained, part, max_records, update_offsets)
        self._room -= part.bytes_read - before
        return taken if self._room > 0 else max_records  # as many as may be: the poll ends
