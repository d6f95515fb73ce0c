"""The notices, read whole at every start, and followed from there on.

What is known of a subject follows from the set of its notices, so no position is kept: order,
repeats and a second reading change nothing. Nothing may be evaluated before the present end is
reached: an alert that rests on a notice not read yet would be retracted. For the same reason a
notice must not be passed over: where one was deleted before it was read, the reader stops.
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

_POLL_MS = 500  # while nothing else is to be done
_EPOCH = date(1970, 1, 1)
_NOTHING = "value: must be a notice; got nothing. What was said is answered, not deleted"
_IN_THE_FUTURE = "received: must not lie in the future"


def read_notice(value: bytes | None, horizon: date) -> Notice:
    """Read the notice of a record.

    Parameters
    ----------
    horizon
        The latest day a notice can honestly have been received on. A later one is refused: it
        would move the clock for everybody, and every answer would be overdue.

    Raises
    ------
    IcsrError
        If it is none; the message says why, and quotes nothing.
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
    """Every partition of `pv.notices`, into one `SafetyMonitor`; it is as old as its detector.

    Parameters
    ----------
    watch
        Hears the notices.
    set_aside
        Publishes what cannot be read, all of it or nothing; called once a poll.

    Attributes
    ----------
    latest
        Latest day a notice was received [days since 1970-01-01]; -1 without any.
    heard
        Number of notices that no evaluation has taken in.
    last
        The record of the last notice, as a batch of one.
    polled_at
        When a poll last brought one, on a clock that only rises [s].
    """

    def __init__(
        self,
        settings: Settings,
        watch: SafetyMonitor,
        set_aside: Callable[[Sequence[Rejected]], None],
    ) -> None:
        self._settings = settings
        self._watch = watch
        self._set_aside = set_aside
        self._topic = topic_name(settings, "notices")
        self._next: dict[int, int] = {}  # by partition, behind the last record
        self._needed: dict[int, int] = {}  # by partition, behind the last one in an alert
        self._known: frozenset[tuple[bytes, bytes]] = frozenset()  # rejects, by source and place
        self.latest = -1
        self.heard = 0
        self.last: Batch | None = None
        self.polled_at = time.monotonic()
        self._consumer: Any = make_consumer(settings, auto_offset_reset="none")

    def restore(self, published: Iterable[AnyAlert]) -> Generator[float, None, None]:
        """Read up to the present end; yield the part that is done.

        Raises
        ------
        StateError
            If notices are gone that alerts rest on, or go while they are read. Restore the topic.
        """
        for alert in published:
            for at in alert.as_of:
                if at.topic == self._topic:
                    needed = max(self._needed.get(at.partition, 0), at.next_offset)
                    self._needed[at.partition] = needed
        ends = self._require_all()
        if total := sum(ends.values()):
            self._known = yield from _rejects(self._settings, self._topic)
        self._follow(ends)
        while left := sum(self._left(ends)):
            yield 1 - left / total
            self._take(_POLL_MS)

    def poll(self) -> None:
        """Take what has come, without waiting for more.

        Raises
        ------
        StateError
            If notices were deleted before they were read. Restore the topic.
        """
        self._take(0)

    def as_of(self) -> Sequence[InputOffset]:
        """Return how far each partition is read that has a record."""
        return [
            InputOffset(topic=self._topic, partition=number, next_offset=offset)
            for number, offset in sorted(self._next.items())
        ]

    def reached(self, ends: dict[int, int]) -> bool:
        """Whether everything up to these offsets is read."""
        return not any(self._left(ends))

    def lags(self) -> dict[int, int | None]:
        """Return the offsets to read of each partition; `None` until it is known."""
        lags: dict[int, int | None] = {}
        for at in self._consumer.assignment():
            end = self._consumer.highwater(at)
            lags[at.partition] = None if end is None else max(end - self._consumer.position(at), 0)
        return lags

    def close(self) -> None:
        """Disconnect."""
        close_consumer(self._consumer)

    def _require_all(self) -> dict[int, int]:
        """Return where each partition ends; raise unless it holds every notice from offset 0 on."""
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
                    f"{ends.get(number, 0)}: notices were deleted, or the topic was made anew. "
                    "Restore it, or use another topic_prefix"
                )
                raise StateError(msg)
        return ends

    def _follow(self, numbers: Iterable[int]) -> None:
        """Read these partitions as well, from their first record on."""
        held = self._consumer.assignment()
        fresh = {TopicPartition(self._topic, number) for number in numbers} - held
        if fresh:
            self._consumer.assign([*held, *fresh])
            for at in fresh:
                self._consumer.seek(at, 0)

    def _left(self, ends: dict[int, int]) -> list[int]:
        # A position passes the markers of transactions, which are no records, as well.
        read = {at.partition: self._consumer.position(at) for at in self._consumer.assignment()}
        return [max(end - read.get(number, 0), 0) for number, end in ends.items()]

    def _take(self, timeout_ms: int) -> None:
        try:
            with broker_errors(f"read {self._topic}"):
                polled = self._consumer.poll(timeout_ms=timeout_ms)
                # Partitions may be added: there is no order between notices to be lost by it.
                self._follow(self._consumer.partitions_for_topic(self._topic))
        except PositionOutOfRange:
            self._require_all()
            raise
        if not polled:
            return
        rejected: list[Rejected] = []
        horizon = datetime.now(UTC).date() + timedelta(days=1)
        for at, records in sorted(polled.items()):
            source = f"{at.topic}[{at.partition}]"
            for record in records:
                self._next[at.partition] = record.offset + 1
                # What was rejected stays so: a date may lie in the future no longer.
                if (source.encode(), b"%d" % record.offset) in self._known:
                    continue
                try:
                    notice = read_notice(record.value, horizon)
                except IcsrError as error:
                    value = record.value or b""
                    message = Incoming(record.offset, value, record.key, record.headers)
                    rejected.append(reject(message, source, str(error), error.code))
                else:
                    self._watch.hear(notice)
                    self.latest = max(self.latest, (notice.received - _EPOCH).days)
                    self.heard += 1
                    self.last = Batch(at.topic, at.partition, record.offset, record.offset + 1)
                    self.polled_at = time.monotonic()
        if rejected:
            self._set_aside(rejected)


def _rejects(
    settings: Settings, topic: str
) -> Generator[float, None, frozenset[tuple[bytes, bytes]]]:
    """Return source and position of rejected notices, of rejects that are still there."""
    known = set()
    beginning = f"{topic}[".encode()
    for record, _ in read_in_steps(settings, topic_name(settings, "rejected")):
        if record is not None:
            headers = dict(record.headers)
            if headers.get("source", b"").startswith(beginning):
                known.add((headers["source"], headers.get("position", b"")))
        yield 0.0
    return frozenset(known)
