"""The anytime-valid test on five million pairs: one more day, and a year, with peak memory.

    python -m benchmarks.safe_test

Reports are drawn with a fixed seed: 2,600 a day, each naming one to five drugs of 20,000 and one to
five events of 10,000, both with the long tail that real ones have.
"""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import chain, groupby

import numpy as np
import polars as pl

from detectors import anytime_valid
from detectors.anytime_valid import SafeTest
from detectors.anytime_valid_state import DayCounts, daily_counts

SEED = 20260101
DAYS = 366
REPORTS = 2_600
BANDS = [0.14, 0.1, 0.12, 0.14, 0.08, 0.14, 0.12, 0.06, 0.1]  # shares; the last is unknown
DRUGS, EVENTS = 20_000, 10_000
FIRST = date(2025, 1, 1)
A_DAY, A_YEAR = 2.0, 300.0  # seconds: the aims


def days() -> tuple[list[DayCounts], list[DayCounts]]:
    """Draw the reports and count them by day, and by day and age band."""
    rng = np.random.default_rng(SEED)
    size = DAYS * REPORTS
    cases = pl.DataFrame(
        {
            "day": np.repeat(np.arange(DAYS), REPORTS) + FIRST.toordinal() - 719_163,
            "n": np.ones(size, dtype=np.int8),
        }
    ).with_columns(drugs=_lists(rng, size, DRUGS), events=_lists(rng, size, EVENTS))
    bands = rng.choice(len(BANDS), size, p=BANDS)
    return daily_counts(cases), daily_counts(cases.with_columns(block=bands))


def of_days(counts: list[DayCounts]) -> list[list[DayCounts]]:
    """Return the blocks of each day."""
    return [list(blocks) for _, blocks in groupby(counts, key=lambda one: one.margins.day)]


def megabytes(counts: list[DayCounts]) -> float:
    """Return the size of the margins that the test keeps."""
    margins = (one.margins for one in counts)
    arrays = (a for m in margins for a in (m.drugs, m.n_drug, m.events, m.n_event))
    return sum(array.nbytes for array in arrays) / 2**20


def _lists(rng: np.random.Generator, size: int, codes: int) -> pl.Series:
    """Return lists of one to five distinct codes; the k-th code is drawn like 1 / (k + 20)."""
    weights = 1 / (np.arange(codes) + 20)
    line = np.cumsum(weights) / weights.sum()
    of_case = np.repeat(np.arange(size), rng.integers(1, 6, size))
    drawn = pl.DataFrame({"case": of_case, "code": np.searchsorted(line, rng.random(len(of_case)))})
    return drawn.unique().group_by("case").agg("code").sort("case")["code"]


def peak() -> float:
    """Return the largest resident size so far [GB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Print the times and the memory beside the aims."""
    whole, banded = days()
    *year, today = whole
    mentions = sum(len(day.pairs) for day in year)
    print(f"{len(year)} days, {REPORTS} reports a day, {mentions:,} pairs of a day in all")
    print(f"{'':30}{'seconds':>9}{'of them CPU':>13}{'aim':>7}{'peak GB':>9}")
    print(f"{'the daily buckets alone':59}{peak():9.2f}")
    with measured("a year, recomputed", A_YEAR):
        recomputed = anytime_valid.recompute(year)
    with measured("one more day", A_DAY):
        advanced = anytime_valid.advance(recomputed, today)
    with measured("all e-values, with e-BH"):
        anytime_valid.e_values(advanced)
    with measured("a year, streamed day by day", A_YEAR):
        streamed = anytime_valid.start()
        for day in year:
            streamed = anytime_valid.advance(streamed, day)
    *past, of_today = of_days(banded)
    blocked = anytime_valid.recompute(chain.from_iterable(past))
    for _ in range(3):
        with measured("one more day, whole"):
            anytime_valid.advance(recomputed, today)
        with measured("one more day, within age bands"):
            anytime_valid.advance(blocked, *of_today)
    sizes = megabytes(whole), megabytes(banded)
    print(f"margins: {sizes[0]:.0f} MB whole, {sizes[1]:.0f} MB within bands, ", end="")
    print(f"{sizes[1] / sizes[0]:.2f} times; {len(of_today)} bands a day")
    print(f"{len(streamed.pairs):,} pairs; streamed is recomputed: {_same(streamed, recomputed)}")


@contextmanager
def measured(what: str, aim: float | None = None) -> Iterator[None]:
    """Print how long the block took, and the peak memory after it."""
    began, cpu = time.perf_counter(), time.process_time()
    yield
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(f"{what:30}{seconds:9.2f}{cpu:13.2f}{aim or '':>7}{peak():9.2f}", flush=True)


def _same(one: SafeTest, other: SafeTest) -> bool:
    """Tell whether two states hold the same bits."""
    names = ("pairs", "n_observed", "costs", "crossed")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


if __name__ == "__main__":
    main()
