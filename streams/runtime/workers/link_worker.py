"""The link stage on Kafka: follows all reports, publishes the links that follow from identifiers.

One member of its group is active, the others stand by: the one that holds partition 0. It reads
every partition with a consumer of its own. The store commits cases, offsets and links in one write;
then one transaction publishes the links with the offsets. What it publishes stands on the topic it
reads, so an index that is made anew knows what was decided, and publishes the difference only.
"""

import logging
import shutil
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from schemas.errors import BrokerError, StateError
from schemas.link import CaseLink
from streams.core.duplicates.exact import KnownCase, relink, taken_in
from streams.core.duplicates.identifiers import CaseIdentifiers
from streams.runtime.broker.clients import TopicPartition, make_consumer, make_producer
from streams.runtime.broker.errors import OffsetOutOfRangeError, broker_errors
from streams.runtime.broker.membership import join_group
from streams.runtime.broker.topic_reader import (
    close_consumer,
    committed_offset,
    end_offsets,
    read_to_end,
    settled_offset,
)
from streams.runtime.broker.topics import topic_name
from streams.runtime.broker.transactions import (
    ProducerUnusable,
    TransactionAborted,
    discard,
    may_have_moved,
    transaction,
)
from streams.runtime.embedded.case_stage import read_batch
from streams.runtime.observability.observer import SILENT, Observer, observed
from streams.runtime.observability.readiness import Phase, Readiness
from streams.runtime.settings import Settings
from streams.runtime.state.identity_store import IdentityStore
from streams.runtime.workers.group_member import GroupMember, PollStatus

__all__ = ["LinkWorker", "link_group"]

_LOG = logging.getLogger(__name__)
_ATTEMPTS = 5  # to publish one batch, before the worker gives up and says so
_PART = 5_000  # cases looked at between two writes, once an index is made anew
_ACTIVE_POLL_MS = 1  # of the membership, while the reports are waited for


def link_group(settings: Settings) -> str:
    """Return the consumer group of the link stage."""
    return f"{settings.topic_prefix}links"


@dataclass
class _Active:
    """What the active worker holds."""

    store: IdentityStore
    reader: Any
    producer: Any
    offsets: dict[int, int]
    begun: dict[int, int]
    published: dict[int, int] = field(default_factory=dict)
    # Others may have published links: all up to `learn_to` is read before one is decided.
    learning: bool = False
    learn_to: dict[int, int] = field(default_factory=dict)
    rejected: frozenset[tuple[bytes, int]] = frozenset()

    @property
    def fraction(self) -> float:
        spans = [(end, at) for at, end in self.learn_to.items()]
        total = sum(max(end - self.begun.get(at, 0), 0) for end, at in spans)
        left = sum(max(end - self.offsets.get(at, 0), 0) for end, at in spans)
        return 1 - left / total if total else 1.0


