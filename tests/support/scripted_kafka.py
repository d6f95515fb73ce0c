"""Topics in memory whose start moves at a chosen step of a read, and a consumer of them.

The consumer does what kafka-python 3.0.12 does with `auto_offset_reset` 'none': what was fetched
before a deletion is still handed out; then `poll` raises of one partition, after the records of
those before it, until another position is sought. `tests/broker/test_deleted_records.py` has the
same of a real broker.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import OffsetOutOfRangeError

_FETCHED, _POLLED = 4, 2  # most records of a partition in one answer, and from one poll


class ScriptedTopics:
    """The partitions of topics, and what happens to them before a call of a consumer."""

    def __init__(self) -> None:
        self.records: dict[TopicPartition, list[Any]] = {}
        self.firsts: dict[TopicPartition, int] = defaultdict(int)
        self.ends: dict[TopicPartition, int] = defaultdict(int)
        self.committed: dict[TopicPartition, int] = {}
        self.calls: Counter[str] = Counter()
        self._steps: dict[tuple[str, int], Callable[[], object]] = {}

    def add(
        self,
        at: TopicPartition,
        values: Iterable[bytes | None] = (),
        *,
        key: bytes | None = None,
        headers: Iterable[tuple[str, bytes]] = (),
        markers: int = 0,
    ) -> int:
        """Append records, then so many markers of transactions; return the offset before them."""
        start = self.ends[at]
        log = self.records.setdefault(at, [])
        for value in values:
            log.append(
                SimpleNamespace(
                    topic=at.topic,
                    partition=at.partition,
                    offset=self.ends[at],
                    key=key,
                    value=value,
                    headers=list(headers),
                    timestamp=1_700_000_000_000,
                )
            )
            self.ends[at] += 1
        self.ends[at] += markers
        return start

    def delete_before(self, at: TopicPartition, first: int) -> None:
        """Delete records, as retention or DeleteRecords do."""
        self.records[at] = [record for record in self.records[at] if record.offset >= first]
        self.firsts[at] = first
        self.ends[at] = max(self.ends[at], first)

    def create_again(self, at: TopicPartition) -> None:
        """Delete the topic and create it again, empty."""
        self.records[at], self.firsts[at], self.ends[at] = [], 0, 0

    def before(self, method: str, number: int, do: Callable[[], object]) -> None:
        """Do something before the call of that number, from 1, of a consumer's method."""
        self._steps[method, number] = do

    def called(self, method: str) -> None:
        """Count a call, and do what was to be done before it."""
        self.calls[method] += 1
        if do := self._steps.get((method, self.calls[method])):
            do()

    def serve(self, monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
        """Have modules make consumers of these topics."""
        for module in modules:
            monkeypatch.setattr(module, "make_consumer", self.consumer)

    def consumer(self, *arguments: object, **options: object) -> "ScriptedConsumer":
        return ScriptedConsumer(self)


class ScriptedConsumer:
    """Reads partitions that are assigned by hand; the arguments are those of `KafkaConsumer`."""

    def __init__(self, topics: ScriptedTopics) -> None:
        self._topics = topics
        self._positions: dict[TopicPartition, int] = {}
        self._fetched: dict[TopicPartition, list[Any]] = {}
        self._paused: set[TopicPartition] = set()
        self._late: tuple[TopicPartition, int, Exception] | None = None

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        self._topics.called("partitions_for_topic")
        return {at.partition for at in self._topics.records if at.topic == topic} or None

    def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        self._topics.called("beginning_offsets")
        return {at: self._topics.firsts[at] for at in partitions}

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        self._topics.called("end_offsets")
        return {at: self._topics.ends[at] for at in partitions}

    def committed(self, at: TopicPartition, timeout_ms: int | None = None) -> int | None:
        return self._topics.committed.get(at)

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        self._topics.called("assign")
        kept = set(partitions)
        self._positions = {at: self._positions.get(at, -1) for at in sorted(kept)}
        self._fetched = {at: some for at, some in self._fetched.items() if at in kept}

    def assignment(self) -> set[TopicPartition]:
        return set(self._positions)

    def seek(self, at: TopicPartition, offset: int) -> None:
        self._topics.called("seek")
        assert at in self._positions
        assert offset >= 0
        self._positions[at] = offset
        self._fetched.pop(at, None)

    def position(self, at: TopicPartition) -> int:
        return self._positions[at]

    def highwater(self, at: TopicPartition) -> int:
        return self._topics.ends[at]

    def pause(self, *partitions: TopicPartition) -> None:
        self._paused |= set(partitions)

    def poll(self, timeout_ms: int = 0) -> dict[TopicPartition, list[Any]]:
        self._topics.called("poll")
        late, self._late = self._late, None
        if late is not None and self._positions.get(late[0]) == late[1]:
            raise late[2]
        polled: dict[TopicPartition, list[Any]] = {}
        for at in self._positions:
            if at in self._paused:
                continue
            if not self._fetched.get(at):
                position = self._positions[at]
                if not self._topics.firsts[at] <= position <= self._topics.ends[at]:
                    error = OffsetOutOfRangeError({at: position})
                    if not polled:
                        raise error
                    self._late = at, position, error
                    break
                there = [record for record in self._topics.records[at] if record.offset >= position]
                self._fetched[at] = there[:_FETCHED]
            taken = self._fetched[at][:_POLLED]
            del self._fetched[at][:_POLLED]
            if taken:
                polled[at] = taken
                self._positions[at] = taken[-1].offset + 1
            if not self._fetched[at] and not any(
                record.offset >= self._positions[at] for record in self._topics.records[at]
            ):
                self._positions[at] = max(self._positions[at], self._topics.ends[at])
        return polled

    def close(self) -> None:
        self._positions = {}
