"""A consumer whose memory has a bound, and which no record of a sender can stop.

What this adds to kafka-python, each read or tried in version 3.0.12:

- `poll` is bounded in records only; 10,000 records of a megabyte each would be handed out at once.
  Ours ends a poll at `POLL_BYTES` as well.
- A compressed batch is decompressed whole, whatever its size. Ours stops at `UNPACKED_BYTES`, and
  reads every codec of Kafka on every machine: see `bounded_decompression`.
- The name of a header that is not UTF-8 raises, at the same record for ever; brokers and other
  clients let such names pass. Ours leaves the headers of that record out.
- Its records are unpacked number by number, by calls, and handed on one at a time. Ours takes a
  quarter of the time for those without headers; any other it leaves to the library.

A batch that cannot be unpacked is handed out as one record, at the offset of its first, whose value
is `Unreadable`: it becomes one reject, and the partition goes on. A checksum that does not fit
still raises: that is no sender's doing, and to skip a damaged batch would be to lose it.
"""

import sys
from collections.abc import Iterator
from itertools import dropwhile
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord, Fetcher, IsolationLevel
from kafka.errors import CorruptRecordError
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch
from kafka.record.util import decode_varint

from streams.runtime.broker.bounded_decompression import CannotDecompress, decompress
from streams.runtime.wire.batches import Unreadable

__all__ = ["POLL_BYTES", "UNPACKED_BYTES", "BoundedConsumer"]

POLL_BYTES = 16 << 20  # of values: 10,000 reports of 1,600 bytes, or one message of the largest
UNPACKED_BYTES = 64 << 20  # of a batch: a producer's megabyte at four times the usual ratio
_MORE = 0x80  # a byte of a varint with others after it
_MAGIC = 2  # of the present format; Kafka 4 writes no older one, but may have kept some


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