class LinkWorker:
    """Reads `pv.reports`, keeps who shares an identifier, publishes links to `pv.reports`.

    Parameters
    ----------
    settings
        How to reach the broker, and where the database is.
    observer
        Hears what the worker does.
    """

    stage = "link"

    def __init__(self, settings: Settings, observer: Observer = SILENT) -> None:
        self._settings = settings
        self._observer = observer
        self._topic = topic_name(settings, "reports")
        self._token = TopicPartition(self._topic, 0)
        self._path = Path(settings.state_dir) / "links"
        self._active: _Active | None = None
        self._failures = 0  # since a batch was published
        self.tally: Counter[str] = Counter()
        # Its consumer only says who is active: everything it is assigned stays paused.
        self._group = GroupMember(
            partial(join_group, settings, link_group(settings), self._topic),
            revoke=self._revoke,
            release=self.stand_by,
            required=self._token,
        )

    def step(self, timeout_ms: int) -> int:
        """Poll once, publish the links that come of it; return the number of messages.

        Raises
        ------
        BrokerError
            If publishing failed for good, or the broker refused.
        StateError
            If reports are missing, or the database cannot be used.
        """
        with broker_errors(f"read {self._topic}"):
            idle = self._active is None or not self._group.joined
            polled = self._group.poll(timeout_ms if idle else _ACTIVE_POLL_MS)
            if polled.status is not PollStatus.ASSIGNED:
                return 0
            try:
                if self._active is None:
                    self._active = self._begin()
                return self._follow(self._active, timeout_ms)
            except OffsetOutOfRangeError as error:
                raise self._deleted() from error
            except (TransactionAborted, ProducerUnusable) as error:
                self._begin_again(error)
                return 0

    def readiness(self) -> Readiness:
        """Return what the worker is doing, as of its last step."""
        if not self._group.joined:
            return Readiness(Phase.JOINING)
        if not self._group.is_active:
            return Readiness(Phase.STANDBY)
        if self._active is None:
            return Readiness(Phase.RESTORING, 0.0)
        if self._active.learning:
            return Readiness(Phase.RESTORING, self._active.fraction)
        return Readiness(Phase.ACTIVE)

    def lags(self) -> dict[int, int | None]:
        """Return the offsets to read of each partition; nothing while standing by."""
        lags: dict[int, int | None] = {}
        if (active := self._active) is not None:
            for at in active.reader.assignment():
                end = active.reader.highwater(at)
                read = active.offsets.get(at.partition, 0)
                lags[at.partition] = None if end is None else max(end - read, 0)
        return lags

    def sizes(self) -> None:
        """Tell the observer nothing: what the stage holds can be made again."""

    def drained(self, ends: dict[int, int]) -> bool:
        """Whether the links of everything up to these offsets are published."""
        if self._active is not None:
            done: Mapping[int, int] = self._active.published
            return all(done.get(partition, 0) >= end for partition, end in ends.items())
        with broker_errors(f"read the offsets of {self._topic}"):
            return all(
                settled_offset(self._group.consumer, TopicPartition(self._topic, partition)) >= end
                for partition, end in ends.items()
            )

    def ends(self) -> dict[int, int]:
        """Return the end offset of every partition of the input, now."""
        return end_offsets(self._group.consumer, self._topic)

    def stand_by(self) -> None:
        """Let go of the database; it is opened again if partition 0 comes back."""
        if (active := self._active) is not None:
            self._active = None
            discard(active.producer)
            close_consumer(active.reader)
            active.store.close()

    def rejoin(self) -> None:
        """Stand by, and join the group anew."""
        self._group.rejoin()

    def close(self) -> None:
        """Leave the group and close the database."""
        self._group.close()

    def _revoke(self, revoked: Collection[TopicPartition]) -> None:
        """Give up the index when another member takes partition 0."""
        if self._token in revoked:
            self.stand_by()

    def _begin_again(self, error: TransactionAborted | ProducerUnusable) -> None:
        self._failures += 1
        if self._failures == _ATTEMPTS:
            msg = f"publish links: gave up after {_ATTEMPTS} attempts: {error}"
            raise BrokerError(msg) from error
        _LOG.warning("beginning again after: %s", error)
        self.stand_by()
        if may_have_moved(error):
            # Another member may be active by now; the group knows.
            self._group.rejoin_after_fencing()

    def _begin(self) -> _Active:
        # First the producer: it ends an open transaction of a predecessor, one way or the other.
        producer = make_producer(self._settings, f"{self._topic}-links")
        reader = make_consumer(self._settings, auto_offset_reset="none")
        store: IdentityStore | None = None
        try:
            ends = end_offsets(reader, self._topic)
            partitions = {number: TopicPartition(self._topic, number) for number in ends}
            consumer = self._group.consumer
            committed = {at: committed_offset(consumer, partitions[at]) or 0 for at in ends}
            store = self._opened(ends, committed)
            offsets = {number: store.offsets.get(number, 0) for number in ends}
            self._require(reader, offsets, ends)
            active = _Active(store, reader, producer, offsets, begun=dict(offsets))
            if not store.settled or any(offsets[at] < committed[at] for at in ends):
                active.learning, active.learn_to = True, ends
                active.rejected = self._rejected()
            reader.assign(list(partitions.values()))
            for number, at in partitions.items():
                reader.seek(at, offsets[number])
            if not active.learning:
                self._publish(active)
        except BaseException:
            discard(producer)
            close_consumer(reader)
            if store is not None:
                store.close()
            raise
        return active

    def _opened(self, ends: Mapping[int, int], committed: Mapping[int, int]) -> IdentityStore:
        identity = f"{self._topic} of {len(ends)}"
        try:
            store = IdentityStore(self._path, identity)
        except StateError as error:
            if "Corruption" not in str(error):
                raise
            _LOG.warning("%s; it is set aside and made again", error)
            return self._anew(identity)
        held = store.offsets
        if store.unpublished() and any(held.get(at, 0) < committed[at] for at in ends):
            # Another worker has decided otherwise what this one had decided and not published.
            store.close()
            _LOG.warning("%s: another worker went on; it is set aside and made again", self._path)
            return self._anew(identity)
        return store

    def _anew(self, identity: str) -> IdentityStore:
        aside = self._path.with_name(f"{self._path.name}.aside")
        shutil.rmtree(aside, ignore_errors=True)
        self._path.rename(aside)
        return IdentityStore(self._path, identity)

    def _require(self, reader: Any, offsets: Mapping[int, int], ends: Mapping[int, int]) -> None:
        partitions = [TopicPartition(self._topic, number) for number in offsets]
        firsts = reader.beginning_offsets(partitions)
        for at in partitions:
            number = at.partition
            if firsts[at] > offsets[number]:
                raise self._deleted()
            if offsets[number] > ends[number]:
                msg = (
                    f"{at.topic}[{number}]: reports up to offset {offsets[number]} are known; got "
                    f"a topic that ends at {ends[number]}: it was made anew, or the broker lost "
                    "records. Use another topic_prefix and state_dir, or restore it"
                )
                raise StateError(msg)

    def _rejected(self) -> frozenset[tuple[bytes, int]]:
        """Return what was rejected: a date that then lay in the future may do so no longer.

        Rejects that are deleted before they are read are passed over.
        """
        records = read_to_end(self._settings, topic_name(self._settings, "rejected"))
        headers = [dict(record.headers) for record in records]
        return frozenset(
            (each["source"], int(each["position"]))
            for each in headers
            if {"source", "position"} <= each.keys()
        )

    def _deleted(self) -> StateError:
        return StateError(
            f"{self._topic}: every report must be known to find its duplicates; got a topic that "
            "no longer has those due next: they were deleted. Restore them from their source"
        )

    def _follow(self, active: _Active, timeout_ms: int) -> int:
        polled = active.reader.poll(timeout_ms=timeout_ms)
        following = {at.partition: active.reader.position(at) for at in active.reader.assignment()}
        arrived: list[KnownCase] = []
        for at, records in polled.items():
            arrived += self._read(active, at, records)
        if active.learning:
            active.store.commit(taken_in(arrived, active.store), following, settled=False)
            active.offsets = following
            if all(following[at] >= end for at, end in active.learn_to.items()):
                self._decide_all(active)
        elif following != active.offsets:
            step = relink(arrived, active.store)
            links = [link.model_dump_json().encode() for link in step.links]
            active.store.commit(step.updates, following, links, settled=True)
            active.offsets = following
            self.tally["links"] += len(links)
            if step.refused:
                self.tally["identifiers refused"] += len(step.refused)
                _LOG.warning("%d identifiers are of too many cases by now", len(step.refused))
            self._publish(active)
        return sum(map(len, polled.values()))

    def _read(self, active: _Active, at: TopicPartition, records: Sequence[Any]) -> list[KnownCase]:
        source = f"{at.topic}[{at.partition}]"
        name = source.encode()
        identified: dict[int, CaseIdentifiers] = {}
        versions, _ = read_batch(  # the case stage reports what is rejected
            (
                (record.offset, record.value or b"", record.key or b"", ())
                for record in records
                if (name, record.offset) not in active.rejected
            ),
            source=source,
            horizon=datetime.now(UTC).date() + timedelta(days=1),
            identified=identified,
        )
        nothing = CaseIdentifiers((), (), 0)
        return [KnownCase(version, identified.get(offset, nothing)) for offset, version in versions]

    def _decide_all(self, active: _Active) -> None:
        """Publish the difference between the links there must be and those there are."""
        began = time.monotonic()
        for part in active.store.linkable(_PART):
            step = relink([], active.store, also=part)
            links = [link.model_dump_json().encode() for link in step.links]
            active.store.commit(step.updates, {}, links, settled=False)
            self.tally["links"] += len(links)
            self._publish(active)
        active.store.commit({}, {}, settled=True)
        active.learning, active.rejected = False, frozenset()
        self._publish(active)
        _LOG.info("the links are known again, %.1f s after the cases", time.monotonic() - began)

    def _publish(self, active: _Active) -> None:
        """Publish the links of the store, all or none, with how far it has read."""
        offsets = {TopicPartition(self._topic, at): end for at, end in active.offsets.items()}
        with (
            observed(self._observer, "link"),
            transaction(
                active.producer, offsets=offsets, group_metadata=self._group.membership.metadata
            ) as out,
        ):
            for raw in active.store.unpublished():
                out.send(self._topic, raw, _key(raw))
        active.store.published()
        active.published = dict(active.offsets)
        self._failures = 0


def _key(raw: bytes) -> bytes:
    return CaseLink.model_validate_json(raw).case_id.encode()
