"""Reading of ICH E2B batches beside the bare cost: `python -m benchmarks.e2b [--gigabytes N]`.

Scenarios, with permanent ids: `r3` and `r2`, batches of messages of the tests. Each is read twice
in one run: by lxml's `iterparse` alone, which touches every element, and by `read_e2b`. Times are
of the processor. `--gigabytes` reads a batch of that size in a process of its own and prints its
greatest memory, beside that of a batch of 16 MB.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lxml import etree

from streams.intake.e2b.reader import read_e2b
from tests.support import e2b_r2, e2b_r3

MOST_TIMES = 4  # of the bare cost
_BATCH_BYTES = 16_000_000
_CHUNK = 1_000  # messages
_MEASURES = """
import resource, sys
from pathlib import Path
from streams.intake.e2b.reader import read_e2b
number = sum(1 for _ in read_e2b(Path(sys.argv[1])))
print(number, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
_PARTS = {
    "r3": (e2b_r3.message_of(e2b_r3.REPORT).encode(), e2b_r3.batch_of([])),
    "r2": (e2b_r2.message_of().encode(), e2b_r2.batch_of([])),
}


def main() -> None:
    """Print the table of times, and the memory if asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=0.0)
    gigabytes = parser.parse_args().gigabytes
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "batch.xml"
        print("| batch | MB | messages | lxml [s] | read [s] | times |")
        print("|---|---:|---:|---:|---:|---:|")
        for scenario in _PARTS:
            number = write_batch(path, scenario, _BATCH_BYTES)
            bare = _seconds(lambda: iterate(path))
            read = _seconds(lambda: sum(1 for _ in read_e2b(path)))
            megabytes = path.stat().st_size / 1e6
            print(
                f"| {scenario} | {megabytes:.1f} | {number:,} | {bare:.2f} | {read:.2f} "
                f"| {read / bare:.1f} |"
            )
        if gigabytes:
            for scenario in _PARTS:
                for size in (_BATCH_BYTES, int(gigabytes * 1e9)):
                    write_batch(path, scenario, size)
                    print(f"{scenario}, {size / 1e6:,.0f} MB: {memory_of(path)} MB of memory")


def write_batch(path: Path, scenario: str, size: int) -> int:
    """Write a batch of about so many bytes; return the number of its messages."""
    message, batch = _PARTS[scenario]
    if scenario == "r3":
        end = batch.rindex(b"<receiver>")
        head, tail = batch[:end], batch[end:]
    else:
        head, tail = batch.removesuffix(b"</ichicsr>"), b"</ichicsr>"
    n_chunks = max(1, size // (len(message) * _CHUNK))
    with path.open("wb") as file:
        file.write(head)
        for _ in range(n_chunks):
            file.write(message * _CHUNK)
        file.write(tail)
    return n_chunks * _CHUNK


def iterate(path: Path) -> None:
    """Iterate over the elements of a document, and empty each."""
    for _, element in etree.iterparse(str(path)):
        element.clear()


def memory_of(path: Path) -> int:
    """Return the greatest memory of a process that reads a batch [MB]."""
    command = [sys.executable, "-c", _MEASURES, str(path)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(ended.stdout.split()[1])


def _seconds(run: Callable[[], object]) -> float:
    """Return the least time of three runs [s of the processor]."""
    found = []
    for _ in range(3):
        started = time.process_time()
        run()
        found.append(time.process_time() - started)
    return min(found)


if __name__ == "__main__":
    main()
