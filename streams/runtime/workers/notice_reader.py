"""Consumes `pv.notices`: from the first one at every start, then as they are published.

The state of a subject follows from the set of its notices, so no offset is stored: order, repeats
and a second reading change nothing. Nothing may be evaluated before the current end is reached: an
alert that was computed from an unread notice would be retracted. For the same reason no notice may
be skipped: the reader stops if one was deleted before it was read.
"""

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from schemas.alert import InputOffset
from schemas.errors import IcsrError, RejectCode, StateError
from schemas.notice import Notice
from schemas.rejected import Rejected
from streams.core.safety.monitor import SafetyMonitor
from streams.intake.notices import decode_notice
from streams.runtime.broker.clients import TopicPartition, make_consumer
from streams.runtime.broker.errors import PositionOutOfRange, broker_errors
from streams.runtime.broker.topic_reader import close_consumer, end_offsets, read_in_steps
from streams.runtime.broker.topics import topic_name
from streams.runtime.embedded.case_stage import Incoming, reject
from streams.runtime.settings import Settings
from streams.runtime.wire.alerts import AnyAlert
from streams.runtime.wire.batches import Batch, Unreadable

__all__ = ["NoticeReader", "read_notice"]

_POLL_MS = 500  # of a poll while the notices are restored
_EPOCH = date(1970, 1, 1)
_NOTHING = "value: must be a notice; got nothing. What was said is answered, not deleted"
_IN_THE_FUTURE = "received: must not lie in the future"


def read_notice(value: bytes | None, horizon: date) -> Notice:
    """Read the notice of a record.

    Parameters
    ----------
    horizon
        The latest day a notice can have been received on. A later one is refused: it would advance
        the evaluation date, and every answer would be overdue.

    Raises
    ------
    IcsrError
        If it is invalid; the message says why, and quotes nothing.
    """
    if isinstance(value, Unreadable):
        raise IcsrError(value.reason, RejectCode.COMPRESSION)
    if not value:
        raise IcsrError(_NOTHING, RejectCode.EMPTY)
    notice = decode_notice(value)
    if notice.received > horizon:
        raise IcsrError(_IN_THE_FUTURE, RejectCode.FUTURE_DATE)
    return notice