class _Batch(DefaultRecordBatch):  # type: ignore[misc]
    __slots__ = ()

    def plain(
        self: Any, at: TopicPartition, epoch: int, most: int, room: int
    ) -> tuple[list[Any], int]:
        """Return the next records, at most so many, and their size, at most so much and a record.

        They are whole and without headers, as nearly all are. An empty list: the next is not.
        """
        # Numbers of one and of two bytes are read in place: a call costs more than they do.
        buffer, pos, index = self._buffer, self._pos, self._next_record_index
        base, first, kind = self.base_offset, self.first_timestamp, self.timestamp_type
        appended = self.max_timestamp if kind == self.LOG_APPEND_TIME else None
        (topic, partition), new, size = at, tuple.__new__, 0
        found: list[Any] = []
        start = pos
        try:
            for _ in range(min(most, self._num_records - index)):
                length = buffer[pos]
                pos += 1
                if length >= _MORE:
                    length, pos = _number(buffer, pos, length)
                end = pos + (length >> 1)
                if buffer[pos] >= _MORE:  # attributes, unused
                    break
                since = buffer[pos + 1]
                pos += 2
                if since >= _MORE:
                    since, pos = _number(buffer, pos, since)
                delta = buffer[pos]
                pos += 1
                if delta >= _MORE:
                    high = buffer[pos]
                    if high < _MORE:
                        delta += (high << 7) - _MORE
                        pos += 1
                    else:
                        delta, pos = _number(buffer, pos, delta)
                key_size = buffer[pos]
                pos += 1
                if key_size >= _MORE:
                    key_size, pos = _number(buffer, pos, key_size)
                if key_size & 1:
                    key, key_size = None, -1
                else:
                    key_size >>= 1
                    key = buffer[pos : pos + key_size]
                    pos += key_size
                value_size = buffer[pos]
                pos += 1
                if value_size >= _MORE:
                    high = buffer[pos]
                    if high < _MORE:
                        value_size += (high << 7) - _MORE
                        pos += 1
                    else:
                        value_size, pos = _number(buffer, pos, value_size)
                if value_size & 1:
                    value, value_size = None, -1
                else:
                    value_size >>= 1
                    value = buffer[pos : pos + value_size]
                    pos += value_size
                if buffer[pos] or pos + 1 != end or (length | delta) & 1:  # headers, or damage
                    break
                start = pos = end
                size += length >> 1
                made = first + (since >> 1 ^ -(since & 1)) if appended is None else appended
                fields: Any = (
                    topic,
                    partition,
                    epoch,
                    base + (delta >> 1),
                    made,
                    kind,
                    key,
                    value,
                    [],
                    None,
                    key_size,
                    value_size,
                    -1,
                )
                found.append(new(ConsumerRecord, fields))  # the class's own takes twice the time
                if size >= room:
                    break
        except (IndexError, ValueError):
            pass
        self._pos = start
        self._next_record_index = index + len(found)
        return found, size

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

    def unpack(self: Any) -> None:
        """Undo the compression.

        Raises
        ------
        CannotDecompress
            If that cannot be done.
        """
        codec = self.compression_type
        if not codec:
            self._buffer = bytes(self._buffer)
        if self._decompressed or not codec:
            return
        packed = bytes(memoryview(self._buffer)[self._pos :])
        self._buffer = decompress(codec, packed, UNPACKED_BYTES)
        self._pos = 0
        self._decompressed = True

    def placeholder(self, why: str) -> Any:
        """Return the record that stands for a batch that cannot be unpacked."""
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

    def __init__(self: Any, fetch_offset: int, tp: Any, records: Any, **config: Any) -> None:
        super().__init__(fetch_offset, tp, records, **config)
        self.record_iterator = self._lists(tp, records)
        self._reached = False  # the offset asked for; a batch may begin before it

    def take(self: Any, n: int | None = None) -> list[Any]:
        self._maybe_raise_next_inline_exception()
        taken: list[Any] = []
        most = sys.maxsize if n is None else n
        self._until = self.bytes_read + self.room
        try:
            while len(taken) < most and self.bytes_read < self._until:
                self._most = most - len(taken)
                if (some := next(self.record_iterator, None)) is None:
                    break
                if not self._reached:
                    some = list(dropwhile(self._maybe_skip_record, some))
                    self._reached = bool(some)
                taken += some
        except Exception as error:
            if not taken:
                raise
            self._next_inline_exception = error  # of the next call
        return taken

    def _lists(self: Any, tp: Any, records: Any) -> Iterator[list[Any]]:
        """Yield the records of all batches, each time as many as `take` wants; then drain."""
        last = None
        while (batch := records.next_batch()) is not None:
            last = batch
            if self.check_crcs and not batch.validate_crc():
                which = f"for partition {tp} at offset {batch.base_offset}"
                msg = f"Record batch {which} failed crc check"
                raise CorruptRecordError(msg)
            if batch.magic < _MAGIC:
                for record in batch:
                    yield [self._handed_out(tp, record)]
                continue
            batch.__class__ = _Batch
            self.leader_epoch = batch.leader_epoch
            if self._is_kept(batch):
                yield from self._of_batch(tp, batch)
            else:
                self.next_fetch_offset = batch.next_offset
        if last is not None and last.magic == _MAGIC:
            self.next_fetch_offset = last.next_offset  # its last records may be compacted away
        self.drain()

    def _is_kept(self: Any, batch: Any) -> bool:
        """Whether a batch holds what was committed, and no marker."""
        if self.isolation_level == IsolationLevel.READ_COMMITTED and batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return False
        return not batch.is_control_batch

    def _of_batch(self: Any, tp: Any, batch: Any) -> Iterator[list[Any]]:
        try:
            batch.unpack()
        except CannotDecompress as why:
            yield [self._handed_out(tp, batch.placeholder(str(why)))]
            return
        while True:
            room = self._until - self.bytes_read
            found, size = batch.plain(tp, self.leader_epoch, self._most, room)
            if found:
                self.records_read += len(found)
                self.bytes_read += size
                self.next_fetch_offset = found[-1].offset + 1
                yield found
            elif (record := next(batch, None)) is not None:
                yield [self._handed_out(tp, record)]
            else:
                return

    def _handed_out(self: Any, tp: Any, record: Any) -> Any:
        """Take note of a record, and return it as consumers have it."""
        if self.check_crcs and not record.validate_crc():
            which = f"for partition {tp} at offset {record.offset}"
            msg = f"Record {which} failed crc check"
            raise CorruptRecordError(msg)
        sizes = [-1 if each is None else len(each) for each in (record.key, record.value)]
        of_headers = [len(name.encode()) + len(value or b"") for name, value in record.headers]
        self.records_read += 1
        self.bytes_read += record.size_in_bytes
        self.next_fetch_offset = record.offset + 1
        return ConsumerRecord(
            *tp,
            self.leader_epoch,
            record.offset,
            record.timestamp,
            record.timestamp_type,
            record.key,
            record.value,
            record.headers,
            record.checksum,
            *sizes,
            sum(of_headers) if of_headers else -1,
        )


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


def _number(buffer: bytes, at: int, low: int) -> tuple[int, int]:
    """Read on after the first byte of a varint, of several; as it stands, its sign last."""
    high = buffer[at]
    if high < _MORE:
        return low + (high << 7) - _MORE, at + 1
    number, after = decode_varint(buffer, at - 1)
    return (number << 1 if number >= 0 else ~(number << 1)), after


def _sized(buffer: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = decode_varint(buffer, at)
    return (None, at) if length < 0 else (buffer[at : at + length], at + length)
