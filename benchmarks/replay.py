"""Throughput of `tocsin replay` over native JSON on one core, and the cost of each part.

python -m benchmarks.replay --reports 1000000 --days 90
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.generate import reports
from detectors.rules import load_rules
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.intake.native import decode_report, read_lines
from streams.runtime.embedded.case_stage import CaseStage, Incoming, read_batch
from streams.runtime.state.case_store import MemoryStore

CHUNK = 10_000
HORIZON = date(2100, 1, 1)


def main() -> None:
    """Generate reports, replay them as a user would, then time the parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--rules", default="mhra,ema,ic")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reports.jsonl"
        with path.open("wb") as out:
            size = sum(
                out.write(line + b"\n") for line in reports(options.reports, days=options.days)
            )
        print(f"{options.reports:,} reports of {size / options.reports:.0f} bytes, one core")
        print(f"load average {os.getloadavg()[0]:.1f}")
        for every in ("1d", "7d", "99999d"):
            _whole(path, options.reports, options.rules, every)
        _parts(path, min(options.reports, 200_000), options.rules)


def _whole(path: Path, number: int, rules: str, every: str) -> None:
    alerts = path.with_suffix(".alerts")
    command = [sys.executable, "-c", "from streams.cli import main; main()", "replay", str(path)]
    asked = ["--rules", rules, "--screening", "none"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(
        [*command, "--every", every, *asked, "--alerts", str(alerts)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    seconds = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    with alerts.open("rb") as lines:
        written = sum(1 for _ in lines)
    print(
        f"tocsin replay --every {every}: {number / seconds:,.0f} reports/s, {seconds:.1f} s in all "
        f"with the start of Python, {busy:.1f} s of CPU; {written:,} alerts; peak memory of any "
        f"run so far {used.ru_maxrss / 1024:,.0f} MiB"
    )


def _parts(path: Path, number: int, rules: str) -> None:
    lines = [line for _, line in read_lines(path)][:number]
    chunks = [lines[start : start + CHUNK] for start in range(0, number, CHUNK)]

    def decoded() -> None:
        for chunk in chunks:
            for line in chunk:
                decode_report(line)

    def read() -> Iterator[list[tuple[int, object]]]:
        for start, chunk in zip(range(0, number, CHUNK), chunks, strict=True):
            messages = (Incoming(start + i, line) for i, line in enumerate(chunk))
            yield read_batch(messages, source="bench", horizon=HORIZON)[0]

    versions = [[version for _, version in batch] for batch in read()]
    stage = CaseStage(MemoryStore(), partition=0, keep_outbox=False)

    def counted() -> list[object]:
        return [
            stage.count(batch, first_offset=start, next_offset=start + len(batch)).delta
            for start, batch in zip(range(0, number, CHUNK), versions, strict=True)
        ]

    detector = Detector([WindowSpec.parse("cumulative")], load_rules(rules.split(",")))
    _time("decode and validate (pydantic)", decoded, number)
    _time("the same, and reduce to what counts", lambda: [None for _ in read()], number)
    deltas = _time("case stage", counted, number)
    _time("detector: apply", lambda: [detector.apply(delta) for delta in deltas], number)
    alerts = _time("detector: one evaluation", lambda: detector.evaluate(30_000), number)
    print(f"  ({len(alerts):,} alerts in that evaluation)")


def _time(what: str, work: Callable[[], Any], number: int) -> Any:
    started = time.process_time()
    result = work()
    used = (time.process_time() - started) / number * 1e6
    print(f"  {what:<40} {used:6.2f} microseconds of CPU a report")
    return result


if __name__ == "__main__":
    main()
