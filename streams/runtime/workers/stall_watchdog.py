"""Detects assigned partitions that stall: their position stays, although there are more records.

kafka-python has silently stalled partitions after a rebalance (fixed in 3.0.9). Such a partition
would lag until an operator notices.
"""

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from streams.runtime.broker.clients import TopicPartition
from streams.runtime.broker.errors import KafkaError

__all__ = ["StallWatchdog"]

_LOG = logging.getLogger(__name__)
_CHECK_SECONDS = 5.0  # between two checks, each a request to the brokers
_STALLED_SECONDS = 30.0  # a broker restarts in less, and a batch takes less
_REQUEST_MS = 1_000


@dataclass
class _Position:
    offset: int
    since: float
    stalls: int = 0


class StallWatchdog:
    """Compares the positions of a consumer with those before, and with the end offsets."""

    def __init__(self) -> None:
        self._positions: dict[TopicPartition, _Position] = {}
        self._due = 0.0

    def stalled(
        self, consumer: Any, reading: Collection[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """Return the stalled partitions, each with the number of its stalls at one position.

        Parameters
        ----------
        reading
            The partitions that should make progress, unless they are paused.
        """
        now = time.monotonic()
        if now < self._due:
            return {}
        self._due = now + _CHECK_SECONDS
        watched = set(reading) - set(consumer.paused())
        self._positions = {
            partition: last for partition, last in self._positions.items() if partition in watched
        }
        if not watched:
            return {}
        try:
            ends = consumer.end_offsets(list(watched), timeout_ms=_REQUEST_MS)
        except KafkaError:
            return {}  # a broker that does not answer has no records to send either
        stalled = {}
        for partition in watched:
            offset: int = consumer.position(partition)
            last = self._positions.get(partition)
            if last is None or offset != last.offset or offset >= ends[partition]:
                self._positions[partition] = _Position(offset, now)
            elif now - last.since > _STALLED_SECONDS:
                last.since = now
                last.stalls += 1
                stalled[partition] = last.stalls
                _LOG.warning(
                    "%s[%d]: no record from offset %d on for %.0f s, though it ends at %d",
                    partition.topic,
                    partition.partition,
                    offset,
                    _STALLED_SECONDS,
                    ends[partition],
                )
        return stalled