class NoticeReader:
    """Consumes every partition of `pv.notices` for the `SafetyMonitor` of one detector.

    Parameters
    ----------
    monitor
        Receives the notices.
    set_aside
        Publishes the notices of a poll that cannot be read, in one transaction.

    Attributes
    ----------
    latest
        Latest day a notice was received [days since 1970-01-01]; -1 without any.
    unevaluated
        Number of notices received since the last evaluation.
    last
        The record of the last notice, as a batch of one.
    polled_at
        Monotonic time when the last notice was polled [s].
    """

    def __init__(
        self,
        settings: Settings,
        monitor: SafetyMonitor,
        set_aside: Callable[[Sequence[Rejected]], None],
    ) -> None:
        self._settings = settings
        self._monitor = monitor
        self._set_aside = set_aside
        self._topic = topic_name(settings, "notices")
        self._next_offsets: dict[int, int] = {}  # by partition
        self._needed: dict[int, int] = {}  # next offset after the notices in alerts, by partition
        self._rejected: frozenset[tuple[bytes, bytes]] = frozenset()  # source and position
        self.latest = -1
        self.unevaluated = 0
        self.last: Batch | None = None
        self.polled_at = time.monotonic()
        self._consumer: Any = make_consumer(settings, auto_offset_reset="none")

    def restore(self, published: Iterable[AnyAlert]) -> Generator[float, None, None]:
        """Read up to the present end; yield the fraction that is done.

        Raises
        ------
        StateError
            If notices of published alerts have been deleted, or any while they are read. Restore
            the topic.
        """
        for alert in published:
            for read in alert.as_of:
                if read.topic == self._topic:
                    needed = max(self._needed.get(read.partition, 0), read.next_offset)
                    self._needed[read.partition] = needed
        ends = self._require_all()
        if total := sum(ends.values()):
            self._rejected = yield from _rejects(self._settings, self._topic)
        self._assign(ends)
        while lag := sum(self._lags(ends)):
            yield 1 - lag / total
            self._receive(_POLL_MS)

    def poll(self) -> None:
        """Receive the notices there are, without waiting for more.

        Raises
        ------
        StateError
            If notices were deleted before they were read. Restore the topic.
        """
        self._receive(0)

    def as_of(self) -> Sequence[InputOffset]:
        """Return the next offset of each partition that has a record."""
        return [
            InputOffset(topic=self._topic, partition=number, next_offset=offset)
            for number, offset in sorted(self._next_offsets.items())
        ]

    def reached(self, ends: dict[int, int]) -> bool:
        """Return whether every notice up to these offsets is read."""
        return not any(self._lags(ends))

    def lags(self) -> dict[int, int | None]:
        """Return the lag of each partition [offsets]; `None` until it is known."""
        consumer = self._consumer
        lags: dict[int, int | None] = {}
        for assigned in consumer.assignment():
            end = consumer.highwater(assigned)
            lag = None if end is None else max(end - consumer.position(assigned), 0)
            lags[assigned.partition] = lag
        return lags

    def close(self) -> None:
        """Disconnect."""
        close_consumer(self._consumer)

    def _require_all(self) -> dict[int, int]:
        """Return the end of each partition; raise unless it has every notice from offset 0 on."""
        with broker_errors(f"read {self._topic}"):
            ends = end_offsets(self._consumer, self._topic)
            partitions = [TopicPartition(self._topic, number) for number in ends]
            firsts = self._consumer.beginning_offsets(partitions)
        for number in sorted(ends.keys() | self._needed.keys()):
            first = firsts.get(TopicPartition(self._topic, number), 0)
            needed = self._needed.get(number, 0)
            if first > 0 or ends.get(number, 0) < needed:
                msg = (
                    f"{self._topic}[{number}]: must hold every notice from offset 0 on, those up "
                    f"to {needed} are in alerts; got {first} to "
                    f"{ends.get(number, 0)}: notices were deleted, or the topic was created again. "
                    "Restore it, or use another topic_prefix"
                )
                raise StateError(msg)
        return ends

    def _assign(self, numbers: Iterable[int]) -> None:
        """Read these partitions as well, from their first record on."""
        assigned = self._consumer.assignment()
        added = {TopicPartition(self._topic, number) for number in numbers} - assigned
        if added:
            self._consumer.assign([*assigned, *added])
            for topic_partition in added:
                self._consumer.seek(topic_partition, 0)

    def _lags(self, ends: dict[int, int]) -> list[int]:
        # Positions, not offsets of records: they pass the markers of transactions, too.
        consumer = self._consumer
        read = {tp.partition: consumer.position(tp) for tp in consumer.assignment()}
        return [max(end - read.get(number, 0), 0) for number, end in ends.items()]

    def _receive(self, timeout_ms: int) -> None:
        try:
            with broker_errors(f"read {self._topic}"):
                polled = self._consumer.poll(timeout_ms=timeout_ms)
                # Partitions may be added: the order of notices does not matter.
                self._assign(self._consumer.partitions_for_topic(self._topic))
        except PositionOutOfRange:
            self._require_all()
            raise
        if not polled:
            return
        rejected: list[Rejected] = []
        horizon = datetime.now(UTC).date() + timedelta(days=1)
        for (topic, number), records in sorted(polled.items()):
            source = f"{topic}[{number}]"
            for record in records:
                self._next_offsets[number] = record.offset + 1
                # A rejected notice stays rejected, even if its date is not in the future any more.
                if (source.encode(), b"%d" % record.offset) in self._rejected:
                    continue
                try:
                    notice = read_notice(record.value, horizon)
                except IcsrError as error:
                    value = record.value or b""
                    message = Incoming(record.offset, value, record.key, record.headers)
                    rejected.append(reject(message, source, str(error), error.code))
                else:
                    self._monitor.apply_notice(notice)
                    self.latest = max(self.latest, (notice.received - _EPOCH).days)
                    self.unevaluated += 1
                    self.last = Batch(topic, number, record.offset, record.offset + 1)
                    self.polled_at = time.monotonic()
        if rejected:
            self._set_aside(rejected)


def _rejects(
    settings: Settings, topic: str
) -> Generator[float, None, frozenset[tuple[bytes, bytes]]]:
    """Return source and position of rejected notices, of rejects that are not deleted."""
    known = set()
    beginning = f"{topic}[".encode()
    for record, _ in read_in_steps(settings, topic_name(settings, "rejected")):
        if record is not None:
            headers = dict(record.headers)
            if headers.get("source", b"").startswith(beginning):
                known.add((headers["source"], headers.get("position", b"")))
        yield 0.0
    return frozenset(known)
