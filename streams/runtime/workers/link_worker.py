"""Link stage on Kafka: consumes every report, publishes links between cases of one patient.

The member of its group that is assigned partition 0 is active; the others are standbys. It reads
every partition with a consumer of its own. The store commits cases, offsets and links in one write;
then one transaction publishes the links with the offsets. Links are published to the topic they are
computed from: a rebuilt index knows the earlier decisions, and publishes the difference only.
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
from streams.core.cases.versions import RELEASE
from streams.core.duplicates.exact import cases_to_store, relink
from streams.core.duplicates.identifiers import CaseIdentifiers
from streams.core.duplicates.known_cases import KnownCase
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
_ATTEMPTS = 5  # attempts to publish one batch, before the worker gives up
_PART = 5_000  # cases linked between two writes, after an index has been rebuilt
_ACTIVE_POLL_MS = 1  # of the group, while the other consumer waits for reports


def link_group(settings: Settings) -> str:
    """Return the consumer group of the link stage."""
    return f"{settings.topic_prefix}links"


@dataclass
class _Active:
    """State of the active worker; offsets are the next to read, by partition."""

    store: IdentityStore
    reader: Any
    producer: Any
    offsets: dict[int, int]
    first_offsets: dict[int, int]
    published: dict[int, int] = field(default_factory=dict)
    # Other workers may have published links: no link is decided before `restore_to` is reached.
    restoring: bool = False
    restore_to: dict[int, int] = field(default_factory=dict)
    rejected: frozenset[tuple[bytes, int]] = frozenset()

    @property
    def fraction(self) -> float:
        ends = self.restore_to.items()
        total = sum(max(end - self.first_offsets.get(number, 0), 0) for number, end in ends)
        left = sum(max(end - self.offsets.get(number, 0), 0) for number, end in ends)
        return 1 - left / total if total else 1.0


class LinkWorker:
    """Consumes `pv.reports`, indexes cases by identifier, publishes links to `pv.reports`.

    Parameters
    ----------
    settings
        How to reach the broker, and the folder of the database.
    observer
        Receives the events of the worker.
    """

    stage = "link"

    def __init__(self, settings: Settings, observer: Observer = SILENT) -> None:
        self._settings = settings
        self._observer = observer
        self._topic = topic_name(settings, "reports")
        self._required = TopicPartition(self._topic, 0)
        self._path = Path(settings.state_dir) / "links"
        self._active: _Active | None = None
        self._failures = 0  # since a batch was published
        self.tally: Counter[str] = Counter()
        # Its consumer only decides which member is active: its partitions stay paused.
        self._group = GroupMember(
            partial(join_group, settings, link_group(settings), self._topic),
            revoke=self._revoke,
            release=self.stand_by,
            required=self._required,
        )

    def step(self, timeout_ms: int) -> int:
        """Poll once, publish the links of the reports; return the number of messages.

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
                return self._work(self._active, timeout_ms)
            except OffsetOutOfRangeError as error:
                raise self._deleted() from error
            except (TransactionAborted, ProducerUnusable) as error:
                self._restart(error)
                return 0

    def readiness(self) -> Readiness:
        """Return the phase of the worker as of its last step."""
        if not self._group.joined:
            return Readiness(Phase.JOINING)
        if not self._group.is_active:
            return Readiness(Phase.STANDBY)
        if self._active is None:
            return Readiness(Phase.RESTORING, 0.0)
        if self._active.restoring:
            return Readiness(Phase.RESTORING, self._active.fraction)
        return Readiness(Phase.ACTIVE)

    def lags(self) -> dict[int, int | None]:
        """Return the lag of each partition [offsets]; nothing on a standby."""
        lags: dict[int, int | None] = {}
        if (active := self._active) is not None:
            for assigned in active.reader.assignment():
                number, end = assigned.partition, active.reader.highwater(assigned)
                lags[number] = None if end is None else max(end - active.offsets.get(number, 0), 0)
        return lags

    def report_sizes(self) -> None:
        """Report nothing to the observer: the index has no metrics."""

    def drained(self, ends: dict[int, int]) -> bool:
        """Return whether the links of every report up to these offsets are published."""
        if self._active is not None:
            published: Mapping[int, int] = self._active.published
            return all(published.get(partition, 0) >= end for partition, end in ends.items())
        with broker_errors(f"read the offsets of {self._topic}"):
            return all(
                settled_offset(self._group.consumer, TopicPartition(self._topic, partition)) >= end
                for partition, end in ends.items()
            )

    def ends(self) -> dict[int, int]:
        """Return the end offset of every partition of the input, now."""
        return end_offsets(self._group.consumer, self._topic)

    def stand_by(self) -> None:
        """Close the database; it is opened again when partition 0 is assigned."""
        if (active := self._active) is not None:
            self._active = None
            discard(active.producer)
            close_consumer(active.reader)
            active.store.close()

    def rejoin(self) -> None:
        """Become a standby, and rejoin the group."""
        self._group.rejoin()

    def close(self) -> None:
        """Leave the group and close the database."""
        self._group.close()

    def _revoke(self, revoked: Collection[TopicPartition]) -> None:
        """Become a standby when partition 0 is revoked."""
        if self._required in revoked:
            self.stand_by()

    def _restart(self, error: TransactionAborted | ProducerUnusable) -> None:
        """Become a standby, so that the next step publishes the outbox with a new producer."""
        self._failures += 1
        if self._failures == _ATTEMPTS:
            msg = f"publish links: gave up after {_ATTEMPTS} attempts: {error}"
            raise BrokerError(msg) from error
        _LOG.warning("restoring after an error", extra={"error": str(error)})
        self.stand_by()
        if may_have_moved(error):
            # Another member may be active: rejoin to find out.
            self._group.rejoin_after_fencing()

    def _begin(self) -> _Active:
        # The producer first: it commits or aborts an open transaction of its predecessor.
        producer = make_producer(self._settings, f"{self._topic}-links")
        reader = make_consumer(self._settings, auto_offset_reset="none")
        store: IdentityStore | None = None
        try:
            ends = end_offsets(reader, self._topic)
            partitions = {number: TopicPartition(self._topic, number) for number in ends}
            consumer = self._group.consumer
            committed = {
                number: committed_offset(consumer, partitions[number]) or 0 for number in ends
            }
            store = self._opened(ends, committed)
            offsets = {number: store.offsets.get(number, 0) for number in ends}
            self._require(reader, offsets, ends)
            active = _Active(store, reader, producer, offsets, first_offsets=dict(offsets))
            if not store.settled or any(offsets[number] < committed[number] for number in ends):
                active.restoring, active.restore_to = True, ends
                active.rejected = self._rejected()
            reader.assign(list(partitions.values()))
            for number, topic_partition in partitions.items():
                reader.seek(topic_partition, offsets[number])
            if not active.restoring:
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
            _LOG.warning(
                "database damaged; it is set aside and rebuilt", extra={"error": str(error)}
            )
            return self._empty(identity)
        stored = store.offsets
        if store.unpublished() and any(
            stored.get(number, 0) < committed[number] for number in ends
        ):
            # Another worker has published other links for the reports of these unpublished ones.
            store.close()
            _LOG.warning(
                "another worker has published links; the database is set aside and rebuilt",
                extra={"path": str(self._path)},
            )
            return self._empty(identity)
        return store

    def _empty(self, identity: str) -> IdentityStore:
        """Set the database aside and return an empty one."""
        aside = self._path.with_name(f"{self._path.name}.aside")
        shutil.rmtree(aside, ignore_errors=True)
        self._path.rename(aside)
        return IdentityStore(self._path, identity)

    def _require(self, reader: Any, offsets: Mapping[int, int], ends: Mapping[int, int]) -> None:
        partitions = [TopicPartition(self._topic, number) for number in offsets]
        firsts = reader.beginning_offsets(partitions)
        for topic_partition in partitions:
            number = topic_partition.partition
            if firsts[topic_partition] > offsets[number]:
                raise self._deleted()
            if offsets[number] > ends[number]:
                msg = (
                    f"{self._topic}[{number}]: reports up to offset {offsets[number]} are known; "
                    f"got a topic that ends at {ends[number]}: it was created again, or the broker "
                    "lost records. Use another topic_prefix and state_dir, or restore it"
                )
                raise StateError(msg)

    def _rejected(self) -> frozenset[tuple[bytes, int]]:
        """Return source and offset of each reject: it stays rejected when its date is past.

        Rejects that are deleted before they are read are skipped.
        """
        records = read_to_end(self._settings, topic_name(self._settings, "rejected"))
        rejects = [dict(record.headers) for record in records]
        return frozenset(
            (headers["source"], int(headers["position"]))
            for headers in rejects
            if {"source", "position"} <= headers.keys()
        )

    def _deleted(self) -> StateError:
        return StateError(
            f"{self._topic}: every report must be known to find its duplicates; got a topic that "
            "no longer has those due next: they were deleted. Restore them from their source"
        )

    def _work(self, active: _Active, timeout_ms: int) -> int:
        reader = active.reader
        polled = reader.poll(timeout_ms=timeout_ms)
        next_offsets = {tp.partition: reader.position(tp) for tp in reader.assignment()}
        cases: list[KnownCase] = []
        for topic_partition, records in polled.items():
            cases += self._read(active, topic_partition, records)
        if active.restoring:
            active.store.commit(cases_to_store(cases, active.store), next_offsets, settled=False)
            active.offsets = next_offsets
            if all(next_offsets[number] >= end for number, end in active.restore_to.items()):
                self._decide_all(active)
        elif next_offsets != active.offsets:
            step = relink(cases, active.store)
            links = [link.model_dump_json().encode() for link in step.links]
            active.store.commit(step.updates, next_offsets, links, settled=True)
            active.offsets = next_offsets
            self.tally["links"] += len(links)
            if step.refused:
                self.tally["identifiers refused"] += len(step.refused)
                _LOG.warning(
                    "identifiers shared by too many cases", extra={"number": len(step.refused)}
                )
            self._publish(active)
        return sum(map(len, polled.values()))

    def _read(
        self, active: _Active, topic_partition: TopicPartition, records: Sequence[Any]
    ) -> list[KnownCase]:
        source = f"{topic_partition.topic}[{topic_partition.partition}]"
        name = source.encode()
        identified: dict[int, CaseIdentifiers] = {}
        no_key = b"" if self._settings.key_required else None
        versions, _ = read_batch(  # the case stage publishes the rejects
            (
                (
                    record.offset,
                    record.value or b"",
                    no_key if record.key is None else record.key,
                    (),
                )
                for record in records
                if (name, record.offset) not in active.rejected
            ),
            source=source,
            horizon=datetime.now(UTC).date() + timedelta(days=1),
            identified=identified,
        )
        nothing = CaseIdentifiers((), (), 0)
        return [
            KnownCase(version, identified.get(offset, nothing))
            for offset, version in versions
            if version.version != RELEASE
        ]

    def _decide_all(self, active: _Active) -> None:
        """Link every case of a rebuilt index, and publish what differs from the published links."""
        began = time.monotonic()
        for part in active.store.linkable(_PART):
            step = relink([], active.store, also=part)
            links = [link.model_dump_json().encode() for link in step.links]
            active.store.commit(step.updates, {}, links, settled=False)
            self.tally["links"] += len(links)
            self._publish(active)
        active.store.commit({}, {}, settled=True)
        active.restoring, active.rejected = False, frozenset()
        self._publish(active)
        _LOG.info("links restored", extra={"seconds": round(time.monotonic() - began, 1)})

    def _publish(self, active: _Active) -> None:
        """Publish the unpublished links of the store in one transaction, with its offsets."""
        offsets = {
            TopicPartition(self._topic, number): end for number, end in active.offsets.items()
        }
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
