"""Read topics without a consumer group: a topic to its end, or alerts as they are published.

The first offset of a topic may change while it is read: by retention, by a worker that trims its
changelog, by an operator's DeleteRecords. A reader that accepts gaps continues at the new first
offset (`poll_past_deleted`). A reader that needs every record from an offset on raises
`PositionOutOfRange`; `requiring` turns it into the reader's own error for such a topic.

kafka-python 3.0.12, with `auto_offset_reset` 'none': records fetched before a deletion are still
returned. Then every call of `poll` raises `OffsetOutOfRangeError` of one partition, until `seek`
sets another position; positions do not change. If other partitions have records at that moment,
they are returned first and the next call raises.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError

from schemas.errors import BrokerError
from schemas.rules_change import RulesChange
from streams.runtime.broker.clients import make_consumer
from streams.runtime.broker.errors import (
    OffsetOutOfRangeError,
    PositionOutOfRange,
    broker_errors,
    one_line,
)
from streams.runtime.broker.topics import topic_name
from streams.runtime.broker.transactions import REQUEST_MS
from streams.runtime.settings import Settings
from streams.runtime.wire.alerts import AnyAlert, Published, decode_published

__all__ = [
    "OnPoll",
    "close_consumer",
    "committed_offset",
    "end_offsets",
    "last_record",
    "poll_past_deleted",
    "read_alerts",
    "read_in_steps",
    "read_published",
    "read_to_end",
    "requiring",
    "settled_offset",
]

_LOG = logging.getLogger(__name__)
_POLL_MS = 500
_LAST_POLL_MS = 100
_ASK_MS = 1_000

OnPoll = Callable[[int, float], None]
"""Called after each poll with the number of records, and the part of the topic read so far."""


def read_alerts(
    settings: Settings,
    *,
    follow: bool,
    stopped: Callable[[], bool],
    on_poll: OnPoll = lambda records, part: None,
) -> Iterator[AnyAlert]:
    """Yield every committed alert of both kinds; with `follow`, wait for more.

    The revisions of one signal are in order; those of different signals may interleave. Alerts
    deleted before they are read are skipped, and so are changes of rules.
    """
    for published in read_published(settings, follow=follow, stopped=stopped, on_poll=on_poll):
        if not isinstance(published, RulesChange):
            yield published


def read_published(
    settings: Settings,
    *,
    follow: bool,
    stopped: Callable[[], bool],
    on_poll: OnPoll = lambda records, part: None,
) -> Iterator[Published]:
    """Yield every message of the topic of alerts: as `read_alerts`, and the changes of rules."""
    topic = topic_name(settings, "alerts")
    for records, part in _polls(settings, topic, follow=follow, stopped=stopped):
        on_poll(len(records), part)
        for record in records:
            yield decode_published(record.value)


def read_to_end(
    settings: Settings, topic: str, *, start: int | None = None, settled: bool = False
) -> Iterator[Any]:
    """Yield the committed records of a topic up to its current end.

    Parameters
    ----------
    start
        First offset of every partition: every record from it on is required. `None` for the first
        existing record: records deleted while the topic is read are skipped.
    settled
        Whether to wait for transactions that are open now. Until an older transaction of any
        producer ends, committed records after it are not visible.

    Raises
    ------
    BrokerError
        If the topic is missing.
    PositionOutOfRange
        If its first offset is after `start`, before or while it is read.
    """
    for records, _ in _polls(settings, topic, start=start, settled=settled):
        yield from records


def read_in_steps(
    settings: Settings,
    topic: str,
    *,
    start: int | None = None,
    partition: int | None = None,
    settled: bool = False,
) -> Iterator[tuple[Any, float]]:
    """Yield the records of a topic up to its current end, each with the fraction read so far.

    After a poll without records it yields `None` instead, so that the caller can do other work in
    between, such as polling its group.

    Parameters
    ----------
    start, settled
        As in `read_to_end`.
    partition
        The only partition to read; `None` for all.
    """
    before = 0.0
    for records, part in _polls(settings, topic, start=start, settled=settled, partition=partition):
        for number, record in enumerate(records, 1):
            yield record, before + (part - before) * number / len(records)
        if not records:
            yield None, part
        before = part


def end_offsets(consumer: Any, topic: str) -> dict[int, int]:
    """Return the current end offset of every partition of a topic.

    Raises
    ------
    BrokerError
        If there is no such topic, or no right to read it.
    """
    with broker_errors(f"read the offsets of {topic}"):
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            # Kafka does not show a topic to clients without the right to see it.
            msg = f"read {topic}: no such topic: run `tocsin topics create`, or ask for the right"
            raise BrokerError(msg)
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        return {
            topic_partition.partition: end
            for topic_partition, end in consumer.end_offsets(partitions).items()
        }


def committed_offset(consumer: Any, topic_partition: TopicPartition) -> int | None:
    """Return the group's committed offset of a partition; `None` if there is none.

    Without the timeout the client would retry for ever while the coordinator is unavailable.
    """
    offset: int | None = consumer.committed(topic_partition, timeout_ms=REQUEST_MS)
    return offset


def settled_offset(consumer: Any, topic_partition: TopicPartition) -> int:
    """Return the group's committed offset of a partition; 0 if it is not known now.

    It is not known while an open transaction holds an offset of the partition.
    """
    try:
        return consumer.committed(topic_partition, timeout_ms=_ASK_MS) or 0
    except KafkaTimeoutError:
        return 0


def last_record(consumer: Any, topic_partition: TopicPartition) -> Any | None:
    """Return the last committed record of a partition; `None` if there is none.

    Parameters
    ----------
    consumer
        Assigned to the partition, without a group.
    """
    while True:
        begin, end = (
            consumer.beginning_offsets([topic_partition])[topic_partition],
            consumer.end_offsets([topic_partition])[topic_partition],
        )
        last = _last_between(consumer, topic_partition, begin, end)
        # If everything was deleted meanwhile, there may be new records by now.
        if (
            last is not None
            or consumer.beginning_offsets([topic_partition])[topic_partition] == begin
        ):
            return last


def poll_past_deleted(consumer: Any, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
    """Poll; if the record at the next offset was deleted, seek to the first that remains.

    For readers that accept gaps. A poll that seeks returns no records.

    Raises
    ------
    OffsetOutOfRangeError
        If the position is after the last record rather than before the first.
    """
    try:
        return _poll(consumer, timeout_ms)
    except OffsetOutOfRangeError:
        firsts = consumer.beginning_offsets(list(consumer.assignment()))
        positions = {partition: consumer.position(partition) for partition in firsts}
        deleted = {
            partition: first for partition, first in firsts.items() if positions[partition] < first
        }
        if not deleted:
            raise
        for partition, first in deleted.items():
            fields = {
                "topic": partition.topic,
                "partition": partition.partition,
                "first_offset": positions[partition],
                "next_offset": first,
            }
            _LOG.info("records were deleted before they were read", extra=fields)
            consumer.seek(partition, first)
        return {}


@contextmanager
def requiring(require: Callable[[], None]) -> Iterator[None]:
    """Check for missing records before the block, and again if some are deleted during it.

    Parameters
    ----------
    require
        Raises the reader's own error, which names the required and the existing offsets.
    """
    require()
    try:
        yield
    except PositionOutOfRange:
        require()
        raise


def close_consumer(consumer: Any) -> None:
    """Leave the group and disconnect; if the broker is unreachable, the session times out."""
    try:
        consumer.close()
    except KafkaError as error:
        _LOG.warning("consumer not closed", extra={"error": one_line("close a consumer", error)})


def _polls(
    settings: Settings,
    topic: str,
    *,
    start: int | None = None,
    settled: bool = False,
    partition: int | None = None,
    follow: bool = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[list[Any], float]]:
    consumer = make_consumer(settings, auto_offset_reset="none")
    try:
        with broker_errors(f"read {topic}"):
            ends = _written(settings, topic) if settled else end_offsets(consumer, topic)
            partitions = [TopicPartition(topic, n) for n in ends if partition in (None, n)]
            consumer.assign(partitions)
            if start is None:
                firsts, poll = consumer.beginning_offsets(partitions), poll_past_deleted
            else:
                firsts, poll = dict.fromkeys(partitions, start), _poll
            for tp in partitions:
                consumer.seek(tp, firsts[tp])
            total = sum(max(ends[tp.partition] - firsts[tp], 0) for tp in partitions)
            left = total
            # By position: it also passes transaction markers, which are not returned as records.
            while not stopped() and (follow or left):
                polled = poll(consumer, _POLL_MS)
                left = sum(max(ends[tp.partition] - consumer.position(tp), 0) for tp in partitions)
                part = 1 - left / total if total else 1.0
                yield [record for records in polled.values() for record in records], part
    finally:
        close_consumer(consumer)


def _poll(consumer: Any, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
    polled: dict[TopicPartition, list[Any]] = consumer.poll(timeout_ms=timeout_ms)
    return polled


def _last_between(
    consumer: Any, topic_partition: TopicPartition, begin: int, end: int
) -> Any | None:
    back = 2  # a record and the marker of its transaction
    while True:
        start = max(begin, end - back)
        consumer.seek(topic_partition, start)
        last = None
        while consumer.position(topic_partition) < end:
            for record in poll_past_deleted(consumer, _LAST_POLL_MS).get(topic_partition, ()):
                if record.offset < end:
                    last = record
        if last is not None:
            return last
        if start == begin:
            return None
        back *= 8  # transaction markers and aborted records


def _written(settings: Settings, topic: str) -> dict[int, int]:
    """Return the end offsets of all written records, including open transactions."""
    consumer = make_consumer(settings, isolation_level="read_uncommitted")
    try:
        return end_offsets(consumer, topic)
    finally:
        close_consumer(consumer)
