"""What a case worker must find out, and make again, before it counts a partition that came to it.

The cases are in the database of the partition, if it is here and as far as what is published. Else
they come from the changelog, or are counted again from the reports, whichever costs less; if only
one of the two reaches back far enough, from that.
"""

import logging
import shutil
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from schemas.errors import StateError
from streams.runtime.background import BackgroundTask
from streams.runtime.broker.clients import TopicPartition, make_consumer
from streams.runtime.broker.errors import PositionOutOfRange
from streams.runtime.broker.membership import Membership
from streams.runtime.broker.topic_reader import (
    close_consumer,
    committed_offset,
    end_offsets,
    last_record,
    read_in_steps,
)
from streams.runtime.broker.topics import topic_name
from streams.runtime.broker.transactions import discard
from streams.runtime.observability.observer import SILENT
from streams.runtime.settings import Settings
from streams.runtime.state.case_store import RocksStore, StoreDamaged, StoreLocked
from streams.runtime.state.changelog import ChangelogRecord, Progress, decode_last
from streams.runtime.wire.deltas import decode_delta, decode_outgoing
from streams.runtime.workers.case_partition import CasePartition
from streams.runtime.workers.changelog_recovery import (
    ChangelogGap,
    newest_bases,
    restore_cases,
)
from streams.runtime.workers.partition_publisher import (
    PartitionPublisher,
    Superseded,
    partition_producer,
)

__all__ = ["changed_partitions", "database", "set_aside", "take_over"]

_LOG = logging.getLogger(__name__)
_LOCK_SECONDS = 60.0  # for a worker that lost a partition to notice, and to close its database
_CONNECT_WAIT = 0.05  # for a client, between two polls: most are there by then [s]
_PAIRS_A_REPORT = 8  # that a changelog gives back in the time it takes to count one report again


def database(settings: Settings, partition: int) -> Path:
    """Return the folder of a partition's database."""
    return Path(settings.state_dir) / "cases" / str(partition)


def set_aside(path: Path, why: str) -> None:
    """Move a database away, for whoever wants to know what happened to it."""
    aside = path.with_name(f"{path.name}.{why}")
    shutil.rmtree(aside, ignore_errors=True)
    path.rename(aside)


def changed_partitions(topic: str, counted: int, found: int) -> StateError:
    """Return the error of a topic whose number of partitions was changed."""
    return StateError(
        f"{topic}: the number of partitions must stay {counted} once its reports are counted; got "
        f"{found}: a case may stand on two of them by now, and would count twice. Make topics "
        "under another topic_prefix, and publish the reports again there"
    )


def take_over(
    settings: Settings, consumer: Any, member: Membership, at: TopicPartition
) -> Generator[float | None, None, CasePartition]:
    """Open or restore the cases of a partition; yield the part that is done.

    It is a generator since it may take longer than a member of a group may be silent: poll
    between its steps. `None` instead of a part says that it waits for somebody: do something else.

    Raises
    ------
    StateError
        If the cases cannot be known: the message says what to do.
    """
    yield 0.0
    with ExitStack() as held:
        connect = partial(make_consumer, settings, auto_offset_reset="none")
        reader = yield from _made(connect, close_consumer)
        held.callback(close_consumer, reader)
        takeover = _Takeover(settings, consumer, reader, at)
        held.callback(takeover.abandon)
        taken = yield from takeover.run(member)
        takeover.done = True
    return taken


def _made(make: Callable[[], Any], undo: Callable[[Any], None]) -> Generator[None, None, Any]:
    """Return a client, made in a thread: whom it asks may be away for long."""
    task = BackgroundTask("tocsin-connect", make, undo)
    try:
        while not task.wait(_CONNECT_WAIT):
            yield None
        return task.result()
    except GeneratorExit:
        task.give_up()
        raise


