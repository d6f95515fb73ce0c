"""Inspect a state directory, and rebuild the database of a partition."""

import json
import shutil
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from schemas.errors import InputError, StateError
from streams.core.cases.link_decisions import is_linked_away
from streams.core.cases.versions import RELEASE
from streams.runtime.broker.clients import TopicPartition, make_consumer
from streams.runtime.broker.errors import PositionOutOfRange, broker_errors
from streams.runtime.broker.partitioner import is_placed
from streams.runtime.broker.topic_reader import end_offsets, read_in_steps, read_to_end, requiring
from streams.runtime.broker.topics import topic_name
from streams.runtime.embedded.case_stage import CaseStage, read_batch
from streams.runtime.settings import Settings
from streams.runtime.state.case_store import RocksStore, StoreDamaged
from streams.runtime.wire.deltas import decode_delta
from streams.runtime.workers.changelog_recovery import newest_bases, restore_cases
from streams.runtime.workers.partition_recovery import database

__all__ = [
    "PartitionState",
    "SnapshotState",
    "discard_snapshot",
    "inspect_cases",
    "inspect_snapshot",
    "local_partitions",
    "rebuild",
    "rejected_offsets",
]

_BATCH = 10_000  # reports counted at a time


@dataclass(frozen=True, slots=True)
class PartitionState:
    """State of the database of one partition.

    Attributes
    ----------
    identity
        Format, topic, partition and number of partitions.
    next_offset
        Next offset of the input: all messages before it are counted; `None` before the first.
    cases, counted
        Number of stored cases, and of those that the counts include.
    unpublished
        Number of batches in the outbox.
    """

    partition: int
    identity: str
    next_offset: int | None
    cases: int
    counted: int
    unpublished: int


@dataclass(frozen=True, slots=True)
class SnapshotState:
    """Metadata of a snapshot of the detector; see `streams.runtime.state.snapshot`."""

    form: int
    topic: str
    next_offset: int


def local_partitions(settings: Settings) -> list[int]:
    """Return the partitions that have a database in the state directory."""
    folder = database(settings, 0).parent
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(int(path.name) for path in found if path.name.isdecimal() and path.is_dir())


def inspect_cases(settings: Settings) -> Iterator[PartitionState]:
    """Read the databases of a state directory; workers may have them open.

    Raises
    ------
    StateError
        If one cannot be read.
    """
    for partition in local_partitions(settings):
        with RocksStore(database(settings, partition), None) as store:
            cases = counted = 0
            for version in store.versions():
                cases += version.version != RELEASE
                counted += version.version >= 0 and not (
                    version.excluded or version.withdrawn or is_linked_away(version.links)
                )
            waiting = len(store.unpublished())
            yield PartitionState(
                partition, store.identity, store.next_offset, cases, counted, waiting
            )


