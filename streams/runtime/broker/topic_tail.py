"""Tail a topic from offsets that the reader stores itself, without a consumer group.

Its readers must not lose records: if the record at the next offset was deleted, reading stops with
an error. Only a partition that was never read starts at the first existing record.
"""

from collections.abc import Callable
from typing import Any

from kafka import TopicPartition

from schemas.errors import BrokerError
from streams.runtime.broker.clients import make_consumer
from streams.runtime.broker.errors import OffsetOutOfRangeError, broker_errors
from streams.runtime.broker.topic_reader import close_consumer, end_offsets
from streams.runtime.broker.topics import topic_name
from streams.runtime.settings import Settings
from streams.runtime.wire.batches import Unreadable

__all__ = ["TopicTail"]

_POLL_MS = 500


class TopicTail:
    """The committed records of a topic, each partition from its reader's next offset.

    Parameters
    ----------
    name
        Name of the topic, without the prefix.
    place
        Returns the next offset of a source, such as `pv.alerts[0]`; 0 if it was never read.

    Raises
    ------
    BrokerError
        If the topic is missing, or no longer has the next offset: a reader that continued would
        silently lose records.
    """

    def __init__(self, settings: Settings, name: str, place: Callable[[str], int]) -> None:
        self._topic, self._place = topic_name(settings, name), place
        self._consumer = make_consumer(settings, auto_offset_reset="none")
        self._assigned: set[int] = set()
        self._begun: set[int] = set()  # partitions of which records were returned
        try:
            self._ends = end_offsets(self._consumer, self._topic)
            self._assign(set(self._ends))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Disconnect."""
        close_consumer(self._consumer)

    def poll(self, timeout_ms: int = _POLL_MS) -> list[tuple[str, int, bytes]]:
        """Return the next records, each with its source, offset and value; those of a key in order.

        The value is empty if the record has none or cannot be decompressed; messages are not empty.

        Raises
        ------
        BrokerError
            If Kafka refused, or no longer has the next offset.
        """
        polled: dict[TopicPartition, list[Any]] = {}
        with broker_errors(f"read {self._topic}"):
            numbers = set(self._consumer.partitions_for_topic(self._topic) or self._assigned)
            if numbers - self._assigned:  # added partitions start at their first record
                self._assign(numbers)
            try:
                polled = self._consumer.poll(timeout_ms=timeout_ms)
            except OffsetOutOfRangeError:
                self._assign(self._assigned)  # raises if records would be lost
        self._begun |= {topic_partition.partition for topic_partition in polled}
        return [self._entry(record) for records in polled.values() for record in records]

    def drained(self) -> bool:
        """Return whether all records that the topic had when it was opened have been returned."""
        with broker_errors(f"read {self._topic}"):
            return all(
                self._consumer.position(TopicPartition(self._topic, number)) >= end
                for number, end in self._ends.items()
            )

    def _assign(self, numbers: set[int]) -> None:
        with broker_errors(f"read {self._topic}"):
            partitions = [TopicPartition(self._topic, number) for number in sorted(numbers)]
            firsts = self._consumer.beginning_offsets(partitions)
            ends = self._consumer.end_offsets(partitions)
            self._consumer.assign(partitions)
            for tp in partitions:
                source = self._source(tp.partition)
                next_ = self._next_offset(tp)
                if next_ and not firsts[tp] <= next_ <= ends[tp]:
                    msg = (
                        f"{source}: must still have offset {next_}, which comes next; got "
                        f"{firsts[tp]} to {ends[tp]}: the topic was created again or trimmed. "
                        "Compare what was read with what is there, then read into a new file"
                    )
                    raise BrokerError(msg)
                self._consumer.seek(tp, next_ or firsts[tp])
        self._assigned = numbers

    def _next_offset(self, topic_partition: TopicPartition) -> int:
        """Return the next offset, which must exist; 0 if the partition was never read."""
        if topic_partition.partition in self._begun:
            # Ahead of the reader's stored offset by unstored records and by transaction markers.
            return int(self._consumer.position(topic_partition))
        return self._place(self._source(topic_partition.partition))

    def _entry(self, record: Any) -> tuple[str, int, bytes]:
        value = b"" if isinstance(record.value, Unreadable) else record.value or b""
        return self._source(record.partition), record.offset, value

    def _source(self, partition: int) -> str:
        return f"{self._topic}[{partition}]"
