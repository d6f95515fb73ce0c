"""A producer whose records cost half, many a quarter, and that raises what is known to have failed.

What this adds to kafka-python, each read or measured in version 3.0.12:

- `send` hands out a future that has failed already where the broker refuses the topic, after asking
  it for every record again: a file would be an hour of refusals. Ours raises at the first one.
- A record with a dozen headers, as every alert has, is looked through four times, number by number
  and by calls, before it stands in its batch. Ours is put together in one go, byte for byte the
  same, unless it is larger than a batch: that one is left to the library.
- Every record finds its partition, takes five locks and gets a future that its batch calls back.
  `send_all` does the first two once for all that go to one partition, and its records look at
  their batch when they are asked. A record for two topics is encoded once.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from kafka import KafkaProducer, TopicPartition, errors
from kafka.producer.future import FutureRecordMetadata
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecordsBuilder

from streams.runtime.broker.client_patches import partition_of

__all__ = ["Producer", "Record", "Sent"]

_SHORT = 64  # a length below takes one byte
_MEDIUM = 1 << 13  # two
_LENGTHS = [bytes((length << 1,)) for length in range(_SHORT)]
_LARGE = 1 << 20  # bytes of a value that are left to the library, which knows the limits

_Headers = Sequence[tuple[str, bytes]]


class Record:
    """A record with a key, encoded as far as it is the same on every topic that it goes to."""

    __slots__ = ("encoded_headers", "headers", "key", "size", "start", "value")

    def __init__(self, key: bytes, value: bytes, headers: _Headers = ()) -> None:
        self.key = key
        self.value = value
        self.headers = headers
        self.start = b"".join((_number(len(key)), key, _number(len(value))))
        self.encoded_headers = _encoded_headers(headers)
        self.size = len(self.start) + len(value) + len(self.encoded_headers)


class Sent:
    """What becomes of one record of many, in place of a `FutureRecordMetadata`.

    That one has its batch call it back, which takes two locks and more time than encoding it. This
    one looks at the batch when it is asked.
    """

    __slots__ = ("_batch", "_place")

    def __init__(self, batch: Any, place: int) -> None:
        self._batch = batch
        self._place = place

    def rebind(self, batch: Any, place: int) -> None:
        """Belong to another batch: the library calls this for each record of one it splits."""
        before, self._batch, self._place = self._batch, batch, place
        before._latch.set()  # it will never be done; who waits for it must not wait on

    def get(self, timeout: float) -> None:
        """Return if the broker has acknowledged the record.

        Raises
        ------
        kafka.errors.KafkaError
            What its batch failed of; `KafkaTimeoutError` if that is not known in `timeout` [s].
        """
        batch, place = self._batch, self._place
        if not batch.is_done and not (batch.wait(timeout) and batch.is_done):
            msg = f"a record is not acknowledged in {timeout} s"
            raise errors.KafkaTimeoutError(msg)
        if batch.exception is not None:
            raise batch.exception
        why = batch.value[2]
        if why is not None:
            raise why(place)


class Producer(KafkaProducer):  # type: ignore[misc]
    """A `KafkaProducer` for records of bytes, without serializers, its partitions chosen by key."""

    def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        headers: list[tuple[str, bytes]] | None = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
    ) -> Any:
        """Send a record as `KafkaProducer.send` does, or raise what it failed of."""
        future = None
        if timestamp_ms is None and key is not None and value is not None and len(value) < _LARGE:
            future = self._added(topic, value, key, headers or [], partition)
        if future is None:
            future = self._by_library(topic, value, key, headers, partition, timestamp_ms)
        return future

    def send_all(
        self, topic: str, records: Sequence[Record], sent: list[Any], headers: _Headers = ()
    ) -> None:
        """Send records as `send` would one by one, or raise what one of them failed of.

        Within a partition they keep their order. Some hundred at a time: nobody can send those that
        are being added.

        Parameters
        ----------
        sent
            To this is added, for each record that was sent, in no order, what `get` tells its
            outcome of: also if another one then fails.
        headers
            Of every record, after its own.
        """
        partitions = self._metadata.partitions_for_topic(topic)
        if not partitions:
            if records:  # the library asks for them, or is refused
                one = records[0]
                sent.append(self._by_library(topic, one.value, one.key, [*one.headers, *headers]))
                self.send_all(topic, records[1:], sent, headers)
            return
        more = len(headers), _encoded_headers(headers)
        found: dict[int, list[Record]] = {}
        for record in records:
            found.setdefault(partition_of(record.key, len(partitions)), []).append(record)
        for partition, some in found.items():
            at, left = TopicPartition(topic, partition), some
            while left:
                now = int(time.time() * 1000)
                added = self._added_all(at, left, more, now, Sent)
                if not added:
                    one, all_headers = left[0], [*left[0].headers, *headers]
                    added = [
                        self._by_library(topic, one.value, one.key, all_headers, partition, now)
                    ]
                sent += added
                left = left[len(added) :]

    def _by_library(self, *record: Any) -> Any:
        future = super().send(*record)
        if future.failed():
            raise future.exception
        return future

    def _added(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        headers: list[tuple[str, bytes]],
        partition: int | None,
    ) -> Any:
        """Add a record to a batch of its partition; `None` if it is left to the library."""
        if not self._metadata.partitions_for_topic(topic):
            return None
        at = TopicPartition(topic, self._partition(topic, partition, key, value, key, value))

        now = int(time.time() * 1000)

        def future(batch: Any, place: int) -> Any:
            return FutureRecordMetadata(batch, place, now, None, len(key), len(value), -1)

        added = self._added_all(at, [Record(key, value, headers)], (0, b""), now, future)
        return added[0] if added else None

    def _added_all(
        self,
        at: TopicPartition,
        records: Sequence[Record],
        more: tuple[int, bytes],
        now: int,
        future: Callable[[Any, int], Any],
    ) -> list[Any]:
        """Add the first records to the open batch of a partition and to one that this opens.

        None of them is left to the library: the first is larger than a batch, or it says why not.
        """
        if self._closed:
            return []
        accumulator, transactions = self._accumulator, self._transaction_manager
        if transactions is not None and transactions.is_transactional():
            transactions.maybe_add_partition_to_transaction(at)
        # As the library's `append` does: whoever ends all batches waits for those being added to.
        accumulator._appends_in_progress.increment()
        try:
            with accumulator._tp_lock(at):
                batches = accumulator._batches[at]
                if accumulator._closed:
                    return []
                added = _appended(batches[-1], now, records, more, future) if batches else []
                if len(added) == len(records):
                    return added
                opened = _opened(at, accumulator.config)
                rest = _appended(opened, now, records[len(added) :], more, future)
                if rest:
                    batches.append(opened)
                    accumulator._incomplete.add(opened)
        finally:
            accumulator._appends_in_progress.decrement()
        if rest:
            self._sender.wakeup()
        return added + rest


def _opened(at: TopicPartition, config: Mapping[str, Any]) -> Any:
    names = "message_version", "compression_attrs", "batch_size"
    return ProducerBatch(at, MemoryRecordsBuilder(*(config[name] for name in names)))


def _appended(
    batch: Any,
    timestamp: int,
    records: Sequence[Record],
    more: tuple[int, bytes],
    future: Callable[[Any, int], Any],
) -> list[Any]:
    """Append the first records to a batch of format 2, up to one that it has no room for.

    Parameters
    ----------
    timestamp
        Of the records [ms].
    more
        Headers of every record, after its own: how many, and as they stand in a record.
    future
        What to make for each: of the batch's own future, and the place in it.

    Returns
    -------
    list
        As many of these as records were appended.
    """
    held, outcome = batch.records, batch.produce_future
    if held._closed:
        return []
    builder, first = held._builder, held._next_offset
    room = builder._batch_size - len(builder._buffer)
    if builder._first_timestamp is None:
        builder._first_timestamp = builder._max_timestamp = timestamp
    attributes = b"\x00" + _number(timestamp - builder._first_timestamp)
    n_more, last = more
    parts: list[bytes] = []
    futures = []
    largest = batch.max_record_size
    for place, record in enumerate(records, first):
        offset = _number(place)
        count = _number(len(record.headers) + n_more)
        size = len(attributes) + len(offset) + record.size + len(count) + len(last)
        framed = _number(size)
        size += len(framed)
        if size > room:
            break
        room -= size
        largest = max(largest, size)
        parts += (framed, attributes, offset, record.start, record.value, count)
        parts += (record.encoded_headers, last)
        futures.append(future(outcome, place))
    if not futures:
        return []
    builder._buffer += b"".join(parts)
    builder._max_timestamp = max(builder._max_timestamp, timestamp)
    builder._num_records += len(futures)
    held._next_offset = first + len(futures)
    builder._last_offset = held._next_offset - 1
    batch.max_record_size = largest
    batch.last_append = time.monotonic()
    batch._record_futures += futures
    return futures


def _encoded_headers(headers: _Headers) -> bytes:
    parts: list[bytes] = []
    for name, said in headers:
        size = len(said)
        parts += (_name(name), _LENGTHS[size] if size < _SHORT else _number(size), said)
    return b"".join(parts)


@lru_cache(maxsize=1024)
def _name(name: str) -> bytes:
    text = name.encode()
    return _number(len(text)) + text


def _number(value: int) -> bytes:
    """Return a number as a zigzag varint."""
    if 0 <= value < _SHORT:
        return _LENGTHS[value]
    left = value << 1 if value >= 0 else ~(value << 1)
    if _SHORT <= value < _MEDIUM:
        return bytes((0x80 | left & 0x7F, left >> 7))
    parts = bytearray()
    while left > 0x7F:
        parts.append(0x80 | left & 0x7F)
        left >>= 7
    parts.append(left)
    return bytes(parts)
