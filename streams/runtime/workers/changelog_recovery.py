"""Restores cases from their changelog, which may be trimmed while it is read.

A worker that has copied its state into the changelog deletes the records before the copy. A reader
that began at an older base then gets `PositionOutOfRange`: it discards the records read so far and
begins again from the newest base. Half of an old copy and half of a new one are no state.
"""

import logging
from collections.abc import Generator, Iterator
from typing import Any

from schemas.errors import StateError
from streams.runtime.broker.clients import TopicPartition
from streams.runtime.broker.topic_reader import last_record, read_in_steps
from streams.runtime.settings import Settings
from streams.runtime.state.case_store import RocksStore
from streams.runtime.state.changelog import (
    ChangelogRecord,
    decode_last,
    decode_pairs,
    decode_record,
)

__all__ = ["ChangelogGap", "newest_bases", "restore_cases"]

_LOG = logging.getLogger(__name__)


class ChangelogGap(StateError):
    """Changelog records are missing; the cases are then counted from the reports."""


def newest_bases(consumer: Any, changelog: TopicPartition) -> Iterator[ChangelogRecord]:
    """Yield the last record of a changelog, to be read from its `progress.base` on.

    If that base has been deleted, the next record yielded has the newest base of then. The iterator
    ends when the changelog does not reach back to a base.

    Parameters
    ----------
    consumer
        Assigned to the partition, of no group.
    """
    base = -1
    while True:
        # The start first: a base is deleted only once the last record names a newer one.
        begin = consumer.beginning_offsets([changelog])[changelog]
        last = decode_last(last_record(consumer, changelog))
        if last is None or last.progress.base < begin or last.progress.base <= base:
            return
        base = last.progress.base
        yield last
        _LOG.info("%s: its base, offset %d, was deleted; beginning again", changelog.topic, base)


def restore_cases(
    settings: Settings, changelog: TopicPartition, base: int, store: RocksStore, published: int
) -> Generator[float, None, None]:
    """Load a changelog from its base into an empty store; yield the fraction that is done.

    Raises
    ------
    ChangelogGap
        If its records do not follow one another up to what is published.
    PositionOutOfRange
        If the base was deleted. The store is of no use: begin again with an empty one.
    """
    topic, number = changelog.topic, changelog.partition
    span = copied = None
    for record, fraction in read_in_steps(settings, topic, start=base, partition=number):
        yield fraction
        if record is None:
            continue
        change = decode_record(record)
        begins = change.first_offset == 0 if change.copied is None else change.copied[0] == b""
        if span is None and not begins:
            # The base is the log's end as it was known when the copy began: it may be outdated.
            continue
        # A chunk has the state after the record before it; a large batch has several records.
        joins = span is None or change.first_offset == span[1] or _span(change) == span
        if not joins or (change.copied is not None and change.copied[0] not in (b"", copied)):
            msg = (
                f"{topic}[{number}]@{record.offset}: must follow offset {span} of the "
                f"input and key {copied!r} of the copy; got {_span(change)} and {change.copied}"
            )
            raise ChangelogGap(msg)
        store.load(decode_pairs(change.pairs))
        span = _span(change)
        copied = copied if change.copied is None else change.copied[1]
    next_offset = None if span is None else span[1]
    if next_offset != published:
        msg = (
            f"{topic}[{number}]: must give the cases up to input offset {published}; got "
            f"{next_offset}"
        )
        raise ChangelogGap(msg)
    store.settle(published)


def _span(record: ChangelogRecord) -> tuple[int, int]:
    return record.first_offset, record.next_offset
