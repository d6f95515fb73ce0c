"""Run time of the frequentist statistics and the IC, compared with vigipy if installed.

    python -m benchmarks.scoring --pairs 5000000

Each side runs in a process of its own, so that its peak memory is its own. vigipy (dependency group
`bench`) is given the same counts, its container already filled; its BCPNN stands beside our IC. It
corrects zero cells, estimates false discovery rates and sorts, which ours leave to others.
"""

import argparse
import importlib.util
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from detectors.scoring import score
from schemas.counts import require_counts, require_unique_pairs
from streams.core.counting.adjusted_margins import AdjustedMargins
from streams.core.counting.count_changes import CountChanges
from streams.core.counting.sorted_counts import Keys

SEED = 20240611
CASES = 20_000_000
DRUGS, EVENTS = 20_000, 12_000
REPEATS = 3
STRATUM_CASES = 500_000
FREQUENTIST_AND_IC = ["prr", "ror", "chi2", "rrr", "ic"]


def generate(pairs: int) -> pl.DataFrame:
    """Return pairs of heavy-tailed margins, most of them seen once or twice, as in FAERS."""
    random = np.random.default_rng(SEED)
    key = np.unique(random.integers(0, DRUGS * EVENTS, int(pairs * 1.1)))
    key = random.permutation(key)[:pairs]
    drug, event = key // EVENTS, key % EVENTS
    n_drug = (random.zipf(1.3, DRUGS).clip(max=400_000) + 50)[drug]
    n_event = (random.zipf(1.3, EVENTS).clip(max=400_000) + 50)[event]
    chance = random.poisson(n_drug * n_event / CASES) + random.geometric(0.6, len(key))
    return pl.DataFrame(
        {
            "drug": pl.Series([f"drug {at:05d}" for at in range(DRUGS)]).gather(drug),
            "event": pl.Series([f"event {at:05d}" for at in range(EVENTS)]).gather(event),
            "n_observed": np.minimum(chance, np.minimum(n_drug, n_event)),
            "n_drug": n_drug,
            "n_event": n_event,
            "n_total": np.full(len(key), CASES),
        }
    )


def _best(run: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def time_tocsin(path: Path) -> list[tuple[str, float, float]]:
    """Return what was run, its best time, and the process's peak memory after it."""
    counts = pl.read_parquet(path)
    rows = [("counts read", 0.0, _peak_mb())]
    steps: dict[str, Callable[[], object]] = {
        "tocsin validation": lambda: (
            require_counts(counts, where="benchmark"),
            require_unique_pairs(counts, where="benchmark"),
        ),
        "tocsin score(), all of these with validation": lambda: score(counts, FREQUENTIST_AND_IC),
    }
    alone = [*FREQUENTIST_AND_IC, "bcpnn", "fisher"]
    steps |= {
        f"tocsin score(), {name} alone": lambda name=name: score(counts, [name]) for name in alone
    }
    margins, pairs = strata(counts)
    with_strata = counts.with_columns(expected_adjusted=pl.lit(0.0))

    def adjusted() -> pl.DataFrame:
        expected = pl.Series("expected_adjusted", margins.expected(pairs))
        return score(with_strata.with_columns(expected), [*FREQUENTIST_AND_IC, "ic_adjusted"])

    steps["the same on a day with strata, of which earlier quarters are kept"] = adjusted
    for name, step in steps.items():
        rows.append((name, _best(step), _peak_mb()))
    return rows


def strata(counts: pl.DataFrame) -> tuple[AdjustedMargins, Keys]:
    """Return margins of `STRATUM_CASES` cases in the strata of five quarters, and sorted pairs."""
    random = np.random.default_rng(SEED)
    size = STRATUM_CASES
    margins = AdjustedMargins()
    rows = {
        "day": np.sort(random.integers(0, 450, size)).astype(np.int32),
        "stratum": np.zeros(size, np.uint32),
        "block": (4 * random.integers(0, 9, size) + random.integers(0, 3, size)).astype(np.uint16),
        "drugs": random.integers(0, DRUGS, (size, 1)).astype(np.uint32),
        "events": random.integers(0, EVENTS, (size, 1)).astype(np.uint32),
        "n": np.ones(size, np.int8),
    }
    frame = pl.DataFrame({name: pl.Series(name, values) for name, values in rows.items()})
    lists = {name: frame[name].arr.to_list() for name in ("drugs", "events")}
    margins.fold(CountChanges.of(frame.with_columns(**lists)))
    drug, event = (
        counts[name].str.slice(-5).cast(pl.Int64).to_numpy() for name in ("drug", "event")
    )
    pairs = np.sort(drug << 32 | event)
    margins.expected(pairs)  # as a worker has done on the day before
    return margins, pairs


def time_vigipy(path: Path) -> list[tuple[str, float, float]]:
    """Return the same for vigipy's PRR, ROR and BCPNN."""
    import vigipy  # the `bench` group only

    counts = pl.read_parquet(path)
    # Its container as `vigipy.convert` fills it, with our margins instead of sums over pairs.
    container = vigipy.DataContainer(
        data=counts.select(
            "n_observed",
            events="n_observed",
            product_aes="n_drug",
            count_across_brands="n_event",
            ae_name="event",
            product_name="drug",
        )
        .drop("n_observed")
        .to_pandas(),
        N=CASES,
        contingency=None,
        type="contingency",
    )
    rows = [("vigipy container", 0.0, _peak_mb())]
    for name in ("prr", "ror", "bcpnn"):
        method = getattr(vigipy, name)
        seconds = _best(
            lambda method=method: method(container, min_events=1, decision_metric="rank")
        )
        rows.append((f"vigipy {name}", seconds, _peak_mb()))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5_000_000)
    chosen = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "counts.parquet"
        generate(chosen.pairs).write_parquet(path)
        with spawn.Pool(1) as pool:
            ours = pool.apply(time_tocsin, (path,))
        theirs = []
        if importlib.util.find_spec("vigipy"):
            with spawn.Pool(1) as pool:
                theirs = pool.apply(time_vigipy, (path,))
    table = Table(f"{chosen.pairs:,} pairs", "seconds", "ns a pair", "peak MB so far")
    for name, seconds, peak in ours + theirs:
        each = f"{seconds / chosen.pairs * 1e9:,.0f}"
        table.add_row(name, f"{seconds:.3f}", each, f"{peak:,.0f}")
    console = Console(width=110)
    console.print(table)
    if not theirs:
        console.print("vigipy is not installed here: see the dependency group `bench`.")


if __name__ == "__main__":
    main()
