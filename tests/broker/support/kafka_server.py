"""A real Apache Kafka for tests and benchmarks: one KRaft node, broker and controller in one JVM.

Where it comes from, first that applies:

1. ``TOCSIN_KAFKA=host:port``: a broker that already runs, used as it is.
2. A working Docker engine: the `apache/kafka` image.
3. Java 17 and Maven: the jars named in `pom.xml` beside this file, kept in the user's cache folder.

Otherwise `running_kafka` raises `NoBroker`, which says what to install.

    >>> from tests.broker.support.kafka_server import running_kafka
    >>> with running_kafka() as bootstrap:          # doctest: +SKIP
    ...     ...
"""

import atexit
import base64
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from tests.broker.support.docker_engine import docker, docker_works, remove_container
from tests.broker.support.kafka_jars import FETCH_SECONDS, NoBroker, java, kafka_jars, kafka_version

__all__ = ["KafkaServer", "NoBroker", "running_kafka", "start_server"]

START_SECONDS = 90  # 4 s on two idle cores; the rest is for a busy CI machine
STOP_SECONDS = 30
TAIL_LINES = 60


class PortTaken(RuntimeError):
    """Somebody bound the port between our choosing it and Kafka's binding it; choose again."""


class KafkaServer:
    """One Kafka process with its own folder: configuration, log and data.

    `kill` and `restart` keep the folder and the ports, so a crashed broker comes back as itself;
    `stop` ends the process and removes the folder.

    Parameters
    ----------
    jars
        Folder of jars, as `kafka_jars` returns it.
    overrides
        Server properties that replace or add to those of `properties`.
    heap
        Largest Java heap.
    brief
        It lives for a test, not for a measurement: what would make it fast later is left undone.
        It starts with 5 s of a processor instead of 7.
    """

    def __init__(
        self,
        jars: Path,
        overrides: Mapping[str, str] | None = None,
        *,
        heap: str = "512m",
        brief: bool = False,
    ) -> None:
        self._jars = jars
        self._heap = heap
        self._brief = brief
        self._overrides = dict(overrides or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._home = Path(tempfile.mkdtemp(prefix="tocsin-kafka-"))
        self._port, self._controller_port = free_ports(2)
        self._formatted = False

    @property
    def bootstrap(self) -> str:
        """Return the address for clients."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Return the id of the Java process; raise if it does not run."""
        if self._process is None:
            msg = "Kafka is not running"
            raise RuntimeError(msg)
        return self._process.pid

    @property
    def log_path(self) -> Path:
        """Return the path of the server's log."""
        return self._home / "server.log"

    def properties(self) -> dict[str, str]:
        """Return the server's configuration."""
        client, controller = f"127.0.0.1:{self._port}", f"127.0.0.1:{self._controller_port}"
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"CLIENT://{client},CONTROLLER://{controller}",
            "advertised.listeners": f"CLIENT://{client}",
            "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "CLIENT",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self._home / "data"),
            # The cleaner's default buffer of 128 MiB is a quarter of this heap.
            "log.cleaner.dedupe.buffer.size": str(16 << 20),
            "log.cleaner.backoff.ms": "1000",
            **TEST_PROPERTIES,
            **self._overrides,
        }

    def start(self) -> None:
        """Start the process and return once it answers clients; raise with its log's end if not."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start the process and return at once: of a quorum, one alone answers nobody."""
        if self._process is not None:
            msg = "Kafka is already running"
            raise RuntimeError(msg)
        config = self._home / "server.properties"
        config.write_text("".join(f"{key}={value}\n" for key, value in self.properties().items()))
        if not self._formatted:
            self._format(config)
        with self.log_path.open("ab") as log:
            # Its own session: Ctrl-C is for the tests, which then stop the server in order.
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(config), heap=self._heap),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._home,
                start_new_session=True,
            )
        atexit.register(self.stop)
        self._watch()

    def wait_until_ready(self) -> None:
        """Return once the process answers clients; raise with its log's end if it does not."""
        try:
            wait_until_ready(self.bootstrap, START_SECONDS, dead=self._why_dead)
        except RuntimeError as failure:
            tail = self.log_tail()
            self.kill()
            if "Address already in use" in tail:
                raise PortTaken(tail) from failure
            msg = f"Kafka did not come up: {failure}. The end of its log:\n{tail}"
            raise RuntimeError(msg) from failure

    def kill(self) -> None:
        """Kill -9: nothing is flushed, no client is notified. The folder stays for `restart`."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again on the same data and ports; ends the process in order if it still runs."""
        self._end(signal.SIGTERM)
        self.start()

    def stop(self) -> None:
        """End the process and remove its folder. The data is not wanted, so there is no wait."""
        atexit.unregister(self.stop)
        self._end(signal.SIGKILL)
        shutil.rmtree(self._home, ignore_errors=True)

    def log_tail(self) -> str:
        """Return the last lines that the server printed."""
        with suppress(FileNotFoundError):
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-TAIL_LINES:])
        return "(no log)"

    def _java(self, main: str, *arguments: str, heap: str) -> list[str]:
        return [
            java(),
            f"-Xmx{heap}",
            "-XX:+UseG1GC",
            *(["-XX:TieredStopAtLevel=1"] if self._brief else []),
            "-Djava.awt.headless=true",
            "-Dlog4j2.level=INFO",  # of log4j's built-in configuration: the console
            "-cp",
            f"{self._jars}/*",
            main,
            *arguments,
        ]

    def _cluster(self) -> str:
        return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")

    def _format(self, config: Path) -> None:
        done = subprocess.run(
            [
                *self._java("kafka.tools.StorageTool", "format", heap="128m"),
                # One argument: an id may begin with a hyphen.
                f"--cluster-id={self._cluster()}",
                f"--config={config}",
            ],
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        if done.returncode:
            msg = f"Kafka's storage could not be formatted: {done.stdout}{done.stderr}"
            raise RuntimeError(msg)
        self._formatted = True

    def _why_dead(self) -> str | None:
        code = None if self._process is None else self._process.poll()
        return None if code is None else f"the process ended with code {code}"

    def _watch(self) -> None:
        """End the server and its folder also when this process is killed: its pipe then closes."""
        self._watcher = subprocess.Popen(
            ["sh", "-c", 'cat; kill -9 "$1"; rm -rf "$2"', "sh", str(self.pid), str(self._home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _end(self, how: signal.Signals) -> None:
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.communicate()
            self._watcher = None
        if self._process is None:
            return
        process, self._process = self._process, None
        with suppress(ProcessLookupError):
            process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# What the tests need of any broker, whichever way it was started.
TEST_PROPERTIES = {
    "auto.create.topics.enable": "false",
    "log.cleaner.enable": "true",
    "message.max.bytes": str(16 << 20),
    "group.initial.rebalance.delay.ms": "0",
    # After kill -9 the controller refuses the broker until its old session has run out (9 s).
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    "group.min.session.timeout.ms": "1000",  # tests of reassignment need not wait six seconds
    "offsets.topic.num.partitions": "4",  # the default, 50, costs a second at first use
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
}


@contextmanager
def running_kafka(overrides: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yield the address of a Kafka that answers, from wherever one can be had; end it after.

    One that was there before has properties of its own; what is asked for here is not.
    """
    given = os.environ.get("TOCSIN_KAFKA")
    if given:
        wait_until_ready(given, 20)
        yield given
    else:
        with own_kafka(overrides or {}) as bootstrap:
            yield bootstrap


@contextmanager
def own_kafka(overrides: Mapping[str, str]) -> Iterator[str]:
    """Yield the address of a Kafka of our own: a container, else a Java process."""
    if docker_works():
        try:
            container, bootstrap = start_container(overrides)
        except NoBroker as why:  # an engine, but no image: offline, or a registry that refuses
            print(f"{why}; trying Java and Maven")
        else:
            try:
                yield bootstrap
            finally:
                remove_container(container)
            return
    server = start_server(kafka_jars(), overrides)
    try:
        yield server.bootstrap
    finally:
        server.stop()


def start_server(
    jars: Path, overrides: Mapping[str, str] | None = None, *, brief: bool = False
) -> KafkaServer:
    """Start a server from `jars`, on other ports if somebody took the first ones meanwhile."""
    for last in (False, False, True):
        server = KafkaServer(jars, overrides, brief=brief)
        try:
            server.start()
        except PortTaken:
            server.stop()
            if last:
                raise
        except BaseException:
            server.stop()
            raise
        else:
            return server
    raise AssertionError


def wait_until_ready(
    bootstrap: str, seconds: float, dead: Callable[[], str | None] = lambda: None
) -> None:
    """Return once a broker answers a metadata request; `dead` tells early why none ever will."""
    deadline = time.monotonic() + seconds
    why: object = "no answer"
    while time.monotonic() < deadline:
        reason = dead()
        if reason is not None:
            raise RuntimeError(reason)
        try:
            with closing(socket.create_connection(address(bootstrap), timeout=1)):
                pass
            admin = KafkaAdminClient(bootstrap_servers=bootstrap, bootstrap_timeout_ms=2000)
            with closing(admin):
                if admin.describe_cluster()["brokers"]:
                    return
        except (OSError, KafkaError) as error:
            why = error
        time.sleep(0.1)
    msg = f"no Kafka answered at {bootstrap} within {seconds:.0f} s ({why})"
    raise RuntimeError(msg)


def address(bootstrap: str) -> tuple[str, int]:
    """Return host and port of the first address in a bootstrap list."""
    host, _, port = bootstrap.split(",")[0].rpartition(":")
    return host.strip("[]"), int(port)


def start_container(overrides: Mapping[str, str]) -> tuple[str, str]:
    """Start Kafka in a container on a loopback port; return the container's id and the address."""
    (port,) = free_ports(1)
    settings = {
        # The broker talks to itself INSIDE; the tests come through HOST, the published port.
        "listeners": "INSIDE://localhost:19092,CONTROLLER://localhost:9093,HOST://0.0.0.0:9092",
        "advertised.listeners": f"INSIDE://localhost:19092,HOST://127.0.0.1:{port}",
        "listener.security.protocol.map": "INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT,HOST:PLAINTEXT",
        "inter.broker.listener.name": "INSIDE",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": "1@localhost:9093",
        "process.roles": "broker,controller",
        "node.id": "1",
        **TEST_PROPERTIES,
        **overrides,
    }
    command = ["run", "--detach", "--publish", f"127.0.0.1:{port}:9092"]
    for key, value in settings.items():
        command += ["--env", f"KAFKA_{key.upper().replace('.', '_')}={value}"]
    started = docker(*command, f"apache/kafka:{kafka_version()}", seconds=FETCH_SECONDS)
    if started.returncode:
        msg = f"Docker could not start Kafka {kafka_version()}: {started.stderr.strip()}"
        raise NoBroker(msg)
    container, bootstrap = started.stdout.strip(), f"127.0.0.1:{port}"
    try:
        wait_until_ready(bootstrap, START_SECONDS)
    except RuntimeError as failure:
        logs = docker("logs", "--tail", str(TAIL_LINES), container)
        remove_container(container)
        msg = f"{failure}. The end of the container's log:\n{logs.stdout}{logs.stderr}"
        raise RuntimeError(msg) from failure
    return container, bootstrap


def free_ports(count: int) -> list[int]:
    """Return loopback ports that were free a moment ago, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
