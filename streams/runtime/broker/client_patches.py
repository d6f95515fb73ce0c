"""Errors that kafka-python 3.0.12 knows of and does not raise, or throws away.

- `KafkaProducer.send` returns a future that has failed already where the broker refuses the topic,
  after asking for the topic again: a file of a million lines would be an hour of refusals.
- What arrives together with the end of a connection is discarded. The answer to a wrong password
  does: without it, all that is known is that the socket was disconnected.
"""

from typing import Any

from kafka import KafkaProducer
from kafka.net import KafkaConnectionManager, KafkaNetClient, NetworkSelector

__all__ = ["NetClient", "Producer"]


class Producer(KafkaProducer):  # type: ignore[misc]
    """A `KafkaProducer` whose `send` raises rather than return a failed future."""

    def send(self, *record: Any, **options: Any) -> Any:
        """Send a record as `KafkaProducer.send` does; raise its error if it has failed already."""
        future = super().send(*record, **options)
        if future.failed():
            raise future.exception
        return future


class NetClient(KafkaNetClient):  # type: ignore[misc]
    """A client's connections to the brokers, for the option `kafka_client` of every client."""

    def __init__(self, **configs: Any) -> None:
        # No warning of a slow task: a task also waits for the thread that holds the interpreter.
        net = NetworkSelector(**{**configs, "slow_task_threshold_secs": 0})
        super().__init__(net, _ConnectionManager(net, **configs))


class _ConnectionManager(KafkaConnectionManager):  # type: ignore[misc]
    """Connects with transports that hand over the last bytes before the error."""

    async def _build_transport(self, *arguments: Any, **options: Any) -> Any:
        transport = await super()._build_transport(*arguments, **options)
        receive = transport._sock_recv

        def receive_all() -> tuple[bytes, Exception | None]:
            data, error = receive()
            return (data, None) if data else (data, error)  # the next call meets the error again

        transport._sock_recv = receive_all
        return transport