def inspect_snapshot(settings: Settings) -> SnapshotState | None:
    """Read the metadata of the detector's snapshot; `None` without one."""
    about = Path(settings.state_dir) / "detect" / "about.json"
    if not about.is_file():
        return None
    try:
        metadata = json.loads(about.read_text(encoding="utf-8"))
        return SnapshotState(metadata["format"], metadata["topic"], metadata["next_offset"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"snapshot {about.parent}: must be readable; got {error!r}. Move it away"
        raise StateError(msg) from error


def discard_snapshot(settings: Settings) -> bool:
    """Delete the detector's snapshot, so that it counts the deltas again; return whether there was.

    Raises
    ------
    StateError
        If the first deltas are deleted: then the snapshot is all that knows their cases.
    """
    deltas = TopicPartition(topic_name(settings, "deltas"), 0)
    with broker_errors(f"rebuild {deltas.topic}"):
        reader = make_consumer(settings, auto_offset_reset="none")
        with closing(reader):
            first = reader.beginning_offsets([deltas])[deltas]
    if first:
        msg = (
            f"rebuild: {deltas.topic} must hold all deltas; got a topic that begins at {first}. "
            "Count the reports again under a new topic_prefix (docs/operate/upgrade.md)"
        )
        raise StateError(msg)
    folder = Path(settings.state_dir) / "detect"
    found = [path for path in (folder, folder.with_suffix(".old")) if path.exists()]
    for path in found:
        shutil.rmtree(path)
    return bool(found)


def rejected_offsets(settings: Settings, name: str) -> frozenset[int]:
    """Return the offsets of a partition whose messages were rejected; `name` as in `pv.reports[3]`.

    They stay rejected, even if reading them now would succeed: a future date may be past by now.
    Deleted rejects are skipped, also if they are deleted meanwhile.
    """
    records = read_to_end(settings, topic_name(settings, "rejected"))
    headers = (dict(record.headers) for record in records)
    return frozenset(int(h["position"]) for h in headers if h.get("source") == name.encode())


def rebuild(
    settings: Settings, partition: int, *, from_reports: bool
) -> Generator[float, None, PartitionState]:
    """Rebuild the database of a partition up to the last published batch; yield the progress, 0-1.

    The old database is replaced only once the new one is complete.

    Parameters
    ----------
    from_reports
        Whether to recount the reports instead of reading the changelog.

    Raises
    ------
    StoreLocked
        If a worker has the database open.
    StateError
        If the changelog has no complete copy, or reports are missing.
    """
    reports = TopicPartition(topic_name(settings, "reports"), partition)
    path = database(settings, partition)
    with broker_errors(f"rebuild {reports.topic}[{partition}]"):
        reader = make_consumer(settings, auto_offset_reset="none")
        with closing(reader):
            ends = end_offsets(reader, reports.topic)
            if partition not in ends:
                msg = f"rebuild: {reports.topic} must have a partition {partition}; got {len(ends)}"
                raise InputError(msg)
            identity = f"{reports.topic}[{partition}] of {len(ends)}"
            if path.exists():
                with suppress(StoreDamaged):  # a reason to rebuild it
                    RocksStore(path, identity).close()  # refused if a worker has it open
            fresh = path.with_name(f"{path.name}.restoring")
            if from_reports:
                with _emptied(fresh, identity) as store:
                    yield from _recount(settings, reader, reports, store, len(ends))
            else:
                yield from _restore(settings, reader, partition, fresh, identity)
    shutil.rmtree(path, ignore_errors=True)
    fresh.rename(path)
    (rebuilt,) = [state for state in inspect_cases(settings) if state.partition == partition]
    return rebuilt


def _emptied(path: Path, identity: str) -> RocksStore:
    """Return a new database at a path, deleting any leftover one."""
    shutil.rmtree(path, ignore_errors=True)
    return RocksStore(path, identity)


def _restore(
    settings: Settings, reader: Any, partition: int, path: Path, identity: str
) -> Generator[float, None, None]:
    """Restore a database from the changelog; restart from the newest base if one is deleted."""
    changelog = TopicPartition(topic_name(settings, "cases"), partition)
    reader.assign([changelog])
    for last in newest_bases(reader, changelog):
        with suppress(PositionOutOfRange), _emptied(path, identity) as store:
            yield from restore_cases(
                settings, changelog, last.progress.base, store, last.next_offset
            )
            return
    msg = (
        f"{changelog.topic}[{partition}]: must hold the cases; got a changelog that is empty or "
        "does not reach back to a whole copy. Use --from reports"
    )
    raise StateError(msg)


def _recount(
    settings: Settings, reader: Any, reports: TopicPartition, store: RocksStore, partitions: int
) -> Generator[float, None, None]:
    """Recount the reports of a partition up to the last published batch.

    Raises
    ------
    StateError
        If reports are deleted, before or while they are read.
    """
    with requiring(partial(_require_all, reader, reports)):
        yield from _recount_all(settings, reports, store, partitions)


def _require_all(reader: Any, reports: TopicPartition) -> None:
    if first := reader.beginning_offsets([reports])[reports]:
        name = f"{reports.topic}[{reports.partition}]"
        msg = f"{name}: every report from offset 0 on is needed; got a topic that begins at {first}"
        raise StateError(msg)


def _recount_all(
    settings: Settings, reports: TopicPartition, store: RocksStore, partitions: int
) -> Generator[float, None, None]:
    name = f"{reports.topic}[{reports.partition}]"
    key = str(reports.partition).encode()
    deltas = read_to_end(settings, topic_name(settings, "deltas"))
    ends = (decode_delta(record.value).next_offset for record in deltas if record.key == key)
    published = max(ends, default=0)
    rejected = rejected_offsets(settings, name)
    stage = CaseStage(store, partition=reports.partition, keep_outbox=False)
    batch: list[Any] = []

    def count(next_offset: int) -> None:
        versions, _ = read_batch(batch, source=name, horizon=date.max)
        # The copies of re-routed messages count on the partitions of their cases.
        counted = [
            version
            for _, version in versions
            if is_placed(version.case_id, reports.partition, partitions)
        ]
        start = store.next_offset or 0
        stage.count(counted, first_offset=start, next_offset=next_offset)
        batch.clear()

    for record, part in read_in_steps(
        settings, reports.topic, start=0, partition=reports.partition
    ):
        yield part
        if record is not None and record.offset < published:
            if record.offset not in rejected:
                batch.append((record.offset, record.value or b"", record.key, record.headers))
            if len(batch) == _BATCH:
                count(record.offset + 1)
    if published:
        count(published)
