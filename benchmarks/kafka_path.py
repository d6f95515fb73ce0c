"""The Kafka path beside the raw ceiling: the stages and a bare consumer of the same messages.

    python -m benchmarks.kafka_path --reports 300000 --workers 1 2 4
    python -m benchmarks.kafka_path --reports 5000000 --workers 1 2        a backfill

For each number of case workers, on topics of their own: generated reports are published; a bare
kafka-python consumer with the settings of ours reads them (poll, count bytes; nothing else; a
process that imports nothing of Tocsin), and our own, which adds bounds to it
(`streams/runtime/broker/consumer.py`); then case workers and a detector start from nothing, as
processes with `--drain`. The consumers read twice before and once after, and the
fastest counts. The clock of the path runs from the moment a worker has its partitions until the
group of the detector has committed the last delta, so that starting Python and joining the group
is not in it; the whole wall time is shown beside it.

Needs a Kafka as the broker tests do: `TOCSIN_KAFKA`, Docker, or Java with Maven.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kafka import TopicPartition

from benchmarks.bare_consumer import read_all
from benchmarks.cluster import Worker, benchmark_settings, process_cpu, workers
from benchmarks.generate import reports
from streams.runtime.broker import clients
from streams.runtime.broker.clients import make_consumer
from streams.runtime.broker.topic_reader import end_offsets, read_to_end
from streams.runtime.operations.publish import publish_source
from streams.runtime.settings import Settings
from tests.broker.support.kafka_server import running_kafka

# The default of brokers: who starts within so long joins the group together. Tests wait for nobody.
JOINING = {"group.initial.rebalance.delay.ms": "3000"}


@dataclass(frozen=True)
class Reading:
    """Cost of reading all reports with a consumer [seconds, seconds of CPU], and their bytes."""

    seconds: float
    busy: float
    bytes: int


NOT_READ = Reading(0, 0, 0)


@dataclass
class Run:
    """Measurements of one run [reports, seconds, bytes, MB]."""

    workers: int
    reports: int
    publish: float
    bare: Reading = NOT_READ
    ours: Reading = NOT_READ
    bare_readings: list[float] = field(default_factory=list)
    cases: float = 0.0
    path: float = 0.0
    wall: float = 0.0
    processes: list[tuple[str, float, float]] = field(default_factory=list)  # name, MB, CPU s
    broker: float = 0.0  # CPU s on the path, as those of the processes
    watching: float = 0.0
    deltas: tuple[int, int] = (0, 0)  # number, bytes
    alerts: tuple[int, int] = (0, 0)
    load: float = 0.0


def publish(settings: Settings, number: int, days: int) -> float:
    """Publish generated reports; return the seconds it took, without generating them."""
    generating = 0.0

    def items() -> Iterator[tuple[int, Any]]:
        nonlocal generating
        lines = reports(number, days=days)
        for place in range(number):
            begun = time.perf_counter()
            line = next(lines)
            generating += time.perf_counter() - begun
            yield place, line

    begun = time.perf_counter()
    for _ in publish_source(settings, "generated", items(), Counter()):
        pass
    return time.perf_counter() - begun - generating


def bare(settings: Settings, number: int) -> Reading:
    """Read every report with what kafka-python has and our settings, in a process of its own."""
    config = {
        **settings.client_settings(),
        "enable_auto_commit": False,
        "isolation_level": "read_committed",
        "check_crcs": True,
        "max_poll_records": clients.MAX_POLL_RECORDS,
        "max_partition_fetch_bytes": clients.PARTITION_FETCH_BYTES,
        "fetch_max_bytes": clients.FETCH_BYTES,
    }
    asked = json.dumps((config, f"{settings.topic_prefix}reports", number))
    command = [sys.executable, "-m", "benchmarks.bare_consumer"]
    answer = subprocess.run(command, input=asked, text=True, stdout=subprocess.PIPE, check=True)
    return Reading(*json.loads(answer.stdout))


def ours(settings: Settings, number: int) -> Reading:
    """Read every report with our consumer, and do nothing with it."""
    with closing(make_consumer(settings)) as consumer:
        return Reading(*read_all(consumer, f"{settings.topic_prefix}reports", number))


def follow_path(settings: Settings, run: Run, folder: Path) -> None:
    """Run the stages from nothing until everything is published."""
    begun = time.perf_counter()
    detector = Worker(settings, folder / "detect", "detector", "--stage", "detect", "--drain")
    cases = [
        Worker(settings, folder / f"cases{at}", f"cases {at}", "--stage", "cases", "--drain")
        for at in range(run.workers)
    ]
    started = [detector, *cases]
    peaks, busy = [0.0] * len(started), [0.0] * len(started)

    before = [0.0] * len(started)
    broker = broker_pids()

    def watch() -> None:
        for at, worker in enumerate(started):
            peaks[at] = max(peaks[at], worker.status("VmHWM"))
            busy[at] = max(busy[at], worker.cpu_seconds() - before[at])
            worker.require_alive()
        time.sleep(0.1)

    with (
        workers(*started),
        closing(make_consumer(settings, f"{settings.topic_prefix}cases")) as case_group,
        closing(make_consumer(settings, f"{settings.topic_prefix}detect")) as detect_group,
    ):
        inputs = [
            (TopicPartition(f"{settings.topic_prefix}reports", at), end)
            for at, end in end_offsets(case_group, f"{settings.topic_prefix}reports").items()
        ]
        deltas = TopicPartition(f"{settings.topic_prefix}deltas", 0)
        while not any(worker.says("took ") for worker in cases):
            time.sleep(0.01)
        has_partitions = time.perf_counter()
        before[:] = [worker.cpu_seconds() for worker in started]
        of_broker, of_this = sum(map(process_cpu, broker)), time.process_time()
        while not all((case_group.committed(at) or 0) >= end for at, end in inputs):
            watch()
        run.cases = time.perf_counter() - has_partitions
        last = detect_group.end_offsets([deltas])[deltas]
        # A commit marker may stand after the last delta.
        while (detect_group.committed(deltas) or 0) < last - 1:
            watch()
        run.path = time.perf_counter() - has_partitions
        run.broker = sum(map(process_cpu, broker)) - of_broker
        run.watching = time.process_time() - of_this
        for worker in started:
            if worker.process.wait(60):
                sys.exit(worker.log.read_text())
    run.processes = [
        (w.name, *used) for w, used in zip(started, zip(peaks, busy, strict=True), strict=True)
    ]
    run.wall = time.perf_counter() - begun
    run.deltas, run.alerts = (volume(settings, name) for name in ("deltas", "alerts"))


def broker_pids() -> list[int]:
    """Return the brokers that this process started; one that was there before is not known."""
    pids = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid() and b"kafka.Kafka" in (folder / "cmdline").read_bytes():
                pids.append(int(folder.name))
    return pids


def volume(settings: Settings, name: str) -> tuple[int, int]:
    number = total = 0
    for record in read_to_end(settings, f"{settings.topic_prefix}{name}"):
        number += 1
        total += len(record.value)
    return number, total


def measure(bootstrap: str, options: argparse.Namespace, case_workers: int) -> Run:
    settings = benchmark_settings(bootstrap, f"w{case_workers}", options.partitions)
    published = publish(settings, options.reports, options.days)
    ours(settings, options.reports)  # once for the page cache
    readings = [read(settings, options.reports) for read in (bare, ours, bare, ours)]
    run = Run(case_workers, options.reports, published)
    with tempfile.TemporaryDirectory() as folder:
        follow_path(settings, run, Path(folder))
    run.load = os.getloadavg()[0]
    # After it as well: such a machine may be half as fast for half a minute.
    readings += [read(settings, options.reports) for read in (bare, ours)]
    run.bare, run.ours = (min(readings[at::2], key=lambda one: one.seconds) for at in (0, 1))
    run.bare_readings = [reading.seconds for reading in readings[::2]]
    return run


def show(run: Run) -> None:
    def line(what: str, seconds: float) -> None:
        rate, ceiling = run.reports / seconds, run.reports / run.bare.seconds
        print(f"  {what:<44}{seconds:>8.2f} s{rate:>12,.0f} /s{rate / ceiling:>8.2f}")

    size = run.bare.bytes / run.reports
    print(
        f"\n{run.reports:,} reports of {size:.0f} bytes, {run.workers} case worker(s), 1 detector"
    )
    print(f"  {'':<44}{'time':>10}{'reports':>15}{'ratio':>8}")
    line("publish (decode, send, acknowledged)", run.publish)
    line("bare kafka-python consumer: the raw ceiling", run.bare.seconds)
    line("our consumer, as bare", run.ours.seconds)
    line("case stage, from partitions to last delta", run.cases)
    line("Kafka path, from partitions to last alert", run.path)
    line("Kafka path with start, join and end", run.wall)
    took = ", ".join(f"{seconds:.2f}" for seconds in run.bare_readings)
    print(f"  the bare consumer's readings, the last one after the path: {took} s")
    print(f"  consumers: {run.bare.busy:.1f} and {run.ours.busy:.1f} s of CPU")
    print("  CPU on the path, without start and end [microseconds a report]:")
    for name, memory, busy in run.processes:
        print(f"    {name:<18}{busy / run.reports * 1e6:>6.1f}   peak {memory:,.0f} MB")
    for name, busy in (("broker", run.broker), ("this benchmark", run.watching)):
        print(f"    {name:<18}{busy / run.reports * 1e6:>6.1f}")
    for name, (number, total) in (("deltas", run.deltas), ("alerts", run.alerts)):
        print(f"  {number:,} {name}, {total / 1e6:,.1f} MB")
    print(f"  load average at the end: {run.load:.1f} on {os.cpu_count()} cores", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--reports", type=int, default=300_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    options = parser.parse_args()
    print(f"load average at the start: {os.getloadavg()[0]:.1f}")
    with running_kafka(JOINING) as bootstrap:
        for case_workers in options.workers:
            show(measure(bootstrap, options, case_workers))


if __name__ == "__main__":
    main()
