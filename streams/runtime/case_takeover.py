"""What a case worker must find out before it counts a partition that came to it."""

from pathlib import Path
from typing import Any

from kafka import TopicPartition

from schemas.errors import StateError
from streams.runtime.case_partition import CasePartition, partition_producer
from streams.runtime.codec import decode_delta, decode_outgoing
from streams.runtime.following import read_to_end
from streams.runtime.groups import Membership
from streams.runtime.kafka_io import discard
from streams.runtime.settings import Settings
from streams.runtime.store import RocksStore
from streams.runtime.topics import topic_name

__all__ = ["Diverged", "database", "take_over"]


class Diverged(Exception):
    """A database holds a batch that can no longer be published as it was counted."""


def database(settings: Settings, partition: int) -> Path:
    """Return the folder of a partition's database."""
    return Path(settings.state_dir) / "cases" / str(partition)


def take_over(
    settings: Settings, consumer: Any, member: Membership, at: TopicPartition, store: RocksStore
) -> CasePartition:
    """Find out how far a partition is counted and published, and whether it can go on from there.

    Raises
    ------
    Diverged
        If the database must be made again.
    StateError
        If the input no longer begins, or ends, where it should.
    """
    # First the producer: it ends an open transaction of a predecessor, one way or the other,
    # and keeps it from publishing more.
    producer = partition_producer(settings, at)
    try:
        published = _published(settings, consumer, at, store)
        start = store.next_offset or 0
        first = consumer.beginning_offsets([at])[at]
        end = consumer.end_offsets([at])[at]
        if max(published, start) > end:
            msg = (
                f"{at.topic}[{at.partition}]: reports up to offset {max(published, start)} "
                f"are counted; got a topic that ends at {end}: it was made anew, or the "
                "broker lost records. Use another topic_prefix and state_dir, or restore it"
            )
            raise StateError(msg)
        if start < first:
            msg = (
                f"{at.topic}[{at.partition}]: every report from offset {start} on is needed "
                f"to know the cases; got a topic that begins at {first}. Restore the "
                "database of this partition from a backup"
            )
            raise StateError(msg)
        rejected = _rejected(settings, at) if start < published else frozenset()
    except BaseException:
        discard(producer)
        raise
    return CasePartition(
        settings, consumer, member, at, store, producer, start, published, rejected
    )


def _published(settings: Settings, consumer: Any, at: TopicPartition, store: RocksStore) -> int:
    """Return the input offset up to which the deltas of a partition are published."""
    outbox = [decode_delta(decode_outgoing(raw).delta) for _, raw in store.unpublished()]
    claimed = outbox[0].first_offset if outbox else store.next_offset
    committed: int | None = consumer.committed(at)
    if committed is None and (outbox or claimed is None):
        # A group that was away for a week has lost its offsets. The deltas themselves tell.
        key = str(at.partition).encode()
        deltas = read_to_end(settings, topic_name(settings, "deltas"))
        ends = [decode_delta(r.value).next_offset for r in deltas if r.key == key]
        committed = max(ends, default=0)
    published = max(committed or 0, claimed or 0)
    if any(delta.first_offset < published < delta.next_offset for delta in outbox):
        msg = (
            f"{database(settings, at.partition)}: reports after offset {published} must be "
            "published in the ranges they were counted in; got a partition that another worker "
            "has continued otherwise"
        )
        raise Diverged(msg)
    return published


def _rejected(settings: Settings, at: TopicPartition) -> frozenset[int]:
    source = f"{at.topic}[{at.partition}]".encode()
    records = read_to_end(settings, topic_name(settings, "rejected"))
    headers = [dict(record.headers) for record in records]
    return frozenset(int(h["position"]) for h in headers if h.get("source") == source)