class _Takeover:
    """One takeover under way."""

    def __init__(self, settings: Settings, consumer: Any, reader: Any, at: TopicPartition) -> None:
        self.done = False
        self._settings = settings
        self._consumer = consumer
        self._reader = reader
        self._at = at
        self._changelog = TopicPartition(topic_name(settings, "cases"), at.partition)
        self._name = f"{at.topic}[{at.partition}]"
        self._path = database(settings, at.partition)
        self._partitions = self._required_partitions()
        self._store: RocksStore | None = None
        self._producer: Any = None

    def abandon(self) -> None:
        """Let go of what is held, unless it was handed over."""
        if not self.done:
            if self._producer is not None:
                discard(self._producer)
            if self._store is not None:
                self._store.close()

    def run(self, member: Membership) -> Generator[float | None, None, CasePartition]:
        """Do it."""
        store = yield from self._opened()
        # Then the producer: it ends an open transaction of a predecessor, one way or the other,
        # and keeps it from publishing more. What is read after it is final.
        make = partial(partition_producer, self._settings, self._at)
        self._producer = yield from _made(make, discard)
        self._reader.assign([self._changelog])
        begin = self._reader.beginning_offsets([self._changelog])[self._changelog]
        last = decode_last(last_record(self._reader, self._changelog))
        published = yield from self._published(store, last)
        if _diverged(store, published):
            _LOG.warning(
                "%s: another worker has continued otherwise after offset %d; the database is set "
                "aside and restored",
                self._path,
                published,
            )
            store = self._renewed(store, "diverged")
        whole = last if _is_whole(last, begin, published) else None
        rejected: frozenset[int] = frozenset()
        self._require_end(max(published, store.next_offset or 0))
        if (store.next_offset or 0) < published:
            if whole is not None and self._cheaper(store, published, whole):
                store, whole = yield from self._from_changelog(store, published)
            if (store.next_offset or 0) < published:
                self._require_begin(store.next_offset or 0)
                rejected = yield from self._rejected()
        if whole is not None:
            progress = whole.progress
        elif published == 0 and store.next_offset is None:
            # Nothing is held and nothing is written: whole from here on.
            progress = Progress(base=self._reader.end_offsets([self._changelog])[self._changelog])
        else:
            progress = Progress()
        start = store.next_offset or 0
        outlet = PartitionPublisher(self._settings, member, self._at, self._producer, SILENT)
        return CasePartition(
            self._settings,
            self._consumer,
            member,
            self._at,
            self._partitions,
            store,
            outlet,
            progress,
            start,
            published,
            rejected,
        )

    def _required_partitions(self) -> int:
        """Return the number of partitions of the input; raise if it is not what it was."""
        number = len(end_offsets(self._reader, self._at.topic))
        changelogs = end_offsets(self._reader, self._changelog.topic)
        if len(changelogs) != number:
            raise changed_partitions(self._at.topic, len(changelogs), number)
        used = [one for one, end in changelogs.items() if end]
        if used:  # all of them tell the same
            at = TopicPartition(self._changelog.topic, used[0])
            self._reader.assign([at])
            last = decode_last(last_record(self._reader, at))
            if last is not None and last.partitions != number:
                raise changed_partitions(self._at.topic, last.partitions, number)
        return number

    def _opened(self) -> Generator[None, None, RocksStore]:
        """Open the database; wait for a worker that had it and has yet to let go."""
        deadline = time.monotonic() + _LOCK_SECONDS
        damaged = False
        while self._store is None:
            try:
                self._store = self._open(self._path)
            except StoreLocked:
                if time.monotonic() > deadline:
                    raise
                yield None
            except StoreDamaged as error:
                if damaged:
                    raise
                damaged = True
                _LOG.warning("%s; it is set aside and restored", error)
                set_aside(self._path, "damaged")
        return self._store

    def _open(self, path: Path) -> RocksStore:
        return RocksStore(path, f"{self._name} of {self._partitions}")

    def _renewed(self, store: RocksStore, why: str) -> RocksStore:
        store.close()
        self._store = None
        set_aside(self._path, why)
        self._store = self._open(self._path)
        return self._store

    def _published(
        self, store: RocksStore, last: ChangelogRecord | None
    ) -> Generator[float, None, int]:
        """Return the input offset up to which the deltas of a partition are published.

        The last one tells; those that are deleted before they are read are passed over.
        """
        outbox = store.unpublished()
        claimed = _delta_start(outbox[0].outgoing) if outbox else store.next_offset
        known = [claimed or 0, committed_offset(self._consumer, self._at)]
        # A group that was away for a week has lost its offsets. The changelog goes with the deltas.
        if last is not None:
            known.append(last.next_offset)
        elif known[1] is None and (outbox or claimed is None):
            key = str(self._at.partition).encode()
            # Of other partitions transactions may be open; they hide what was committed since.
            topic = topic_name(self._settings, "deltas")
            for record, _ in read_in_steps(self._settings, topic, settled=True):
                if record is not None and record.key == key:
                    known.append(decode_delta(record.value).next_offset)
                yield 0.0
        return max(int(offset) for offset in known if offset is not None)

    def _cheaper(self, store: RocksStore, published: int, last: ChangelogRecord) -> bool:
        """Whether the changelog gives the cases sooner than the reports, or alone gives them."""
        start = store.next_offset
        first = self._consumer.beginning_offsets([self._at])[self._at]
        behind = published - (start or 0)
        return bool(
            start is None or first > start or behind * _PAIRS_A_REPORT > last.progress.pairs
        )

    def _from_changelog(
        self, store: RocksStore, published: int
    ) -> Generator[float, None, tuple[RocksStore, ChangelogRecord | None]]:
        """Replace the database by what the changelog gives, from its newest base on.

        Returns it with the last record of the changelog; with `None`, and as it was, if the
        changelog does not add up to the cases.

        Raises
        ------
        Superseded
            If the base was deleted since another worker has gone on with the partition.
        """
        why = f"{self._changelog.topic}[{self._changelog.partition}]: what it began with is deleted"
        for last in newest_bases(self._reader, self._changelog):
            if last.next_offset != published:
                msg = f"restore {self._name}: another worker has published since"
                raise Superseded(msg)
            try:
                restored = yield from self._restored(store, last.progress.base, published)
            except PositionOutOfRange:
                continue
            except ChangelogGap as error:
                why = str(error)
                break
            return restored, last
        _LOG.warning("%s; counting from the reports instead", why)
        return store, None

    def _restored(
        self, store: RocksStore, base: int, published: int
    ) -> Generator[float, None, RocksStore]:
        """Replace the database by what the changelog gives."""
        fresh = self._path.with_name(f"{self._path.name}.restoring")
        shutil.rmtree(fresh, ignore_errors=True)  # of a process that ended before it was done
        _LOG.info("%s: restoring the cases from %s", self._name, self._changelog.topic)
        with self._open(fresh) as restoring:
            yield from restore_cases(self._settings, self._changelog, base, restoring, published)
        store.close()
        self._store = None
        shutil.rmtree(self._path)
        fresh.rename(self._path)
        self._store = self._open(self._path)
        return self._store

    def _require_end(self, counted: int) -> None:
        end = self._consumer.end_offsets([self._at])[self._at]
        if counted > end:
            msg = (
                f"{self._name}: reports up to offset {counted} are counted; got a topic that ends "
                f"at {end}: it was made anew, or the broker lost records. Use another "
                "topic_prefix and state_dir, or restore it"
            )
            raise StateError(msg)

    def _require_begin(self, start: int) -> None:
        first = self._consumer.beginning_offsets([self._at])[self._at]
        if start < first:
            msg = (
                f"{self._name}: every report from offset {start} on is needed to know the cases, "
                f"since {self._changelog.topic} does not give them; got a topic that begins at "
                f"{first}. Restore the database of this partition from a backup"
            )
            raise StateError(msg)

    def _rejected(self) -> Generator[float, None, frozenset[int]]:
        """Return the offsets that were rejected, of rejects that are still there."""
        offsets = set()
        topic = topic_name(self._settings, "rejected")
        for record, _ in read_in_steps(self._settings, topic, settled=True):
            headers = dict(record.headers) if record is not None else {}
            if headers.get("source") == self._name.encode():
                offsets.add(int(headers["position"]))
            yield 0.0
        return frozenset(offsets)


def _is_whole(last: ChangelogRecord | None, begin: int, published: int) -> bool:
    """Whether a changelog gives all that is published."""
    return last is not None and last.progress.base >= begin and last.next_offset == published


def _delta_start(outgoing: bytes) -> int:
    return decode_delta(decode_outgoing(outgoing).delta).first_offset


def _diverged(store: RocksStore, published: int) -> bool:
    """Whether a batch of the outbox can no longer be published as it was counted."""
    return any(
        _delta_start(entry.outgoing) < published < entry.next_offset
        for entry in store.unpublished()
    )
