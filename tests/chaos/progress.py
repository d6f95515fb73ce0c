"""Progress of the workers, read from the deltas and the committed offsets of their groups."""

import threading
import time
from bisect import bisect_left
from contextlib import suppress
from typing import Any

import msgspec
from kafka import TopicPartition
from kafka.errors import KafkaError

from schemas.errors import TocsinError
from streams.runtime.broker.clients import make_admin
from streams.runtime.settings import Settings
from tests.chaos.faults import Fault
from tests.chaos.following import Following

__all__ = ["Progress"]


class Progress(threading.Thread):
    """Watches the topics; records when messages sent before a fault are counted and published.

    Parameters
    ----------
    settings
        How to reach the brokers behind the proxy.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="progress", daemon=True)
        self._settings = settings
        self._reports = Following(settings, "reports")
        self._deltas = Following(settings, "deltas")
        # Of each partition, in order: input offset reached, and where that delta stands.
        self._counted: dict[int, list[tuple[int, int]]] = {}
        self._admin: Any = None
        self._waiting: list[tuple[Fault, dict[int, int] | None]] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.sent: dict[int, int] = {}
        self.linked: dict[int, int] = {}  # offset up to which the links are published
        self.evaluated = 0  # offset in the deltas up to which alerts are published
        self.seen_at = 0.0

    def begins(self, fault: Fault) -> None:
        """Watch for the recovery from a fault."""
        with self._lock:
            self._waiting.append((fault, None))

    def drained(self) -> bool:
        """Return whether everything on the topic now is counted and evaluated."""
        asked = time.monotonic()
        while self.seen_at < asked:
            time.sleep(0.1)
        with self._lock:
            return self._reached(self.sent)

    def state(self) -> str:
        with self._lock:
            counted = {at: found[-1][0] for at, found in self._counted.items()}
            behind = {
                at: f"{counted.get(at, 0)} of {end}"
                for at, end in self.sent.items()
                if counted.get(at, 0) < end
            }
            return (
                f"partitions behind {behind}, links of {self.linked}, alerts published up to delta "
                f"{self.evaluated}"
            )

    def stop(self) -> None:
        self._over.set()
        self.join()
        self._reports.close()
        self._deltas.close()
        self._forget_admin()

    def run(self) -> None:
        while not self._over.wait(0.3):
            with suppress(KafkaError, TocsinError):  # a broker is down: soon again
                self._look()

    def _look(self) -> None:
        begun = time.monotonic()
        # First how far links and deltas are: links and re-routed reports published by then are in
        # the ends.
        linked = self._offsets(f"{self._settings.topic_prefix}links")
        for record in self._deltas.rest():
            _, partition, _, next_offset, *_ = msgspec.msgpack.decode(record.value)
            self._counted.setdefault(partition, []).append((next_offset, record.offset))
        sent = self._reports.ends()
        group = f"{self._settings.topic_prefix}detect"
        at = TopicPartition(f"{self._settings.topic_prefix}deltas", 0)
        offsets = self._offsets(group)
        with self._lock:
            self.sent = sent
            self.linked = {one.partition: offset.offset for one, offset in linked.items()}
            self.evaluated = offsets[at].offset if at in offsets else 0
            self.seen_at = begun
            still = []
            for fault, ends in self._waiting:
                ends = ends or (sent if begun > fault.began else None)
                if ends and self._reached(ends):
                    fault.recovered = time.monotonic() - fault.began
                else:
                    still.append((fault, ends))
            self._waiting = still

    def _offsets(self, group: str) -> Any:
        try:
            if self._admin is None:
                self._admin = make_admin(self._settings)
            return self._admin.list_group_offsets(group)[group]
        except KafkaError:
            self._forget_admin()
            raise

    def _forget_admin(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            admin.close()

    def _reached(self, ends: dict[int, int]) -> bool:
        for partition, end in ends.items():
            if self.linked.get(partition, 0) < end:
                return False
            counted = self._counted.get(partition, [])
            first = bisect_left(counted, (end, 0))
            if end and (first == len(counted) or counted[first][1] >= self.evaluated):
                return False
        return True
