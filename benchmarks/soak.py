"""Soak test: half an hour at a steady rate; memory stays flat, and the final counts are right.

    python -m benchmarks.soak --minutes 30 --rate 1000

Nothing grows here that has to be remembered, or memory would have to: a fixed population is loaded
first, and then every message is about one of its cases. Follow-ups that change drugs and events
back and forth between two accounts of the case (ever new ones would make ever more signals),
nullifications and cases that come back after one, repeats, and messages that cannot be read. Two
case workers and a detector run as processes on a real Kafka; the resident memory of each is sampled
every ten seconds.

One thing does have to be remembered: every signal that was ever published, some 350 bytes each. As
counts go up and down, ever more pairs have been one; their number stands beside the memory.

The slope of memory is fitted by least squares to the samples after the warm-up, its 95% interval
with Newey-West errors, as neighbouring samples are not independent. Flat is said of a process whose
whole interval lies below the limit: a leak of more is ruled out, not merely unseen. At the end the
counts of the detector are compared with a recount of the last version of each case.
"""

import argparse
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from itertools import islice
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import statsmodels.api as sm

from benchmarks.cluster import (
    Worker,
    benchmark_settings,
    detector_has_all,
    paced,
    wait_for,
    workers,
)
from schemas.alert import Alert
from streams.runtime.broker.clients import make_consumer
from streams.runtime.broker.topic_reader import end_offsets, read_to_end
from streams.runtime.settings import Settings
from tests.broker.support.kafka_server import running_kafka
from tests.broker.support.processes import as_counts, require_revisions
from tests.support.source_file_counts import tabulate

SAMPLE_SECONDS = 10.0
PERIOD = 30  # samples of which a mean is printed: five minutes
LAG = 30  # samples that may hang together: five minutes, longer than a snapshot takes to come round
_FIRST = date(2024, 1, 1)
_DRUGS, _EVENTS = 400, 600


