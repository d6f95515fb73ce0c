"""Latency from a report to its alert: in steady state, and when a worker fails.

    python -m benchmarks.latency --rates 1000 5000 --workers 1 2 --seconds 60

One broker, case workers and a detector as processes. Generated reports are sent at a fixed pace
that waits for nothing (open loop), one in a hundred a probe: the third report of a drug and event
that nobody else names, two of which were counted before. The third makes its alert certain, and at
once: three cases, none expected. Latency runs from the moment a probe was due to be sent until a
`read_committed` consumer has polled its alert; probes of the first seconds are dropped. Where
the time goes is read off the timestamps of the records in between.

Then failover: the active detector, then a case worker, is killed with kill -9 under load; a standby
with an empty disk is assigned its partitions. Measured from the kill until alerts of every
partition are published again.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import numpy as np
from kafka import TopicPartition

from benchmarks.cluster import (
    Worker,
    benchmark_settings,
    detector_has_all,
    paced,
    wait_for,
    workers,
)
from benchmarks.generate import reports
from streams.runtime.broker.clients import make_consumer
from streams.runtime.broker.topic_reader import end_offsets, read_to_end
from streams.runtime.settings import Settings
from streams.runtime.wire.deltas import decode_delta
from tests.broker.support.kafka_server import running_kafka

ONE_IN = 100  # reports is a probe
DAY = "2024-03-30"  # the last of the generated reports': nothing is over while it lasts
SLOW = 300.0  # for a backlog, before the benchmark gives up [s]


@dataclass(frozen=True)
class Probe:
    """One probe: when it was due, where it went, and when its alert was there."""

    due: float
    partition: int
    offset: int
    readable: float
    alert_sent: float  # wall clock, as are Kafka's timestamps


def probe(number: int, report: int) -> bytes:
    return json.dumps(
        {
            "case_id": f"PROBE-{number:06}-{report}",
            "message_id": f"{number}.{report}",
            "source": "generated",
            "first_received": DAY,
            "latest_received": DAY,
            "products": [{"substances": [f"PROBE {number:06}"], "role": "suspect"}],
            "reactions": [{"term": f"Probe {number:06}"}],
        }
    ).encode()


def keyed(raw: bytes) -> tuple[bytes, bytes]:
    return raw[12 : raw.index(b'"', 12)].strip(b'"'), raw


class Traffic:
    """Background reports on the last day, one in so many replaced by a probe."""

    def __init__(self, preload: int, steady: int) -> None:
        self.n_probes = steady // ONE_IN
        lines = reports(preload + steady, days=90)
        self._preload = [next(lines) for _ in range(preload)]
        self._steady = lines

    def preloaded(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield what is counted before: two reports of every probe, and the background."""
        for number in range(self.n_probes):
            yield from (keyed(_spaced(probe(number, report))) for report in (1, 2))
        yield from map(keyed, self._preload)

    def messages(self, first: int, number: int) -> list[tuple[bytes, bytes]]:
        """Return the next messages, the probes among them from a number on."""
        made = []
        for at in range(number):
            raw = next(self._steady)
            if at % ONE_IN == 0:
                raw = _spaced(probe(first + at // ONE_IN, 3))
            made.append(keyed(raw))
        return made


def _spaced(raw: bytes) -> bytes:
    return raw.replace(b'": ', b'":').replace(b', "', b',"')


def produce(
    settings: Settings,
    messages: list[tuple[bytes, bytes]],
    first: int,
    rate: float,
    begin: float,
    out: "Queue[Any]",
) -> None:
    """Send at the pace; tell when each probe was due, and where it went. A process of its own."""
    places: list[tuple[int, float, int, int]] = []

    def note(number: int, due: float, partition: int, offset: int) -> None:
        if number % ONE_IN == 0:
            places.append((first + number // ONE_IN, due, partition, offset))

    paced(settings, messages, rate=rate, begin=begin, sent=note)
    out.put(places)


def collect(settings: Settings, ready: Any, stop: Any, out: "Queue[Any]") -> None:
    """Read the alerts as a subscriber does; tell when each probe's was there. A process too."""
    topic = f"{settings.topic_prefix}alerts"
    found: dict[int, tuple[float, float]] = {}
    with closing(make_consumer(settings)) as consumer:
        partitions = [TopicPartition(topic, at) for at in end_offsets(consumer, topic)]
        consumer.assign(partitions)
        consumer.seek_to_end(*partitions)
        for at in partitions:
            consumer.position(at)
        ready.set()
        while not stop.is_set():
            polled = consumer.poll(timeout_ms=100)
            now = time.monotonic()
            for records in polled.values():
                for record in records:
                    if record.key.startswith(b"PROBE "):
                        number = int(record.key[6:12])
                        found.setdefault(number, (now, record.timestamp / 1000))
    out.put(found)


class Stream:
    """Reports at a rate, and their alerts: started, then ended and evaluated."""

    def __init__(
        self, settings: Settings, traffic: Traffic, first: int, rate: float, seconds: float
    ) -> None:
        self.settings = settings
        context = multiprocessing.get_context("spawn")
        self._ready, self._stop = context.Event(), context.Event()
        self._sent: Queue[Any] = context.Queue()
        self._found: Queue[Any] = context.Queue()
        self._reader = context.Process(
            target=collect, args=(settings, self._ready, self._stop, self._found), daemon=True
        )
        self._reader.start()
        messages = traffic.messages(first, int(rate * seconds))
        self._ready.wait(60)
        self.begin = time.monotonic() + 3.0  # for the producer to start and connect
        self._producer = context.Process(
            target=produce,
            args=(settings, messages, first, rate, self.begin, self._sent),
            daemon=True,
        )
        self._producer.start()

    def end(self) -> list[Probe]:
        """Wait for the end of the messages and for their alerts; a missing one is an error."""
        sent = self._sent.get(timeout=SLOW)
        wait_for(detector_has_all(self.settings), SLOW, "all counted")
        time.sleep(2)
        self._stop.set()
        found = self._found.get(timeout=60)
        if missing := [number for number, *_ in sent if number not in found]:
            sys.exit(f"{len(missing)} probes without an alert, first {missing[0]}")
        return [Probe(due, p, o, *found[number]) for number, due, p, o in sent]


def parts(settings: Settings, probes: list[Probe]) -> dict[str, np.ndarray]:
    """Return where the latency of probes went [s]: until the delta is sent, the alert, readable."""
    wall = time.time() - time.monotonic()
    ranges: dict[int, list[tuple[int, float]]] = {}
    for record in read_to_end(settings, f"{settings.topic_prefix}deltas"):
        delta = decode_delta(record.value)
        ranges.setdefault(delta.partition, []).append((delta.next_offset, record.timestamp / 1000))
    ends = {p: np.array([end for end, _ in found]) for p, found in ranges.items()}
    delta_sent = np.array(
        [
            ranges[probe.partition][
                int(np.searchsorted(ends[probe.partition], probe.offset, side="right"))
            ][1]
            for probe in probes
        ]
    )
    due = np.array([probe.due for probe in probes]) + wall
    alert = np.array([probe.alert_sent for probe in probes])
    readable = np.array([probe.readable for probe in probes]) + wall
    return {
        "report due -> delta sent": delta_sent - due,
        "delta sent -> alert sent": alert - delta_sent,
        "alert sent -> readable": readable - alert,
        "report due -> alert readable": readable - due,
    }


def steady(bootstrap: str, rate: int, case_workers: int, options: argparse.Namespace) -> None:
    settings = benchmark_settings(bootstrap, f"r{rate}w{case_workers}", options.partitions)
    seconds = options.warm_up + options.seconds
    traffic = Traffic(options.preload, int(rate * seconds))
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        paced(settings, traffic.preloaded(), rate=1e9, begin=begun)
        started = start(settings, Path(folder), case_workers)
        with workers(*started):
            wait_for(detector_has_all(settings), SLOW, "the preload counted")
            before = [worker.cpu_seconds() for worker in started]
            stream = Stream(settings, traffic, 0, rate, seconds)
            probes = stream.end()
            used = [
                (worker.cpu_seconds() - was) / seconds
                for worker, was in zip(started, before, strict=True)
            ]
            for worker in started:
                worker.require_alive()
    kept = [probe for probe in probes if probe.due >= stream.begin + options.warm_up]
    print(
        f"\n{rate:,} reports/s for {options.seconds:.0f} s after {options.preload:,}; "
        f"{case_workers} case worker(s), 1 detector, {options.partitions} partitions; "
        f"{len(kept):,} probes"
    )
    print(f"  {'[ms]':<32}{'p50':>8}{'p90':>8}{'p99':>8}{'max':>8}")
    for what, times in parts(settings, kept).items():
        shown = [*np.quantile(times, [0.5, 0.9, 0.99]), times.max()]
        print(f"  {what:<32}" + "".join(f"{value * 1000:>8,.0f}" for value in shown))
    busy = ", ".join(f"{w.name} {share:.0%}" for w, share in zip(started, used, strict=True))
    print(f"  of a core: {busy}; load average {os.getloadavg()[0]:.1f}", flush=True)


def start(settings: Settings, folder: Path, case_workers: int) -> list[Worker]:
    cases = [
        Worker(settings, folder / f"cases{at}", f"cases {at}", "--stage", "cases")
        for at in range(case_workers)
    ]
    return [Worker(settings, folder / "detect", "detector", "--stage", "detect"), *cases]


def failovers(bootstrap: str, options: argparse.Namespace) -> None:
    """Kill the active detector, then a case worker, at a modest rate; standbys have empty disks."""
    rate, seconds = 500, options.failover_seconds
    settings = benchmark_settings(bootstrap, "failover", options.partitions)
    traffic = Traffic(options.preload, int(2 * rate * seconds))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paced(settings, traffic.preloaded(), rate=1e9, begin=time.monotonic())
        active, *cases = start(settings, folder, 2)
        with workers(active, *cases):
            wait_for(lambda: active.says("detecting from"), SLOW, "an active detector")
            standby = Worker(settings, folder / "standby", "standby", "--stage", "detect")
            with workers(standby):
                wait_for(detector_has_all(settings), SLOW, "the preload counted")
                for number, (victim, what) in enumerate(
                    ((active, "active detector"), (cases[0], "one of two case workers"))
                ):
                    first = number * int(rate * seconds) // ONE_IN
                    stream = Stream(settings, traffic, first, rate, seconds)
                    wait_for(lambda at=stream.begin + 5: time.monotonic() > at, 60, "5 s")  # type: ignore[misc]
                    victim.process.kill()
                    killed = time.monotonic()
                    show_failover(what, stream.end(), killed)


def show_failover(what: str, probes: list[Probe], killed: float) -> None:
    after = [probe for probe in probes if probe.due > killed]
    by_partition: dict[int, float] = {}
    for one in sorted(after, key=lambda probe: probe.readable):
        by_partition.setdefault(one.partition, one.readable - killed)
    before = [probe.readable - probe.due for probe in probes if probe.readable < killed]
    worst = max(probe.readable - probe.due for probe in probes)
    print(
        f"\nkill -9 of the {what}: alerts of reports sent after it come again after "
        f"{min(by_partition.values()):.1f} s of the first partition, "
        f"{max(by_partition.values()):.1f} s of the last; largest latency {worst:.1f} s, before "
        f"the kill {max(before):.2f} s; none missing",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rates", type=int, nargs="*", default=[1000, 5000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--warm-up", type=float, default=60.0)
    parser.add_argument("--preload", type=int, default=200_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--failover-seconds", type=float, default=40.0, help="0 leaves it out")
    options = parser.parse_args()
    with running_kafka() as bootstrap:
        for rate in options.rates:
            for case_workers in options.workers:
                steady(bootstrap, rate, case_workers, options)
        if options.failover_seconds:
            failovers(bootstrap, options)


if __name__ == "__main__":
    main()
