"""Patches of kafka-python 3.0.12: raise errors that it returns late or discards.

- `KafkaProducer.send` requests metadata again and returns a failed future if the broker refuses
  the topic: a file of a million lines would take an hour to fail.
- Bytes that arrive together with the end of a connection are discarded. The broker's response to a
  wrong password is among them: without it, the only error is that the socket was disconnected.
"""

from typing import Any

from kafka import KafkaProducer
from kafka.net import KafkaConnectionManager, KafkaNetClient, NetworkSelector

__all__ = ["NetClient", "Producer"]


class Producer(KafkaProducer):  # type: ignore[misc]
    """A `KafkaProducer` whose `send` raises rather than return a failed future."""

    def send(self, *record: Any, **options: Any) -> Any:
        """Send a record like `KafkaProducer.send`; raise the error of a failed future at once."""
        future = super().send(*record, **options)
        if future.failed():
            raise future.exception
        return future


class NetClient(KafkaNetClient):  # type: ignore[misc]
    """Network client with the patches, for the option `kafka_client` of every Kafka client."""

    def __init__(self, **configs: Any) -> None:
        # Disable warnings about slow tasks: a task is slow too if it waits for the GIL.
        net = NetworkSelector(**{**configs, "slow_task_threshold_secs": 0})
        super().__init__(net, _ConnectionManager(net, **configs))


class _ConnectionManager(KafkaConnectionManager):  # type: ignore[misc]
    """Connection manager whose transports deliver the last bytes before the error."""

    async def _build_transport(self, *arguments: Any, **options: Any) -> Any:
        transport = await super()._build_transport(*arguments, **options)
        receive = transport._sock_recv

        def receive_all() -> tuple[bytes, Exception | None]:
            data, error = receive()
            return (data, None) if data else (data, error)  # the next call returns the error

        transport._sock_recv = receive_all
        return transport
