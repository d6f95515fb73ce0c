"""A Kafka of several brokers, each also a controller, whose clients pass through other ports.

Every record is on three machines and counts once two have it, as in an installation that may lose
one. The brokers advertise addresses of a proxy to clients, which can cut their connections; the
brokers themselves, and the checks of the topics, use a listener behind it.
"""

import base64
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.broker.support.kafka_jars import kafka_jars
from tests.broker.support.kafka_server import KafkaServer, PortTaken, free_ports

__all__ = ["ClusterNode", "running_cluster"]

HEAP = "320m"  # three of them stand beside the workers

# For machines that are busy: three brokers and the workers share a few cores.
PROPERTIES = {
    "broker.session.timeout.ms": "6000",
    "broker.heartbeat.interval.ms": "1000",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": str(8 << 20),
    "queued.max.requests": "100",
}


class ClusterNode(KafkaServer):
    """One broker and controller of several.

    Parameters
    ----------
    jars
        Folder of jars, as `kafka_jars` returns it.
    number
        Its id, from 1.
    controllers
        Port of every node's controller, in order of their numbers.
    cluster_id
        The same for all.
    """

    def __init__(self, jars: Path, number: int, controllers: list[int], cluster_id: str) -> None:
        super().__init__(jars, heap=HEAP)
        self.number = number
        self._controllers = controllers
        self._cluster_id = cluster_id
        self.behind, self.front = free_ports(2)
        """Ports of the listener for clients, and the port advertised to them."""

    @property
    def runs(self) -> bool:
        """Return whether the process runs, ready or not."""
        return self._process is not None and self._process.poll() is None

    def properties(self) -> dict[str, str]:
        """Return the server's configuration."""
        addresses = [f"127.0.0.1:{port}" for port in self._controllers]
        voters = (f"{number}@{at}" for number, at in enumerate(addresses, 1))
        copies = str(min(3, len(self._controllers)))
        in_step = str(min(2, len(self._controllers)))
        return {
            **super().properties(),
            "node.id": str(self.number),
            "controller.quorum.voters": ",".join(voters),
            "listeners": (
                f"INSIDE://{self.bootstrap},CONTROLLER://{addresses[self.number - 1]},"
                f"CLIENT://127.0.0.1:{self.behind}"
            ),
            "advertised.listeners": (f"INSIDE://{self.bootstrap},CLIENT://127.0.0.1:{self.front}"),
            "listener.security.protocol.map": (
                "INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT,CLIENT:PLAINTEXT"
            ),
            "inter.broker.listener.name": "INSIDE",
            **PROPERTIES,
            "min.insync.replicas": in_step,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_step,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": in_step,
        }

    def end(self) -> None:
        """End the process in order; the folder stays for `restart`."""
        self._end(signal.SIGTERM)

    def _cluster(self) -> str:
        return self._cluster_id


@contextmanager
def running_cluster(size: int) -> Iterator[list[ClusterNode]]:
    """Run so many nodes; yield them once all answer.

    Raises
    ------
    NoBroker
        There is no Java, or no Maven to fetch Kafka with.
    """
    jars = kafka_jars()
    for last in (False, False, True):
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        controllers = free_ports(size)
        nodes = [ClusterNode(jars, at + 1, controllers, cluster_id) for at in range(size)]
        try:
            for node in nodes:
                node.launch()
            for node in nodes:
                node.wait_until_ready()
        except PortTaken:
            _stop(nodes)
            if last:
                raise
        except BaseException:
            _stop(nodes)
            raise
        else:
            break
    try:
        yield nodes
    finally:
        _stop(nodes)


def _stop(nodes: list[ClusterNode]) -> None:
    for node in nodes:
        node.stop()