class Population:
    """A fixed number of cases, their messages, and what holds of each after the last of them."""

    def __init__(self, cases: int, seed: int) -> None:
        self._chance = random.Random(seed)
        self._cases = cases
        self._version = [0] * cases
        self._last: list[tuple[frozenset[str], frozenset[str]] | None] = [None] * cases
        self._accounts = [(self._account(), self._account()) for _ in range(cases)]
        self._sent: list[bytes] = [b""] * cases
        self.broken = 0

    def first(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the first version of every case."""
        for case in range(self._cases):
            yield self._next(case)

    def later(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield messages for ever: versions of cases, repeats, and broken ones."""
        chance = self._chance
        while True:
            case = chance.randrange(self._cases)
            kind = chance.random()
            if kind < 0.01:
                self.broken += 1
                yield b"SOAK-broken", b'{"case_id": "SOAK-broken", "version": '
            elif kind < 0.06:
                yield _key(case), self._sent[case]
            else:
                yield self._next(case)

    def recount(self) -> Any:
        """Count what holds now."""
        return tabulate((set(case[0]), set(case[1])) for case in self._last if case is not None)

    def _account(self) -> tuple[list[int], list[int]]:
        chance = self._chance
        drugs = {_skewed(chance, _DRUGS) for _ in range(chance.randint(1, 3))}
        events = {_skewed(chance, _EVENTS) for _ in range(chance.randint(1, 4))}
        return sorted(drugs), sorted(events)

    def _next(self, case: int) -> tuple[bytes, bytes]:
        chance = self._chance
        self._version[case] += 1
        first = _FIRST + timedelta(days=case * 60 // self._cases)
        drugs, events = self._accounts[case][self._version[case] % 2]
        report: dict[str, Any] = {
            "case_id": f"SOAK-{case:07}",
            "version": self._version[case],
            "message_id": f"{case}.{self._version[case]}",
            "source": "soak",
            "first_received": first.isoformat(),
            "latest_received": (_FIRST + timedelta(days=60)).isoformat(),
            "products": [{"substances": [f"SUBSTANCE {code:04}"]} for code in drugs],
            "reactions": [{"term": f"Reaction {code:04}"} for code in events],
        }
        nullified = self._version[case] > 1 and chance.random() < 0.02
        if nullified:
            report["revision"] = {"kind": "nullification", "reason": "sent in error"}
            self._last[case] = None
        else:
            self._last[case] = (
                frozenset(f"SUBSTANCE {code:04}" for code in drugs),
                frozenset(f"Reaction {code:04}" for code in events),
            )
        self._sent[case] = json.dumps(report).encode()
        return _key(case), self._sent[case]


def _key(case: int) -> bytes:
    return b"SOAK-%07d" % case


def _skewed(chance: random.Random, size: int) -> int:
    return min(int(size ** chance.random()) - 1, size - 1)


def produce(
    settings: Settings, cases: int, seed: int, number: int, rate: float, out: "Queue[Any]"
) -> None:
    """Load the population, then send at the pace; return the expected counts. Runs as a process."""
    population = Population(cases, seed)
    paced(settings, population.first(), rate=1e9, begin=time.monotonic())
    out.put("loaded")
    begin = time.monotonic() + 1
    paced(settings, islice(population.later(), number), rate=rate, begin=begin)
    out.put((population.recount(), population.broken, time.monotonic() - begin))


def slope(seconds: np.ndarray, memory: np.ndarray) -> tuple[float, float, float]:
    """Return the slope of memory and its 95% interval [MB/h]."""
    design = sm.add_constant(seconds / 3600)
    lags = min(LAG, max(1, len(seconds) // 4))
    fitted = sm.OLS(memory, design).fit(cov_type="HAC", cov_kwds={"maxlags": lags})
    low, high = fitted.conf_int()[1]
    return float(fitted.params[1]), float(low), float(high)


def soak(bootstrap: str, options: argparse.Namespace) -> bool:
    settings = benchmark_settings(bootstrap, "soak", options.partitions)
    context = multiprocessing.get_context("spawn")
    results: Queue[Any] = context.Queue()
    number = int(options.minutes * 60 * options.rate)
    producer = context.Process(
        target=produce,
        args=(settings, options.cases, options.seed, number, options.rate, results),
        daemon=True,
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        counts = folder / "counts.parquet"
        cases = [
            Worker(settings, folder / f"cases{at}", f"cases {at}", "--stage", "cases")
            for at in range(2)
        ]
        detector = Worker(
            settings,
            folder / "detect",
            "detector",
            *("--stage", "detect", "--counts", str(counts)),
        )
        started = [detector, *cases]
        with workers(*started):
            producer.start()
            results.get(timeout=600)
            wait_for(detector_has_all(settings), 600, "the population counted")
            begun, since = time.monotonic(), time.time()
            samples: list[tuple[float, ...]] = []
            while producer.is_alive() and results.empty():
                now = time.monotonic() - begun
                samples.append((now, *(worker.status("VmRSS") for worker in started)))
                for worker in started:
                    worker.require_alive()
                time.sleep(max(0.0, SAMPLE_SECONDS - (time.monotonic() - begun - now)))
            expected, broken, seconds = results.get(timeout=60)
            wait_for(detector_has_all(settings), 120, "the rest counted")
            for worker in started:
                worker.stop()
        frame = pl.read_parquet(counts)
    right = as_counts(frame) == expected
    born: list[float] = []
    revisions = require_revisions(_alerts(settings, born))
    with closing(make_consumer(settings)) as consumer:
        rejected = sum(end_offsets(consumer, f"{settings.topic_prefix}rejected").values())
    print(
        f"{number:,} messages in {seconds / 60:.1f} min ({number / seconds:,.0f}/s) about "
        f"{options.cases:,} cases; {broken:,} broken, {rejected:,} offsets of rejects; "
        f"{revisions:,} alert revisions, each once and in order; load average "
        f"{os.getloadavg()[0]:.1f}"
    )
    print(f"counts of {len(expected):,} pairs equal to the recount: {'yes' if right else 'NO'}")
    names = [worker.name for worker in started]
    flat = judge(np.array(samples), names, np.array(born) - since, options)
    return right and flat


def _alerts(settings: Settings, born: list[float]) -> Iterator[Alert]:
    """Yield every alert; record when each signal was first published [s since 1970]."""
    for record in read_to_end(settings, f"{settings.topic_prefix}alerts"):
        alert = Alert.model_validate_json(record.value)
        if alert.revision == 1:
            born.append(record.timestamp / 1000)
        yield alert


def judge(
    samples: np.ndarray, names: list[str], born: np.ndarray, options: argparse.Namespace
) -> bool:
    """Print the slope of each process's memory; return whether all are flat."""
    kept = samples[samples[:, 0] >= options.warm_up * 60]
    if len(kept) < 12:
        print(f"only {len(kept)} samples after the warm-up: too few for a slope")
        return False
    minutes = (kept[-1, 0] - kept[0, 0]) / 60
    print(f"memory over {minutes:.0f} min after a warm-up of {options.warm_up:.0f} min:")
    print(
        f"  {'[MB]':<12}{'first':>8}{'last':>8}{'peak':>8}   slope [MB/h], 95% interval; "
        "mean of every five minutes"
    )
    all_flat = True
    for column, name in enumerate(names, start=1):
        memory = kept[:, column]
        limit = options.limit * memory.mean()
        estimate, low, high = slope(kept[:, 0], memory)
        flat = high < limit
        all_flat &= flat
        print(
            f"  {name:<12}{memory[0]:>8.0f}{memory[-1]:>8.0f}{memory.max():>8.0f}   "
            f"{estimate:+.1f} [{low:+.1f}, {high:+.1f}]: "
            f"{'flat' if flat else 'NOT SHOWN TO BE FLAT'}, the limit is {limit:.1f}; "
            + " ".join(
                f"{part.mean():.0f}"
                for part in np.split(memory, range(PERIOD, len(memory), PERIOD))
            )
        )
    ends = [part[-1] for part in np.split(kept[:, 0], range(PERIOD, len(kept), PERIOD))]
    known = ", ".join(f"{np.count_nonzero(born <= end):,}" for end in [kept[0, 0], *ends])
    print(f"signals ever published, at the start and at the end of each: {known}")
    return all_flat


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--warm-up", type=float, default=10.0, help="minutes")
    parser.add_argument("--rate", type=float, default=1000.0, help="messages a second")
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--limit", type=float, default=0.1, help="of its memory an hour; less is called flat"
    )
    options = parser.parse_args()
    with running_kafka() as bootstrap:
        if not soak(bootstrap, options):
            sys.exit(1)


if __name__ == "__main__":
    main()
