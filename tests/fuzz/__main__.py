"""Fuzz every parser of what strangers send: ``python -m tests.fuzz [TARGET...] --seconds 600``.

Each target runs in a process of its own with a limit of memory, and goes on from the inputs that
earlier runs kept in `.fuzz/corpus`. Ends with 1 if a target failed; its input is in `.fuzz/failed`.
"""

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.seeds import seeds_of
from tests.fuzz.targets import TARGETS

KEPT = Path(".fuzz")
_EXECUTIONS = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_PEAK = re.compile(r"stat::peak_rss_mb:\s*(\d+)")
_LONGEST_INPUT = 65_536  # bytes
_LONGEST_RUN = 20  # s for one input


@dataclass(frozen=True)
class Outcome:
    """What became of one target."""

    executions: int
    peak_mb: int
    corpus: int
    failed: str | None


def fuzz(target: str, *, seconds: int, memory_mb: int) -> Outcome:
    """Run one target, and return what became of it."""
    corpus, failed = KEPT / "corpus" / target, KEPT / "failed" / target
    for folder in (corpus, failed):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds_of(target)):
        (corpus / f"seed-{number}").write_bytes(seed)
    before = set(failed.iterdir())
    done = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-m", "tests.fuzz.one", target),
            *(f"-max_total_time={seconds}", f"-rss_limit_mb={memory_mb}"),
            *(f"-timeout={_LONGEST_RUN}", f"-max_len={_LONGEST_INPUT}", "-print_final_stats=1"),
            *(f"-artifact_prefix={failed}/", str(corpus)),
        ],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    executions, peak = _EXECUTIONS.search(done.stderr), _PEAK.search(done.stderr)
    found = sorted(path.name for path in set(failed.iterdir()) - before)
    reason = None
    if done.returncode or found:
        (failed / "log.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
        reason = f"exit {done.returncode}; {', '.join(found) or 'no input kept'}"
    return Outcome(
        executions=int(executions[1]) if executions else 0,
        peak_mb=int(peak[1]) if peak else 0,
        corpus=sum(1 for _ in corpus.iterdir()),
        failed=reason,
    )


def main() -> int:
    """Run the targets that the command line names, else all."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=600, help="for each target")
    parser.add_argument("--memory", type=int, default=1024, help="MB for each target")
    asked = parser.parse_args()
    if unknown := sorted(set(asked.targets) - set(TARGETS)):
        parser.error(f"targets must be among {', '.join(TARGETS)}; got {', '.join(unknown)}")
    n_failed = 0
    print(
        "| target | executions | peak memory [MB] | inputs kept | failed |\n|---|---|---|---|---|"
    )
    for name in asked.targets or TARGETS:
        found = fuzz(name, seconds=asked.seconds, memory_mb=asked.memory)
        n_failed += found.failed is not None
        cells = (name, f"{found.executions:,}", found.peak_mb, f"{found.corpus:,}")
        print(f"| {' | '.join(map(str, cells))} | {found.failed or 'no'} |", flush=True)
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
