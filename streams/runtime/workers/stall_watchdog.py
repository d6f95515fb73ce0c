"""Notices a partition that a consumer holds, that has more to read, and of which nothing comes.

kafka-python has stalled partitions in silence after a rebalance (mended in 3.0.9); such a one would
lag until somebody looks.
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
_LOOK_SECONDS = 5.0  # between two looks, each a question to the brokers
_STALLED_SECONDS = 30.0  # a broker that is restarted is back sooner, and a batch takes less
_ASK_MS = 1_000


@dataclass
class _Seen:
    position: int
    since: float
    strikes: int = 0


class StallWatchdog:
    """Follows the positions of a consumer."""

    def __init__(self) -> None:
        self._seen: dict[TopicPartition, _Seen] = {}
        self._look = 0.0

    def stalled(self, consumer: Any, held: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the partitions that have stalled, with how often they have been found so in a row.

        Parameters
        ----------
        held
            The partitions that should move; those that are paused need not.
        """
        now = time.monotonic()
        if now < self._look:
            return {}
        self._look = now + _LOOK_SECONDS
        waited = set(held) - set(consumer.paused())
        self._seen = {at: seen for at, seen in self._seen.items() if at in waited}
        if not waited:
            return {}
        try:
            ends = consumer.end_offsets(list(waited), timeout_ms=_ASK_MS)
        except KafkaError:
            return {}  # a broker that does not answer has nothing to send either
        found = {}
        for at in waited:
            position: int = consumer.position(at)
            seen = self._seen.get(at)
            if seen is None or position != seen.position or position >= ends[at]:
                self._seen[at] = _Seen(position, now)
            elif now - seen.since > _STALLED_SECONDS:
                seen.since = now
                seen.strikes += 1
                found[at] = seen.strikes
                _LOG.warning(
                    "%s[%d]: nothing comes from offset %d on for %.0f s, though it ends at %d",
                    at.topic,
                    at.partition,
                    position,
                    _STALLED_SECONDS,
                    ends[at],
                )
        return found
