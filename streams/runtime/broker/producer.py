"""A producer that raises an error of a record where it is sent, if it is known by then.

kafka-python 3.0.12 returns a future that has failed already where the broker refuses the topic,
after asking for the topic again: a file of a million lines would be an hour of refusals.
"""

from typing import Any

from kafka import KafkaProducer

__all__ = ["Producer"]


class Producer(KafkaProducer):  # type: ignore[misc]
    """A `KafkaProducer` whose `send` raises rather than return a failed future."""

    def send(self, *record: Any, **more: Any) -> Any:
        """Send a record as `KafkaProducer.send` does; raise its error if it has failed already."""
        future = super().send(*record, **more)
        if future.failed():
            raise future.exception
        return future
