"""Cost of small evaluations without Kafka, and memory growth over many of them.

    POLARS_MAX_THREADS=1 python -m benchmarks.looks

The population of `benchmarks.soak` is counted; then the messages after it, a fixed number before
every evaluation. The CPU time of evaluations, including every polars thread, is printed at
intervals, with the resident memory and the number of signals ever published.
"""

import argparse
import gc
import os
import time
from collections.abc import Iterable
from datetime import date
from itertools import count, islice

import numpy as np

from benchmarks.cluster import process_memory
from benchmarks.soak import Population
from detectors.rules import load_rules
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.runtime.embedded.case_stage import CaseStage, Incoming, read_batch
from streams.runtime.state.case_store import MemoryStore

HORIZON = date(2100, 1, 1)
LOADED = 5_000  # messages at a time


class Counting:
    """Both stages in one process."""

    def __init__(self) -> None:
        self._stage = CaseStage(MemoryStore(), partition=0, keep_outbox=False)
        self.detector = Detector(
            [WindowSpec.parse("cumulative")], load_rules(["mhra", "ema", "ic"])
        )
        self._offset = 0

    def count(self, messages: Iterable[tuple[bytes, bytes]]) -> None:
        """Count some messages."""
        first, incoming = self._offset, map(Incoming, count(self._offset), (m for _, m in messages))
        read, rejected = read_batch(incoming, source="looks", horizon=HORIZON)
        self._offset = first + len(read) + len(rejected)
        versions = [version for _, version in read]
        counted = self._stage.count(versions, first_offset=first, next_offset=self._offset)
        self.detector.apply(counted.delta)

    def look(self) -> int:
        """Evaluate the changes; return the number of alerts."""
        detector = self.detector
        return len(detector.evaluate(detector.watermark, touched_only=True, day_over=False))


def main() -> None:
    """Load a population, then evaluate repeatedly."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=30_000)
    parser.add_argument("--messages", type=int, default=400_000)
    parser.add_argument("--per-look", type=int, default=250)
    options = parser.parse_args()
    population, counting = Population(options.cases, seed=1), Counting()
    first, later = population.first(), population.later()
    while some := list(islice(first, LOADED)):
        counting.count(some)
    counting.look()
    alerts, costs, looks = 0, list[float](), options.messages // options.per_look
    print(f"{options.cases:,} cases; {options.per_look} messages an evaluation")
    for at in range(1, looks + 1):
        counting.count(islice(later, options.per_look))
        began = time.process_time()
        alerts += counting.look()
        costs.append(time.process_time() - began)
        if at % max(looks // 8, 1) == 0:
            gc.collect()
            cost = np.median(costs) * 1000
            signals = sum(
                len(signals_of_window.rows)
                for signals_of_window in counting.detector.signals.values()
            )
            print(
                f"{at * options.per_look:>9,} messages: {cost:5.1f} ms CPU an evaluation (median), "
                f"{process_memory(os.getpid()):,.0f} MB, {alerts:,} alerts, {signals:,} signals",
                flush=True,
            )
            costs.clear()


if __name__ == "__main__":
    main()
