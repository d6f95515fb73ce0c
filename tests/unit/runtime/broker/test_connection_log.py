"""What is written while a broker is away: a line at the beginning, one a minute, one at the end."""

import logging
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from streams.runtime.broker.connection_log import ConnectionLog
from streams.runtime.observability.health import HealthServer, serving
from streams.runtime.observability.metrics import Metrics
from streams.runtime.observability.readiness import Phase, Readiness
from tests.support.clock import Clock
from tests.support.http import get_json

REFUSED = "Connection failed: [Errno 111] Connection refused"


class Connection:
    """As far as a filter looks at one of the client's."""

    def __init__(self) -> None:
        self.connected = False

    def __str__(self) -> str:
        return "<KafkaConnection node_id=1>"


class Log(logging.Handler):
    """What is written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class Client:
    """Says what kafka-python says."""

    def __init__(self, connections: ConnectionLog) -> None:
        self.connections = connections
        self.connection = Connection()

    def connects(self) -> None:
        self.connection.connected = True
        logging.getLogger("kafka.net.connection").info("%s: Connected", self.connection)

    def loses(self) -> None:
        # While it is noticed, it still seems connected.
        logging.getLogger("kafka.net.transport").error("socket disconnected")
        self.connection.connected = False
        logging.getLogger("kafka.net.connection").error(
            "%s: Connection lost: %s", self.connection, "socket disconnected"
        )

    def fails(self) -> None:
        logging.getLogger("kafka.net.manager").error("Connection failed: %s", REFUSED[19:])

    def complains(self) -> None:
        logging.getLogger("kafka.coordinator").warning("Marking the coordinator dead")


@pytest.fixture
def connections(clock: Clock) -> ConnectionLog:
    return ConnectionLog(clock)


@pytest.fixture
def log(connections: ConnectionLog) -> Iterator[Log]:
    handler = Log()
    handler.addFilter(connections)
    logging.getLogger().addHandler(handler)
    with connections.capturing():
        yield handler
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def client(connections: ConnectionLog, log: Log) -> Client:
    client = Client(connections)
    client.connects()
    connections.report_warnings()
    return client


def test_an_outage_is_a_line_one_a_minute_and_one_at_its_end(
    client: Client, log: Log, clock: Clock, connections: ConnectionLog
) -> None:
    assert connections.unreachable_reason() is None
    client.loses()
    for _ in range(150):  # seconds
        clock.now += 1
        for _ in range(10):
            client.fails()
        client.complains()
    assert connections.unreachable_reason() == "no broker for 150 s: Marking the coordinator dead"
    client.connects()
    assert connections.unreachable_reason() is None
    assert log.lines == [
        "a connection failed: socket disconnected",
        "no broker is reached: <KafkaConnection node_id=1>: Connection lost: socket disconnected",
        f"no broker is reached for 60 s: {REFUSED} (649 more lines in between)",
        f"no broker is reached for 120 s: {REFUSED} (659 more lines in between)",
        "a broker answers again, after 150 s",
    ]


def test_one_that_comes_and_goes_is_told_no_more_often(
    client: Client, log: Log, clock: Clock
) -> None:
    for _ in range(120):
        clock.now += 1
        client.loses()
        client.fails()
        client.connects()
    minute = ["a connection failed", "no broker is reached", "a broker answers again, after 0 s"]
    assert [line.partition(":")[0] for line in log.lines] == minute * 2


def test_one_of_several_brokers_ends_no_readiness(
    client: Client, log: Log, clock: Clock, connections: ConnectionLog
) -> None:
    for _ in range(61):
        client.fails()
        clock.now += 1
    assert connections.unreachable_reason() is None
    assert log.lines == [
        f"a connection failed: {REFUSED}",
        f"a connection failed: {REFUSED} (59 more lines in between)",
    ]
    client.connects()
    assert len(log.lines) == 2, "it was never gone"


def test_what_else_the_client_says_is_written_as_it_was(
    client: Client, log: Log, connections: ConnectionLog
) -> None:
    for _ in range(3):
        client.complains()
    logging.getLogger("kafka.net.connection").info("%s: Connection closed", client.connection)
    logging.getLogger("streams.runtime.somewhere").warning("ours")
    assert log.lines == ["Marking the coordinator dead"] * 3 + ["ours"]


def test_nothing_of_it_is_written_before_the_clients_are_connected(
    connections: ConnectionLog, log: Log
) -> None:
    client = Client(connections)
    client.fails()
    client.connects()
    assert log.lines == []
    before = logging.getLogger("kafka.net.connection").level
    with ConnectionLog().capturing():
        assert logging.getLogger("kafka.net.connection").level == logging.INFO
    assert logging.getLogger("kafka.net.connection").level == before


def test_a_process_that_reaches_no_broker_is_not_ready(
    client: Client, connections: ConnectionLog, clock: Clock
) -> None:
    health = HealthServer(["cases"], unreachable_reason=connections.unreachable_reason)
    health.stage_status("cases", Readiness(Phase.ACTIVE), {})
    stages = {"cases": {"status": "active"}}
    with serving(("127.0.0.1", 0), Metrics().registry, health) as (host, port):
        asking = HTTPConnection(host, port, timeout=10)
        assert get_json(asking, "/health/ready") == (200, {"status": "ready", "stages": stages})
        client.loses()
        clock.now += 7
        client.fails()
        why = f"no broker for 7 s: {REFUSED}"
        told = {"status": "disconnected", "why": why, "stages": stages}
        assert get_json(asking, "/health/ready") == (503, told)
        client.connects()
        assert get_json(asking, "/health/ready")[0] == 200
        asking.close()
