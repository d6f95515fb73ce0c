"""A topic reader that reconnects when brokers restart."""

from collections.abc import Iterator
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from schemas.errors import BrokerError
from streams.runtime.broker.clients import make_consumer
from streams.runtime.broker.topic_reader import close_consumer, end_offsets
from streams.runtime.settings import Settings

__all__ = ["Following"]

ATTEMPTS = 8


class Following:
    """Reads what is committed on a topic, each time from where it stopped.

    The checks need every record: where one was deleted before it was read, the last attempt raises.

    Parameters
    ----------
    settings
        How to reach the brokers.
    name
        The topic, without its prefix.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        self._topic = f"{settings.topic_prefix}{name}"
        self._consumer: Any = None
        self._next: dict[TopicPartition, int] = {}

    def ends(self) -> dict[int, int]:
        """Return the end of every partition, now: where the first open transaction begins."""
        return self._trying(lambda: end_offsets(self._connected(), self._topic))

    def rest(self) -> Iterator[Any]:
        """Yield the records up to the current end."""
        ends = self.ends()
        while any(self._next[at] < ends[at.partition] for at in self._next):
            yield from self._trying(self._poll)

    def close(self) -> None:
        if self._consumer is not None:
            close_consumer(self._consumer)
        self._consumer = None

    def _poll(self) -> list[Any]:
        consumer = self._connected()
        found = [record for polled in consumer.poll(200).values() for record in polled]
        # A position passes the markers of transactions, which are no records, as well.
        self._next = {at: consumer.position(at) for at in self._next}
        return found

    def _connected(self) -> Any:
        if self._consumer is None:
            consumer = make_consumer(self._settings, auto_offset_reset="none")
            self._consumer = consumer
            for number in end_offsets(consumer, self._topic):
                self._next.setdefault(TopicPartition(self._topic, number), 0)
            consumer.assign(list(self._next))
            for at, offset in self._next.items():
                consumer.seek(at, offset)
        return self._consumer

    def _trying(self, call: Any) -> Any:
        for last in [False] * (ATTEMPTS - 1) + [True]:
            try:
                return call()
            except (KafkaError, BrokerError):
                self.close()
                if last:
                    raise
        raise AssertionError
