"""What a detector that takes over must know: the counts, and what was published of them."""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from schemas.alert import Alert
from schemas.errors import StateError
from schemas.prior import PriorRefit
from schemas.rejected import Rejected
from schemas.safety_alert import SafetyAlert
from streams.core.detection.detector import Detector
from streams.runtime.broker.clients import TopicPartition
from streams.runtime.broker.topic_reader import (
    committed_offset,
    read_in_steps,
    read_to_end,
    requiring,
)
from streams.runtime.broker.topics import topic_name
from streams.runtime.settings import Settings
from streams.runtime.state.snapshot import read_snapshot
from streams.runtime.wire.alerts import AnyAlert, decode_alert
from streams.runtime.wire.deltas import decode_delta
from streams.runtime.workers.detector_session import apply_deltas, deltas_deleted
from streams.runtime.workers.notice_reader import NoticeReader

__all__ = ["Restored", "restore_detector"]


@dataclass(frozen=True, slots=True)
class Restored:
    """A detector as it stood when its last alerts were published.

    Attributes
    ----------
    next_offset
        Of the deltas: up to here they are counted, and their alerts published.
    signals
        Number of signals that are known.
    first
        Whether no member of the group has ever said how far it was.
    notices
        All that are there, heard, and more to come.
    """

    detector: Detector
    notices: NoticeReader
    next_offset: int
    signals: int
    first: bool


def restore_detector(
    settings: Settings,
    consumer: Any,
    at: TopicPartition,
    detector: Detector,
    snapshot: Path,
    set_aside: Callable[[Sequence[Rejected]], None],
) -> Generator[float, None, Restored]:
    """Bring a new detector to where the last one published; yield the part that is done.

    It is a generator since it may take longer than a member of a group may be silent: poll
    between its steps. Signals and priors are read as far as they are there, whatever is deleted
    meanwhile; of deltas and notices none may be missing.

    Parameters
    ----------
    consumer
        The member of the group; the partition is held meanwhile.
    at
        Topic and partition of the deltas.
    snapshot
        Folder of the snapshot.
    set_aside
        Publishes notices that cannot be read.

    Raises
    ------
    StateError
        If the deltas are not those of the snapshot, or one is missing; or a notice.
    """
    yield 0.0
    start = read_snapshot(snapshot, detector, topic=at.topic)
    latest: dict[bytes, AnyAlert] = {}
    for record, _ in read_in_steps(settings, topic_name(settings, "signals")):
        if record is not None:
            latest[record.key] = decode_alert(record.value)
        yield 0.0
    committed = committed_offset(consumer, at)
    end = consumer.end_offsets([at])[at]
    if max(start, committed or 0) > end or (committed is not None and start > committed):
        msg = (
            f"snapshot {snapshot}: must not be ahead of {at.topic}, which ends at {end} and is "
            f"published up to {committed}; got {start}: it belongs to another broker or the "
            "topic was made anew. Move it away, or use another topic_prefix"
        )
        raise StateError(msg)
    following = yield from _replay(
        settings, consumer, at, detector, start, committed, latest.values()
    )
    detector.restore_signals(one for one in latest.values() if isinstance(one, Alert))
    detector.watch.restore(one for one in latest.values() if isinstance(one, SafetyAlert))
    for record in read_to_end(settings, topic_name(settings, "priors")):
        detector.restore_prior(PriorRefit.model_validate_json(record.value))
    detector.settle()
    notices = NoticeReader(settings, detector.watch, set_aside)
    try:
        yield from notices.restore(latest.values())
    except BaseException:
        notices.close()
        raise
    return Restored(detector, notices, following, len(latest), committed is None)


def _replay(
    settings: Settings,
    consumer: Any,
    at: TopicPartition,
    detector: Detector,
    start: int,
    committed: int | None,
    latest: Iterable[AnyAlert],
) -> Generator[float, None, int]:
    """Count the deltas from `start` whose alerts are published; return the offset after.

    Raises
    ------
    StateError
        If deltas are deleted, before or while they are read.
    """
    if committed == start:
        return start
    # A group that was away for a week has lost its offsets; then the alerts say how far it was.
    seen: dict[int, int] = {}
    for alert in latest:
        for one in alert.as_of:
            if one.topic != detector.topic:
                continue  # notices are read from their first one on
            seen[one.partition] = max(seen.get(one.partition, 0), one.next_offset)
    following = start
    with requiring(partial(_require_from, consumer, at, start)):
        for record, part in read_in_steps(settings, at.topic, start=start):
            if record is not None:
                if committed is not None and record.offset >= committed:
                    return committed
                delta = decode_delta(record.value)
                if committed is None and delta.next_offset > seen.get(delta.partition, 0):
                    return following
                apply_deltas(detector, at, [delta])
                following = record.offset + 1
            yield part
    return following if committed is None else committed


def _require_from(consumer: Any, at: TopicPartition, start: int) -> None:
    if consumer.beginning_offsets([at])[at] > start:
        raise deltas_deleted(at)
