"""Restore of cases from their changelog, which may be trimmed while it is read.

A worker that has copied its state into the changelog deletes what precedes the copy. Who reads from
an older base then gets `PositionOutOfRange`: what was read so far is thrown away, and the restore
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
    """A changelog does not add up to the cases; they must be counted from the reports again."""


def newest_bases(consumer: Any, at: TopicPartition) -> Iterator[ChangelogRecord]:
    """Yield the last record of a changelog, to be read from its `progress.base` on.

    Whoever finds that base deleted asks for the next one, and gets the newest there is by then.
    Nothing is yielded of a changelog that does not reach back to a base, or no longer does.

    Parameters
    ----------
    consumer
        Assigned to the partition, of no group.
    """
    base = -1
    while True:
        # The start first: a base is deleted only once the last record names a newer one.
        begin = consumer.beginning_offsets([at])[at]
        last = decode_last(last_record(consumer, at))
        if last is None or last.progress.base < begin or last.progress.base <= base:
            return
        base = last.progress.base
        yield last
        _LOG.info("%s: its base, offset %d, was deleted; beginning again", at.topic, base)


def restore_cases(
    settings: Settings, at: TopicPartition, base: int, store: RocksStore, published: int
) -> Generator[float, None, None]:
    """Load a changelog from its base into an empty store; yield the part that is done.

    Raises
    ------
    ChangelogGap
        If its records do not follow one another up to what is published.
    PositionOutOfRange
        If the base was deleted. The store is of no use: begin again with an empty one.
    """
    span = copied = None
    for record, part in read_in_steps(settings, at.topic, start=base, partition=at.partition):
        yield part
        if record is None:
            continue
        one = decode_record(record)
        begins = one.first_offset == 0 if one.copied is None else one.copied[0] == b""
        if span is None and not begins:
            # The base is where the log ended as the copy began; the end is known late.
            continue
        # A chunk shows the state as of what precedes it; a large batch has several records.
        joins = span is None or one.first_offset == span[1] or _span(one) == span
        if not joins or (one.copied is not None and one.copied[0] not in (b"", copied)):
            msg = (
                f"{at.topic}[{at.partition}]@{record.offset}: must follow offset {span} of the "
                f"input and key {copied!r} of the copy; got {_span(one)} and {one.copied}"
            )
            raise ChangelogGap(msg)
        store.load(decode_pairs(one.pairs))
        span = _span(one)
        copied = copied if one.copied is None else one.copied[1]
    following = None if span is None else span[1]
    if following != published:
        msg = (
            f"{at.topic}[{at.partition}]: must give the cases up to input offset {published}; got "
            f"{following}"
        )
        raise ChangelogGap(msg)
    store.settle(published)


def _span(record: ChangelogRecord) -> tuple[int, int]:
    return record.first_offset, record.next_offset
