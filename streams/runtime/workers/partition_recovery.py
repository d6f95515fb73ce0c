"""Recovery of an assigned partition: open its database, or restore it, before it is counted.

A database that is on this machine, and has counted whatever is published, is used as it is.
Otherwise the cases are restored from the changelog or counted again from the reports, whichever
costs less. If only one of the two reaches back far enough, that one is used.
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

__all__ = ["changed_partitions", "database", "recover", "set_aside"]

_LOG = logging.getLogger(__name__)
_LOCK_SECONDS = 60.0  # for a worker that lost a partition to notice it and close its database
_CONNECT_SECONDS = 0.05  # to wait for a client between two polls: most connect in less
_PAIRS_A_REPORT = 8  # pairs restored from a changelog in the time of counting one report again


def database(settings: Settings, partition: int) -> Path:
    """Return the folder of a partition's database."""
    return Path(settings.state_dir) / "cases" / str(partition)


def set_aside(path: Path, why: str) -> None:
    """Rename a database to `N.why`, to be examined."""
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


def recover(
    settings: Settings, consumer: Any, member: Membership, topic_partition: TopicPartition
) -> Generator[float | None, None, CasePartition]:
    """Open or restore the cases of a partition; yield the fraction that is done.

    A generator, since it may take longer than the group waits for a poll: poll between its steps.
    It yields `None` while it waits for a broker or another process.

    Raises
    ------
    StateError
        If the cases cannot be known: the message says what to do.
    """
    yield 0.0
    with ExitStack() as stack:
        connect = partial(make_consumer, settings, auto_offset_reset="none")
        reader = yield from _connected(connect, close_consumer)
        stack.callback(close_consumer, reader)
        recovery = _Recovery(settings, consumer, reader, topic_partition)
        stack.callback(recovery.abandon)
        recovered = yield from recovery.run(member)
        recovery.done = True
    return recovered


def _connected(make: Callable[[], Any], undo: Callable[[Any], None]) -> Generator[None, None, Any]:
    """Return a new client, connected in a thread: its broker may not answer for long."""
    task = BackgroundTask("tocsin-connect", make, undo)
    try:
        while not task.wait(_CONNECT_SECONDS):
            yield None
        return task.result()
    except GeneratorExit:
        task.give_up()
        raise


