"""A pipeline in one process, any part of which may stop: logs, stages, deltas, a detector."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from detectors.rules import RuleSet
from schemas.alert import Alert
from schemas.delta import Delta
from schemas.release import ReleaseMarker
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.runtime.embedded.case_stage import CaseStage, Incoming, read_batch
from streams.runtime.state.case_store import CaseStore, MemoryStore, RocksStore
from streams.runtime.state.snapshot import read_snapshot, write_snapshot
from streams.runtime.wire.deltas import decode_delta, decode_outgoing
from tests.support.law.checks import (
    snapshot_id_of,
)
from tests.support.law.histories import Arrival
from tests.support.law.recount import (
    ClosedRelease,
    Message,
)

EPOCH = date(1970, 1, 1)
HORIZON = date(2030, 1, 1)


@dataclass
class World:
    """Input logs, case stages, the topic of deltas, and a detector, any of which may stop."""

    folder: Path
    partitions: int
    specs: list[WindowSpec]
    rules: RuleSet
    durable: bool
    logs: list[list[Arrival]] = field(init=False)
    stores: list[CaseStore] = field(init=False)
    topic: list[Delta] = field(default_factory=list)
    published: set[tuple[int, int]] = field(default_factory=set)
    signals: dict[str, Alert] = field(default_factory=dict)
    population: Counter[str] = field(default_factory=Counter)
    today: int = -1

    def __post_init__(self) -> None:
        self.logs = [[] for _ in range(self.partitions)]
        self.stores = [self._open(number) for number in range(self.partitions)]
        self.detector = Detector(self.specs, self.rules)

    def _open(self, number: int) -> CaseStore:
        if not self.durable:
            return MemoryStore()
        return RocksStore(self.folder / f"cases-{number}", f"pv.reports[{number}]")

    def _stage(self, number: int) -> CaseStage:
        return CaseStage(self.stores[number], partition=number, keep_outbox=True)

    def send(self, message: Arrival) -> list[int]:
        """Send a message to the partition of its case, a marker to all; return them."""
        if isinstance(message, ReleaseMarker):
            numbers = list(range(self.partitions))
        else:
            numbers = [self._partition(message.case_id)]
        for number in numbers:
            self.logs[number].append(message)
        return numbers

    def _partition(self, case_id: str) -> int:
        return ord(case_id) % self.partitions

    def messages(self, ends: Mapping[int, int] | None = None) -> list[Message]:
        """Return the messages of all partitions, or those before these offsets."""
        found: list[Message] = []
        for number, log in enumerate(self.logs):
            cases = frozenset(one for one in "ABCDEFGH" if self._partition(one) == number)
            for message in log if ends is None else log[: ends.get(number, 0)]:
                is_marker = isinstance(message, ReleaseMarker)
                found.append(ClosedRelease(message, cases) if is_marker else message)
        return found

    def count(self, number: int, *, lose_acknowledgement: bool = False) -> None:
        """Count what the partition holds beyond the store's own offset, then publish the outbox."""
        start = self.stores[number].next_offset or 0
        messages = [
            Incoming(offset, message.model_dump_json().encode())
            for offset, message in enumerate(self.logs[number][start:], start=start)
        ]
        versions, rejected = read_batch(messages, source="pv.reports", horizon=HORIZON)
        assert not rejected
        end = len(self.logs[number])
        if end == start:
            return
        counted = self._stage(number).count(
            [version for _, version in versions], first_offset=start, next_offset=end
        )
        self.population.update(counted.population)
        assert counted.outgoing == self.stores[number].unpublished()[-1][1]
        self._publish(decode_outgoing(counted.outgoing).delta)
        if not lose_acknowledgement:
            self.stores[number].published(end)

    def reopen(self, number: int) -> None:
        """Stop a case worker and start it again: it publishes again what it cannot be sure of."""
        store = self.stores[number]
        if isinstance(store, RocksStore):
            store.close()
            self.stores[number] = store = self._open(number)
        for end, outgoing, _ in store.unpublished():
            self._publish(decode_outgoing(outgoing).delta)
            store.published(end)

    def _publish(self, raw: bytes) -> None:
        delta = decode_delta(raw)
        place = delta.partition, delta.first_offset
        self.topic.append(delta)
        assert self.detector.apply(delta) is (place not in self.published)
        self.published.add(place)

    def save(self) -> None:
        write_snapshot(
            self.folder / "counts", self.detector, topic="pv.deltas", next_offset=len(self.topic)
        )

    def restart(self, back: int) -> None:
        """Start the detector anew: from the snapshot, and from deltas it already holds."""
        self.detector = Detector(self.specs, self.rules)
        at = read_snapshot(self.folder / "counts", self.detector, topic="pv.deltas")
        self.detector.restore_signals(self.signals.values())
        for delta in self.topic[max(at - back, 0) : at]:
            assert not self.detector.apply(delta)
        for delta in self.topic[at:]:
            self.detector.apply(delta)

    def look(self) -> list[Alert]:
        self.today = max(self.today, self.detector.watermark)
        alerts = self.detector.evaluate(self.today)
        for alert in alerts:
            before = self.signals.get(alert.signal_key)
            assert alert.revision == (before.revision + 1 if before else 1)
            if before is None:
                assert alert.n_new is None
            else:
                assert alert.n_new == len(set(alert.case_ids) - set(before.case_ids))
            assert alert.snapshot_id == snapshot_id_of(alert)
            self.signals[alert.signal_key] = alert
        return alerts

    def close(self) -> None:
        for store in self.stores:
            if isinstance(store, RocksStore):
                store.close()
