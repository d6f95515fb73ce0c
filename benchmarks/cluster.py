"""Shared code of the Kafka benchmarks: workers as processes, and a producer of fixed rate."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from kafka import TopicPartition

from streams.runtime.broker.clients import make_consumer
from streams.runtime.broker.topic_reader import end_offsets
from streams.runtime.broker.topics import create_topics
from streams.runtime.settings import Settings

__all__ = [
    "Worker",
    "benchmark_settings",
    "detector_has_all",
    "paced",
    "process_cpu",
    "wait_for",
    "workers",
]

COMMAND = (sys.executable, "-W", "ignore", "-c", "from streams.cli import main; main()")
_TICK = 0.002  # between two looks at the clock [s]
_MOST_SENDING = 100_000


def benchmark_settings(bootstrap: str, name: str, partitions: int) -> Settings:
    """Make topics that nobody else uses."""
    settings = Settings.load(
        bootstrap=bootstrap,
        topic_prefix=f"bench{os.getpid()}{name}.",
        partitions=partitions,
        allow_plaintext_to=bootstrap.rpartition(":")[0],
    )
    create_topics(settings)
    return settings


class Worker:
    """One `tocsin run`, with its log and what it uses."""

    def __init__(self, settings: Settings, folder: Path, name: str, *arguments: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log = folder / "log"
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("TOCSIN_")},
            "TOCSIN_BOOTSTRAP": settings.bootstrap,
            "TOCSIN_TOPIC_PREFIX": settings.topic_prefix,
            "TOCSIN_PARTITIONS": str(settings.partitions),
            "TOCSIN_ALLOW_PLAINTEXT_TO": ",".join(settings.allow_plaintext_to),
            "TOCSIN_STATE_DIR": str(folder / "state"),
        }
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [*COMMAND, "run", *arguments], env=environment, stdout=out, stderr=out
            )

    def says(self, words: str, times: int = 1) -> bool:
        """Return whether its log has these words so often; end the benchmark if it has ended."""
        self.require_alive()
        return self.log.read_text().count(words) >= times

    def require_alive(self) -> None:
        """End the benchmark if it has ended with an error."""
        if self.process.poll():
            sys.exit(f"{self.name} ended with {self.process.returncode}:\n{self.log.read_text()}")

    def status(self, field: str) -> float:
        """Return a field of its status such as VmRSS or VmHWM [MB]; 0 once it has ended."""
        return process_memory(self.process.pid, field)

    def cpu_seconds(self) -> float:
        """Return the processor time it has used [s]."""
        return process_cpu(self.process.pid)

    def stop(self, seconds: float = 60) -> None:
        """Ask it to stop, and see that it ends well."""
        self.process.terminate()
        if self.process.wait(seconds):
            sys.exit(f"{self.name} ended badly:\n{self.log.read_text()}")


def process_memory(pid: int, field: str = "VmRSS") -> float:
    """Return a field of a process's status [MB]; 0 if it has ended."""
    # Not the usage that `wait` gives: it starts from what the parent had at the fork.
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    lines = [line.split()[1] for line in status.splitlines() if line.startswith(f"{field}:")]
    return int(lines[0]) / 1024 if lines else 0.0


def process_cpu(pid: int) -> float:
    """Return the processor time a process has used [s]; 0 if it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def workers(*started: Worker) -> Iterator[None]:
    """End workers that are still running at the end."""
    with ExitStack() as ends:
        for worker in started:
            ends.callback(worker.process.wait)
            ends.callback(worker.process.kill)
        yield


def wait_for(true: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until something holds; end the benchmark if it does not in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            sys.exit(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.05)


def detector_has_all(settings: Settings) -> Callable[[], bool]:
    """Return a question: whether all reports there now are counted, and their alerts published."""
    with closing(make_consumer(settings)) as consumer:
        ends = end_offsets(consumer, f"{settings.topic_prefix}reports")

    def answer() -> bool:
        with (
            closing(make_consumer(settings, f"{settings.topic_prefix}cases")) as cases,
            closing(make_consumer(settings, f"{settings.topic_prefix}detect")) as detect,
        ):
            inputs = {
                TopicPartition(f"{settings.topic_prefix}reports", p): e for p, e in ends.items()
            }
            if any((cases.committed(at) or 0) < end for at, end in inputs.items()):
                return False
            deltas = TopicPartition(f"{settings.topic_prefix}deltas", 0)
            # A commit marker may stand after the last delta.
            last: int = detect.end_offsets([deltas])[deltas] - 1
            return (detect.committed(deltas) or 0) >= last

    return answer


def paced(
    settings: Settings,
    messages: Iterable[tuple[bytes, bytes]],
    *,
    rate: float,
    begin: float,
    sent: Callable[[int, float, int, int], None] = lambda number, due, partition, offset: None,
) -> None:
    """Send message i at `begin` + i / `rate` (monotonic clock) or as soon after it as can be.

    The pace does not wait for acknowledgements, so that a slow system is offered as much as a fast
    one: a latency measured from the moment a message was *due* omits no delay. librdkafka sends:
    the producer is not measured, and kafka-python's would take a quarter of a core at 5,000
    messages/s.

    Parameters
    ----------
    sent
        Told of each message once it is acknowledged: its number, when it was due, its place.
    """
    producer = Producer(
        {
            "bootstrap.servers": settings.bootstrap,
            "enable.idempotence": True,
            "linger.ms": 20,  # one request a partition: with 5 ms 800 a second for the broker
            "partitioner": "murmur2_random",  # that of our producers, and of the Java client
            "queue.buffering.max.messages": _MOST_SENDING,
        }
    )

    def acknowledged(number: int, due: float) -> Callable[[Any, Any], None]:
        def tell(error: Any, message: Any) -> None:
            if error is not None:
                sys.exit(f"message {number} is not acknowledged: {error}")
            sent(number, due, message.partition(), message.offset())

        return tell

    topic = f"{settings.topic_prefix}reports"
    for number, (key, value) in enumerate(messages):
        due = begin + number / rate
        while time.monotonic() < due:
            time.sleep(_TICK)
        while len(producer) >= _MOST_SENDING:
            producer.poll(_TICK)
        producer.produce(topic, value, key, on_delivery=acknowledged(number, due))
        producer.poll(0)
    if left := producer.flush(60):
        sys.exit(f"{left} messages are not acknowledged within a minute")
