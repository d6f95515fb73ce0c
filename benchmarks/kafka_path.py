"""The Kafka path beside the raw ceiling: the stages and a bare consumer of the same messages.

    python -m benchmarks.kafka_path --reports 300000 --workers 1 2

For each number of case workers, on topics of their own: generated reports are published; a bare
kafka-python consumer reads them (poll, count bytes; nothing else); then case workers and a detector
start from nothing, as processes with `--drain`. The clock of the path runs from the moment a worker
has its partitions until the group of the detector has committed the last delta, so that starting
Python and joining the group is not in it; the whole wall time is shown beside it.

Needs a Kafka as the broker tests do: `TOCSIN_KAFKA`, Docker, or Java with Maven.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kafka import TopicPartition

from benchmarks.generate import reports
from streams.runtime.following import end_offsets, read_to_end
from streams.runtime.kafka_io import make_consumer
from streams.runtime.publishing import publish_source
from streams.runtime.settings import Settings
from streams.runtime.topics import create_topics
from tests.broker.kafka_server import running_kafka

COMMAND = (sys.executable, "-W", "ignore", "-c", "from streams.cli import main; main()")


@dataclass
class Run:
    """What one run measured [reports, seconds, bytes, MB]."""

    workers: int
    reports: int
    publish: float
    bare: float
    bare_busy: float
    bytes: int
    cases: float = 0.0
    path: float = 0.0
    wall: float = 0.0
    processes: list[tuple[str, float, float]] = field(default_factory=list)  # name, MB, CPU s
    deltas: tuple[int, int] = (0, 0)  # number, bytes
    alerts: tuple[int, int] = (0, 0)
    load: float = 0.0


def publish(settings: Settings, lines: list[bytes]) -> float:
    begun = time.perf_counter()
    items: Iterator[tuple[int, Any]] = enumerate(lines, start=1)
    for _ in publish_source(settings, "generated", items, Counter()):
        pass
    return time.perf_counter() - begun


def consume(settings: Settings, number: int) -> tuple[float, float, int]:
    """Read every report and do nothing with it; return seconds, seconds of CPU, and bytes."""
    topic = f"{settings.topic_prefix}reports"
    with closing(make_consumer(settings)) as consumer:
        partitions = [TopicPartition(topic, at) for at in end_offsets(consumer, topic)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        seen = size = 0
        begun, busy = time.perf_counter(), time.process_time()
        while seen < number:
            for batch in consumer.poll(timeout_ms=500).values():
                seen += len(batch)
                size += sum(len(record.value) for record in batch)
        return time.perf_counter() - begun, time.process_time() - busy, size


def follow_path(settings: Settings, run: Run, folder: Path) -> None:
    """Run the stages from nothing until everything is published."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")},
        "TOCSIN_BOOTSTRAP": settings.bootstrap,
        "TOCSIN_TOPIC_PREFIX": settings.topic_prefix,
        "TOCSIN_PARTITIONS": str(settings.partitions),
        "TOCSIN_ALLOW_PLAINTEXT_TO": ",".join(settings.allow_plaintext_to),
        "TOCSIN_STATE_DIR": str(folder / "state"),
    }
    stages = ["detect", *["cases"] * run.workers]
    logs = [folder / f"{number}.log" for number in range(len(stages))]
    begun = time.perf_counter()
    started: float | None = None
    processes = []
    for stage, log in zip(stages, logs, strict=True):
        with log.open("wb") as out:
            arguments = ["run", "--stage", stage, "--drain"]
            processes.append(
                subprocess.Popen([*COMMAND, *arguments], env=environment, stdout=out, stderr=out)
            )
    with (
        closing(make_consumer(settings, f"{settings.topic_prefix}cases")) as cases,
        closing(make_consumer(settings, f"{settings.topic_prefix}detect")) as detect,
    ):
        inputs = [
            (TopicPartition(f"{settings.topic_prefix}reports", at), end)
            for at, end in end_offsets(cases, f"{settings.topic_prefix}reports").items()
        ]
        deltas = TopicPartition(f"{settings.topic_prefix}deltas", 0)
        while started is None:
            if any("took " in log.read_text() for log in logs):
                started = time.perf_counter()
            time.sleep(0.01)
        peaks = [0.0] * len(stages)

        def watch() -> None:
            peaks[:] = [max(*pair) for pair in zip(peaks, map(peak, processes), strict=True)]
            time.sleep(0.05)

        while not all((cases.committed(at) or 0) >= end for at, end in inputs):
            watch()
        run.cases = time.perf_counter() - started
        last = detect.end_offsets([deltas])[deltas]
        # A commit marker may stand after the last delta.
        while (detect.committed(deltas) or 0) < last - 1:
            watch()
        run.path = time.perf_counter() - started
    for stage, process, log, memory in zip(stages, processes, logs, peaks, strict=True):
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(log.read_text())
        run.processes.append((stage, memory, usage.ru_utime + usage.ru_stime))
    run.wall = time.perf_counter() - begun
    run.deltas, run.alerts = (volume(settings, name) for name in ("deltas", "alerts"))


