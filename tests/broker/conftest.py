"""Fixtures of the broker tests: without any broker they skip loudly, in CI they fail."""

import gc
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from kafka import KafkaAdminClient

from streams.runtime.broker.topics import create_topics
from streams.runtime.settings import Settings
from tests.broker.support.absence import NO_BROKER, without_broker
from tests.broker.support.kafka_jars import kafka_jars
from tests.broker.support.kafka_server import KafkaServer, NoBroker, running_kafka, start_server


@pytest.fixture(scope="session")
def broker(pytestconfig: pytest.Config) -> Iterator[str]:
    """Address of a real Kafka that lasts for the whole run."""
    running = running_kafka()
    try:
        bootstrap = running.__enter__()
    except NoBroker as why:
        without_broker(pytestconfig, why)
    try:
        yield bootstrap
    finally:
        running.__exit__(None, None, None)


@pytest.fixture
def killable(pytestconfig: pytest.Config) -> Iterator[KafkaServer]:
    """Broker for one test, which may kill and restart it."""
    try:
        jars = kafka_jars()
    except NoBroker as why:
        without_broker(pytestconfig, why)
    server = start_server(jars, brief=True)
    yield server
    server.stop()


@pytest.fixture
def topic_prefix(broker: str) -> Iterator[str]:
    """A prefix that no other test uses; its topics are removed from a shared broker afterwards."""
    prefix = f"t{uuid4().hex[:12]}."
    yield prefix
    if os.environ.get("TOCSIN_KAFKA"):
        with closing(KafkaAdminClient(bootstrap_servers=broker)) as admin:
            mine = [name for name in admin.list_topics() if name.startswith(prefix)]
            if mine:
                admin.delete_topics(mine)


@pytest.fixture
def settings(broker: str, topic_prefix: str) -> Settings:
    host = broker.rpartition(":")[0]
    return Settings.load(
        bootstrap=broker, topic_prefix=topic_prefix, partitions=2, allow_plaintext_to=host
    )


@pytest.fixture
def topics(settings: Settings) -> Settings:
    create_topics(settings)
    return settings


@pytest.fixture
def one_partition(settings: Settings, tmp_path: Path) -> Settings:
    """Settings of topics with one partition, and a state directory."""
    chosen = {"partitions": 1, "state_dir": tmp_path / "state", "session_timeout_ms": 6_000}
    settings = settings.model_copy(update=chosen)
    create_topics(settings)
    return settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # kafka-python 3.0.12 leaves the socket of a refused connection to the garbage collector.
    folder = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(folder):
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning"))


@pytest.fixture(autouse=True)
def _collect_the_sockets() -> Iterator[None]:
    yield
    gc.collect()  # folder, where it may warn, and not in another folder's test


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    why = terminalreporter.config.stash.get(NO_BROKER, None)
    if why is not None:
        terminalreporter.section("THE BROKER TESTS DID NOT RUN", red=True, bold=True)
        terminalreporter.line(f"No Kafka: {why}. Delivery guarantees are unproven by this run.")
