"""Run time and memory of counting and scoring every pair of drugs reported with an event.

    python -m benchmarks.interaction

400,000 cases, 3.3 drugs and 2.9 events on average, both after Zipf's law; fixed seed.
"""

import resource
import time

import numpy as np
import polars as pl

from detectors.case_frames import CaseFrames
from detectors.interaction import interaction_counts, omega

CASES = 400_000
SEED = 3


def _mentions(random: np.random.Generator, key: str, names: int, stop: float) -> pl.DataFrame:
    number = random.geometric(stop, CASES).clip(1, 40)
    name = random.zipf(1.3, number.sum()) % names
    mentions = pl.DataFrame({"case": np.repeat(np.arange(CASES), number), key: name})
    return mentions.with_columns(pl.format(f"{key} {{}}", key).alias(key))


def main() -> None:
    random = np.random.default_rng(SEED)
    frames = CaseFrames(
        pl.DataFrame({"case": np.arange(CASES)}),
        _mentions(random, "drug", 3_000, 0.3),
        _mentions(random, "event", 8_000, 0.35),
    )
    start = time.perf_counter()
    counts = interaction_counts(frames)
    counted = time.perf_counter()
    omega(counts)
    scored = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{CASES:,} cases, {frames.drugs.height:,} drugs, {frames.events.height:,} events")
    print(f"{counts.height:,} triples of 3 cases or more counted in {counted - start:.2f} s")
    print(f"Omega of all in {scored - counted:.2f} s; peak {peak:.2f} GB")


if __name__ == "__main__":
    main()