def peak(process: subprocess.Popen[bytes]) -> float:
    """Return the most memory a process has had [MB]; 0 once it has ended."""
    # Not the usage that `wait` gives: it starts from what the parent had at the fork.
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0.0
    lines = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(lines[0]) / 1024 if lines else 0.0


def volume(settings: Settings, name: str) -> tuple[int, int]:
    sizes = [len(r.value) for r in read_to_end(settings, f"{settings.topic_prefix}{name}")]
    return len(sizes), sum(sizes)


def measure(bootstrap: str, lines: list[bytes], workers: int, partitions: int) -> Run:
    settings = Settings.load(
        bootstrap=bootstrap,
        topic_prefix=f"bench{os.getpid()}x{workers}.",
        partitions=partitions,
        allow_plaintext_to=bootstrap.rpartition(":")[0],
    )
    create_topics(settings)
    published = publish(settings, lines)
    consume(settings, len(lines))  # once for the page cache
    seconds, busy, size = consume(settings, len(lines))
    run = Run(workers, len(lines), published, seconds, busy, size)
    with tempfile.TemporaryDirectory() as folder:
        follow_path(settings, run, Path(folder))
    run.load = os.getloadavg()[0]
    return run


def show(run: Run) -> None:
    def line(what: str, seconds: float) -> None:
        rate, ceiling = run.reports / seconds, run.reports / run.bare
        print(f"  {what:<44}{seconds:>8.2f} s{rate:>12,.0f} /s{rate / ceiling:>8.2f}")

    size = run.bytes / run.reports
    print(
        f"\n{run.reports:,} reports of {size:.0f} bytes, {run.workers} case worker(s), 1 detector"
    )
    print(f"  {'':<44}{'time':>10}{'reports':>15}{'ratio':>8}")
    line("publish (decode, send, acknowledged)", run.publish)
    line("bare consumer: the raw ceiling", run.bare)
    line("case stage, from partitions to last delta", run.cases)
    line("Kafka path, from partitions to last alert", run.path)
    line("Kafka path with start, join and end", run.wall)
    print(f"  bare consumer: {run.bare_busy:.1f} s of CPU")
    for name, memory, busy in run.processes:
        print(f"  {name:<8} peak {memory:,.0f} MB, {busy:.1f} s of CPU")
    for name, (number, total) in (("deltas", run.deltas), ("alerts", run.alerts)):
        print(f"  {number:,} {name}, {total / 1e6:,.1f} MB")
    print(f"  load average at the end: {run.load:.1f} on {os.cpu_count()} cores")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--reports", type=int, default=300_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    lines = list(reports(options.reports, days=options.days))
    print(f"load average at the start: {os.getloadavg()[0]:.1f}")
    with running_kafka() as bootstrap:
        for workers in options.workers:
            show(measure(bootstrap, lines, workers, options.partitions))


if __name__ == "__main__":
    main()
