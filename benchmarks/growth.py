"""Memory and state on disk as cases grow: the case store and the detector, each in a process.

    python -m benchmarks.growth --cases 1000000 5000000 20000000

Cases are made as the stages hold them, without JSON and Kafka: two products and three reactions on
average, drugs and events by Zipf laws as in `benchmarks.generate`, one version in ten a follow-up
that changes the events. The detector looks at all pairs five times on the way, as at the close
of a day; its snapshot is then read by a fresh process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.cluster import process_memory
from detectors.rules import load_rules
from schemas.delta import CASE_CHANGES, Delta
from streams.core.cases.transitions import CaseVersion
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.runtime.embedded.case_stage import CaseStage
from streams.runtime.state.case_store import RocksStore
from streams.runtime.state.snapshot import read_snapshot, write_snapshot

_DRUGS, _EVENTS = 5_000, 8_000
_FIRST_DAY = (date(2004, 1, 1) - date(1970, 1, 1)).days
_DAYS = 7_300  # twenty years
_BATCH = 10_000  # as the workers poll
_LOOKS = 5
_PARTITIONS = 4
_UNIT = "\x1f"
_COLUMNS = ("age_group", "sex", "region")
_VALUES = (
    ("child", "adult", "elderly", "unknown"),
    ("female", "male", "unknown"),
    ("north_america", "europe", "japan", "asia", "rest_of_world"),
)
_ORIGINS = tuple(
    f"{country}\x1f{by}\x1fPHARMA {number}"
    for country in ("US", "JP", "DE", "FR")
    for by in ("p", "")
    for number in range(25)
)
_INDICATIONS = ("", *(f"Indication {number}" for number in range(500)))
TOPIC = "growth.deltas"


# First code and how many there are: courses as they come, onsets in the eight years to 2023.
_CODES = {"courses": (0, 1 << 27), "onsets": (date(2016, 1, 1).toordinal(), 8 * 365)}


def _coded(names: str, codes: str) -> pl.Expr:
    """Return codes beside the names of two cases in five: those that state dates or lots."""
    first, distinct = _CODES[codes]
    code = (pl.element().hash() % distinct + first).cast(pl.UInt32)
    stating = pl.col("case_id").hash() % 5 < 2
    return pl.when(stating).then(pl.col(names).list.eval(code)).alias(codes)


def changes(cases: int) -> Iterator[pl.DataFrame]:
    """Yield the changes of batch after batch: new cases, and follow-ups of the batch before."""
    rng = np.random.default_rng(20240101)
    drug_share = 1 / np.arange(1, _DRUGS + 1) ** 1.05
    event_share = 1 / np.arange(1, _EVENTS + 1)
    drug_share, event_share = drug_share / drug_share.sum(), event_share / event_share.sum()
    drugs = pl.Series([f"SUBSTANCE {code:04}" for code in range(_DRUGS)])
    events = pl.Series([f"Reaction {code:04}" for code in range(_EVENTS)])

    def lists(names: pl.Series, share: np.ndarray, numbers: np.ndarray) -> pl.Series:
        rows = np.repeat(np.arange(len(numbers)), numbers)
        codes = rng.choice(len(names), size=len(rows), p=share)
        return (
            pl.DataFrame({"row": rows, "name": names.gather(codes)})
            .unique()
            .sort("row", "name")
            .group_by("row", maintain_order=True)
            .agg("name")["name"]
        )

    def reactions(size: int) -> pl.Series:
        numbers = rng.choice([1, 2, 3, 4, 6], size=size, p=[0.2, 0.25, 0.25, 0.2, 0.1])
        return lists(events, event_share, numbers)

    before: pl.DataFrame | None = None
    for start in range(0, cases, _BATCH):
        size = min(_BATCH, cases - start)
        days = _FIRST_DAY + (start + np.arange(size)) * _DAYS // cases
        new = pl.DataFrame(
            {
                "case_id": [f"GEN-{number:09}" for number in range(start, start + size)],
                "day": pl.Series(days, dtype=pl.Int32).cast(pl.Date),
                **{
                    name: pl.Series(values).gather(rng.integers(0, len(values), size))
                    for name, values in zip(_COLUMNS, _VALUES, strict=True)
                },
                "serious": rng.random(size) < 0.3,
                "fatal": rng.random(size) < 0.05,
                "drugs": lists(drugs, drug_share, rng.choice([1, 2], size=size, p=[0.4, 0.6])),
                "events": reactions(size),
                "origin": pl.Series(_ORIGINS).gather(rng.integers(0, len(_ORIGINS), size)),
                "indications": pl.Series(_INDICATIONS).gather(
                    rng.integers(0, len(_INDICATIONS), size)
                ),
                "completeness": pl.Series(rng.integers(10, 101, size), dtype=pl.UInt8),
                "suspected_duplicate": rng.random(size) < 0.01,
                "life_threatening": rng.random(size) < 0.05,
                "courses": pl.repeat(None, size, dtype=pl.List(pl.UInt32), eager=True),
                "onsets": pl.repeat(None, size, dtype=pl.List(pl.UInt32), eager=True),
                "watched": pl.repeat("", size, eager=True),
                "n": pl.Series(np.ones(size), dtype=pl.Int8),
            },
            schema=dict(CASE_CHANGES),
        ).with_columns(_coded("drugs", "courses"), _coded("events", "onsets"))
        followed = [new]
        if before is not None:
            was = before.head(size // 10)
            followed += [
                was.with_columns(n=pl.lit(-1, pl.Int8)),
                was.with_columns(reactions(was.height).alias("events")).with_columns(
                    _coded("events", "onsets")
                ),
            ]
        before = new
        yield pl.concat(followed)


def deltas(cases: int) -> Iterator[Delta]:
    place = 0
    for frame in changes(cases):
        messages = frame.filter(pl.col("n") > 0).height
        last = frame["day"].cast(pl.Int32).max()
        yield Delta(0, place, place + messages, int(str(last)), frame)
        place += messages


def versions(frame: pl.DataFrame) -> list[CaseVersion]:
    """Return what entered with a batch as the case stage stores it."""
    days = frame["day"].cast(pl.Int32)
    joined = frame.with_columns(
        pl.col("drugs", "events").list.join(_UNIT), day=days, follow=pl.col("n").cum_count()
    )
    return [
        CaseVersion(
            *(case_id, 1, day, False, case_id[4:], day, *stratum, serious, fatal, drugs, events),
            *("", (), "", *more.values()),
        )
        for case_id, day, *stratum, serious, fatal, drugs, events, _, more in joined.filter(
            pl.col("n") > 0
        )
        .select(
            *("case_id", "day", *_COLUMNS, "serious", "fatal", "drugs", "events", "n"),
            pl.struct("origin", "indications", "completeness"),
        )
        .iter_rows()
    ]


def store_part(cases: int, folder: Path) -> dict[str, Any]:
    """Fill the databases of the case stage as a worker does, four partitions in one process."""
    stores = [RocksStore(folder / "cases" / str(at), f"t[{at}]") for at in range(_PARTITIONS)]
    stages = [CaseStage(s, partition=at, keep_outbox=True) for at, s in enumerate(stores)]
    offsets = [0] * _PARTITIONS
    spent = 0.0
    for number, frame in enumerate(changes(cases)):
        at = number % _PARTITIONS
        batch = versions(frame)
        begun = time.perf_counter()
        next_offset = offsets[at] + len(batch)
        stages[at].count(batch, first_offset=offsets[at], next_offset=next_offset)
        stores[at].published(next_offset)
        spent += time.perf_counter() - begun
        offsets[at] = next_offset
    memory = process_memory(os.getpid()), process_memory(os.getpid(), "VmHWM")
    for store in stores:
        store.close()
    size = disk(folder)
    begun = time.perf_counter()
    for at in range(_PARTITIONS):
        RocksStore(folder / "cases" / str(at), f"t[{at}]").close()
    return {
        "part": "case store",
        "versions a second": sum(offsets) / spent,
        "RSS [MB]": memory[0],
        "peak [MB]": memory[1],
        "disk [GB]": size / 1e9,
        "disk [GB a million cases]": size / cases / 1e3,
        "reopened [s]": time.perf_counter() - begun,
    }


def make_detector() -> Detector:
    return Detector([WindowSpec.parse("cumulative")], load_rules(["mhra", "ema", "ic"]))


def detector_part(cases: int, folder: Path) -> dict[str, Any]:
    """Count, evaluate at every million, and write the snapshot."""
    detector = make_detector()
    applying = evaluating = 0.0
    alerts = looks = 0
    for delta in deltas(cases):
        begun = time.perf_counter()
        detector.apply(delta)
        applying += time.perf_counter() - begun
        if delta.next_offset * _LOOKS >= cases * 1.09 * (looks + 1):
            looks += 1
            begun = time.perf_counter()
            alerts += len(detector.evaluate(detector.watermark))
            evaluating = time.perf_counter() - begun
    memory = process_memory(os.getpid()), process_memory(os.getpid(), "VmHWM")
    begun = time.perf_counter()
    write_snapshot(folder / "detect", detector, topic=TOPIC, next_offset=1)
    return {
        "part": "detector",
        "pairs": detector.n_pairs,
        "changes a second": sum(detector.offsets.values()) / applying,
        "last evaluation of all pairs [s]": evaluating,
        "alerts": alerts,
        "RSS [MB]": memory[0],
        "peak [MB]": memory[1],
        "bytes a case": memory[0] * 2**20 / cases,
        **{f"held, {name} [MB]": size / 2**20 for name, size in memory_of(detector).items()},
        "snapshot [s]": time.perf_counter() - begun,
        "peak with snapshot [MB]": process_memory(os.getpid(), "VmHWM"),
        "snapshot [GB]": disk(folder) / 1e9,
    }


def memory_of(detector: Detector) -> dict[str, float]:
    """Return the memory of the large parts of a detector [bytes]."""
    runs = detector.log._runs
    tally = detector.windows[0].tallies["cumulative"]
    counts = (tally.pairs, tally.drugs, tally.events, tally.totals)
    return {
        "case log": sum(run.rows.estimated_size() for run in runs),
        "indexes": sum(part.nbytes for run in runs for index in run._by_pair() for part in index),
        "counts": sum(part.keys.nbytes + part.counts.nbytes for part in counts),
        "signals": sum(signals.rows.nbytes for signals in detector.signals.values()),
    }


def restore_part(cases: int, folder: Path) -> dict[str, Any]:
    """Read the snapshot as a standby does."""
    begun = time.perf_counter()
    detector = make_detector()
    read_snapshot(folder / "detect", detector, topic=TOPIC)
    seconds = time.perf_counter() - begun
    total = int(detector.windows[0].tallies["cumulative"].totals.counts.sum())
    if total != cases:
        sys.exit(f"restored {total:,} cases of {cases:,}")
    return {
        "part": "restore",
        "restored [s]": seconds,
        "pairs": detector.n_pairs,
        "RSS [MB]": process_memory(os.getpid()),
        "peak [MB]": process_memory(os.getpid(), "VmHWM"),
    }


PARTS = {"store": store_part, "detector": detector_part, "restore": restore_part}


def disk(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, nargs="+", default=[1_000_000, 5_000_000])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--child", nargs=2, metavar=("PART", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        part, folder = options.child
        print(json.dumps(PARTS[part](options.cases[0], Path(folder))))
        return
    for cases in options.cases:
        print(f"\n{cases:,} cases, load average {os.getloadavg()[0]:.1f}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            for part in options.parts:
                begun = time.perf_counter()
                kept = Path(folder) / ("store" if part == "store" else "detector")
                command = [sys.executable, "-W", "ignore", "-m", "benchmarks.growth"]
                child = subprocess.run(
                    [*command, "--cases", str(cases), "--child", part, str(kept)],
                    stdout=subprocess.PIPE,
                    text=True,
                    check=False,
                )
                if child.returncode:
                    print(f"  {part}: ended with {child.returncode}", flush=True)
                    continue
                facts = json.loads(child.stdout.splitlines()[-1])
                print(f"  {facts.pop('part')} ({time.perf_counter() - begun:.0f} s in all)")
                for name, value in facts.items():
                    print(
                        f"    {name:<32}{value:>14,.3g}"
                        if value < 10
                        else f"    {name:<32}{value:>14,.0f}"
                    )
                sys.stdout.flush()


if __name__ == "__main__":
    main()