class _Recovery:
    """Recovery of one partition."""

    def __init__(
        self, settings: Settings, consumer: Any, reader: Any, topic_partition: TopicPartition
    ) -> None:
        self.done = False
        self._settings = settings
        self._consumer = consumer
        self._reader = reader
        self._input = topic_partition
        self._changelog = TopicPartition(topic_name(settings, "cases"), topic_partition.partition)
        self._name = f"{topic_partition.topic}[{topic_partition.partition}]"
        self._path = database(settings, topic_partition.partition)
        self._partitions = self._required_partitions()
        self._store: RocksStore | None = None
        self._producer: Any = None

    def abandon(self) -> None:
        """Close producer and database, unless they were returned by `run`."""
        if not self.done:
            if self._producer is not None:
                discard(self._producer)
            if self._store is not None:
                self._store.close()

    def run(self, member: Membership) -> Generator[float | None, None, CasePartition]:
        """Recover the partition; yield the fraction that is done, `None` while it waits."""
        store = yield from self._opened()
        # Then the producer: it fences its predecessor, and commits or aborts an open transaction of
        # it. Offsets and changelog read after that are final.
        make = partial(partition_producer, self._settings, self._input)
        self._producer = yield from _connected(make, discard)
        self._reader.assign([self._changelog])
        begin = self._reader.beginning_offsets([self._changelog])[self._changelog]
        last = decode_last(last_record(self._reader, self._changelog))
        published = yield from self._published(store, last)
        if _diverged(store, published):
            _LOG.warning(
                "another worker has published otherwise; the database is set aside and restored",
                extra={"path": str(self._path), "offset": published},
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
            # Nothing is stored and nothing is published: the changelog is whole from its end on.
            progress = Progress(base=self._reader.end_offsets([self._changelog])[self._changelog])
        else:
            progress = Progress()
        start = store.next_offset or 0
        publisher = PartitionPublisher(self._settings, member, self._input, self._producer, SILENT)
        return CasePartition(
            self._settings,
            self._consumer,
            member,
            self._input,
            self._partitions,
            store,
            publisher,
            progress,
            start,
            published,
            rejected,
        )

    def _required_partitions(self) -> int:
        """Return the number of partitions of the input; raise if it was changed."""
        found = len(end_offsets(self._reader, self._input.topic))
        changelogs = end_offsets(self._reader, self._changelog.topic)
        if len(changelogs) != found:
            raise changed_partitions(self._input.topic, len(changelogs), found)
        used = [number for number, end in changelogs.items() if end]
        if used:  # any of them: each record has the number
            changelog = TopicPartition(self._changelog.topic, used[0])
            self._reader.assign([changelog])
            last = decode_last(last_record(self._reader, changelog))
            if last is not None and last.partitions != found:
                raise changed_partitions(self._input.topic, last.partitions, found)
        return found

    def _opened(self) -> Generator[None, None, RocksStore]:
        """Open the database; wait for a worker that has yet to close it."""
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
                _LOG.warning(
                    "database damaged; it is set aside and restored", extra={"error": str(error)}
                )
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

        The last delta decides; deltas that are deleted before they are read are skipped.
        """
        outbox = store.unpublished()
        claimed = _delta_start(outbox[0].outgoing) if outbox else store.next_offset
        known = [claimed or 0, committed_offset(self._consumer, self._input)]
        # A group that was empty for a week has lost its offsets. The changelog has them, too: its
        # records are published in the transactions of the deltas.
        if last is not None:
            known.append(last.next_offset)
        elif known[1] is None and (outbox or claimed is None):
            key = str(self._input.partition).encode()
            # Open transactions of other partitions hide what has been committed after them.
            topic = topic_name(self._settings, "deltas")
            for record, _ in read_in_steps(self._settings, topic, settled=True):
                if record is not None and record.key == key:
                    known.append(decode_delta(record.value).next_offset)
                yield 0.0
        return max(int(offset) for offset in known if offset is not None)

    def _cheaper(self, store: RocksStore, published: int, last: ChangelogRecord) -> bool:
        """Return whether the changelog costs less than the reports, or they are incomplete."""
        start = store.next_offset
        first = self._consumer.beginning_offsets([self._input])[self._input]
        lag = published - (start or 0)
        return bool(start is None or first > start or lag * _PAIRS_A_REPORT > last.progress.pairs)

    def _from_changelog(
        self, store: RocksStore, published: int
    ) -> Generator[float, None, tuple[RocksStore, ChangelogRecord | None]]:
        """Replace the database by one restored from the newest base of the changelog.

        Return it with the last record of the changelog. If the changelog does not add up to the
        cases, return the database as it was, with `None`.

        Raises
        ------
        Superseded
            If the base was deleted since another worker owns the partition.
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
        _LOG.warning("counting from the reports instead of the changelog", extra={"error": why})
        return store, None

    def _restored(
        self, store: RocksStore, base: int, published: int
    ) -> Generator[float, None, RocksStore]:
        """Replace the database by one restored from the changelog."""
        fresh = self._path.with_name(f"{self._path.name}.restoring")
        shutil.rmtree(fresh, ignore_errors=True)  # of a process that did not finish
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
        end = self._consumer.end_offsets([self._input])[self._input]
        if counted > end:
            msg = (
                f"{self._name}: reports up to offset {counted} are counted; got a topic that ends "
                f"at {end}: it was created again, or the broker lost records. Use another "
                "topic_prefix and state_dir, or restore it"
            )
            raise StateError(msg)

    def _require_begin(self, start: int) -> None:
        first = self._consumer.beginning_offsets([self._input])[self._input]
        if start < first:
            msg = (
                f"{self._name}: every report from offset {start} on is needed to know the cases, "
                f"since {self._changelog.topic} does not give them; got a topic that begins at "
                f"{first}. Restore the database of this partition from a backup"
            )
            raise StateError(msg)

    def _rejected(self) -> Generator[float, None, frozenset[int]]:
        """Return the rejected offsets, of rejects that are not deleted."""
        offsets = set()
        topic = topic_name(self._settings, "rejected")
        for record, _ in read_in_steps(self._settings, topic, settled=True):
            headers = dict(record.headers) if record is not None else {}
            if headers.get("source") == self._name.encode():
                offsets.add(int(headers["position"]))
            yield 0.0
        return frozenset(offsets)


def _is_whole(last: ChangelogRecord | None, begin: int, published: int) -> bool:
    """Return whether a changelog has every published change."""
    return last is not None and last.progress.base >= begin and last.next_offset == published


def _delta_start(outgoing: bytes) -> int:
    return decode_delta(decode_outgoing(outgoing).delta).first_offset


def _diverged(store: RocksStore, published: int) -> bool:
    """Return whether another worker has published a part of a batch in the outbox."""
    return any(
        _delta_start(entry.outgoing) < published < entry.next_offset
        for entry in store.unpublished()
    )
