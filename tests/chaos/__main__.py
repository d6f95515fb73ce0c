"""Chaos test: random faults, then a comparison with a recount: ``python -m tests.chaos --seed 7``.

Real brokers, real `tocsin run` processes, real faults at moments drawn from the seed. Ends with 0
if nothing was lost, nothing stood twice and every number was right; else with 1 and what was wrong.
"""

import argparse
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from schemas.errors import TocsinError
from streams.runtime.broker.clients import make_producer
from streams.runtime.broker.topics import create_topics
from streams.runtime.broker.transactions import discard
from streams.runtime.settings import Settings
from tests.broker.support.kafka_cluster import running_cluster
from tests.broker.support.processes import as_counts
from tests.chaos.checks import Checks
from tests.chaos.faults import KINDS, Fault, Faults, draw
from tests.chaos.partitioners import PARTITIONS, with_partitioners
from tests.chaos.progress import Progress
from tests.chaos.proxy import Proxy
from tests.chaos.reports import FIRST_DAY, Sent, parts, probe, reports
from tests.chaos.safety import with_safety
from tests.chaos.workers import Disk, Supervisor, Worker
from tests.support.source_file_counts import Counts

BURSTS_A_SECOND = 1.0
QUIET_SECONDS = 420.0  # for what is unfinished when the faults are over
HEARD_SECONDS = 60.0  # for notices, which no delta stands for
SHOWN = 20  # differences


class Sender:
    """Puts messages onto the topic, and again until the broker acknowledges them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer: Any = None
        self.sent: Counter[bytes] = Counter()  # of the reports
        self.again = 0

    def send(self, burst: list[Sent]) -> None:
        while burst:
            missing: list[Sent] = []
            try:
                if self._producer is None:
                    self._producer = make_producer(self._settings)
                futures = [(one, future) for one in burst for future in self._send(one)]
                self._producer.flush(60)
                for one, future in futures:
                    if future.succeeded():
                        self.sent[one.value] += one.topic == "reports"
                    else:
                        missing.append(one)
            except Exception as error:
                print(f"    sending again: {error}")
                missing = burst
            if missing:
                self.again += len(missing)
                if self._producer is not None:
                    discard(self._producer)
                self._producer = None
                time.sleep(1)
            burst = missing

    def _send(self, one: Sent) -> list[Any]:
        topic = f"{self._settings.topic_prefix}{one.topic}"
        to = self._producer.partitions_for(topic) if one.to_all else [one.partition]
        return [self._producer.send(topic, one.value, one.key, partition=number) for number in to]

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close()


class Run:
    """One run: workers, faults, and the checks in between."""

    def __init__(self, options: argparse.Namespace, folder: Path, stack: ExitStack) -> None:
        self._options = options
        self._folder = folder
        nodes = stack.enter_context(running_cluster(options.brokers))
        proxy = Proxy({node.number: (node.front, node.behind) for node in nodes})
        stack.callback(proxy.stop)
        common = {
            "topic_prefix": "chaos.",
            "partitions": PARTITIONS,
            "replication_factor": min(3, options.brokers),
            "session_timeout_ms": options.session * 1_000,
            "key_required": False,  # some of its senders set none
        }
        inside = Settings(bootstrap=",".join(node.bootstrap for node in nodes), **common)
        through = Settings(
            bootstrap=",".join(f"127.0.0.1:{node.front}" for node in nodes), **common
        )
        create_topics(inside)
        self._checks = Checks(inside)
        stack.callback(self._checks.close)
        self._sender = Sender(inside)
        stack.callback(self._sender.close)
        self._progress = Progress(inside)
        self._progress.start()
        stack.callback(self._progress.stop)
        logs = folder / "logs"
        logs.mkdir()
        workers = []
        for name, arguments in self._commands().items():
            disk = Disk(folder / "disks" / name)
            stack.callback(disk.remove)
            workers.append(Worker(name, through, disk, logs, *arguments))
        self._detectors = [worker for worker in workers if worker.name.startswith("detect")]
        self.supervisor = Supervisor(workers)
        self.supervisor.start()
        stack.callback(self.supervisor.stop)
        self._faults = Faults(workers, nodes, proxy, options.session, self._begins)
        self.begun: list[Fault] = []
        self._start = time.monotonic()

    def go(self) -> None:
        """Send everything, with faults, and stop at every quiet point to compare."""
        options = self._options
        seed = options.seed
        messages = with_partitioners(with_safety(reports(options.reports, seed), seed), seed)
        chance = random.Random(options.seed)
        kinds = [kind for kind in KINDS if kind not in options.without]
        if not all(worker.disk.can_be_full for worker in self.supervisor.workers):
            print("no right to mount small disks: 'disk full' is LEFT OUT (run it as root)")
            kinds = [kind for kind in kinds if kind != "disk full"]
        due = draw(options.faults, len(messages), kinds, chance)
        phase = -(-len(messages) // options.quiet_points)
        self._quiet(0)  # all workers run before the first fault
        sent = 0
        for number, part in enumerate(parts(messages, phase), 1):
            for burst in parts(part, max(1, int(options.rate / BURSTS_A_SECOND))):
                wait = time.monotonic() + 1 / BURSTS_A_SECOND
                while due and due[0].after < sent + len(burst):
                    self._faults.inject(due.pop(0))
                self._sender.send(burst)
                sent += len(burst)
                time.sleep(max(0.0, wait - time.monotonic()))
            self._quiet(number)

    def _begins(self, fault: Fault) -> None:
        print(f"{self._clock()} {fault.number:3} {fault.kind}: {fault.target}")
        self.begun.append(fault)
        self._progress.begins(fault)

    def _quiet(self, number: int) -> None:
        """Wait until no work is pending, and compare everything."""
        self._faults.over()
        begun = time.monotonic()
        self._drain()
        rest = time.monotonic() - begun
        # A day later: whatever is due at the close of a day has been published then.
        last = self._checks_day()
        self._sender.send([probe(number, last + timedelta(days=1))])
        self._drain()
        self._await_safety_alerts()
        counted = self._stop_detectors()
        checks = self._checks
        checks.run(self._sender.sent, counted)
        checked = ", ".join(f"{n:,} {name}" for name, n in checks.checked.items())
        found = len(checks.differences)
        print(
            f"{self._clock()} quiet point {number}, at rest {rest:.0f} s after the last fault: "
            f"{checked}; differences: {found}"
        )
        if found:
            raise Wrong

    def _checks_day(self) -> date:
        # The checks have yet to read this phase's reports: the sender's days tell.
        days = [FIRST_DAY]
        for value in self._sender.sent:
            at = value.find(b'"latest_received": "')
            if at >= 0:
                days.append(date.fromisoformat(value[at + 20 : at + 30].decode()))
        return max(days)

    def _drain(self) -> None:
        deadline = time.monotonic() + QUIET_SECONDS
        while not self._progress.drained():
            if time.monotonic() > deadline:
                self._checks.differences.append(
                    f"not at rest within {QUIET_SECONDS:.0f} s: {self._progress.state()}"
                )
                for worker in self.supervisor.workers:
                    print(f"--- {worker.name}, runs: {worker.runs}\n{worker.last_lines()}")
                raise Wrong
            time.sleep(0.3)

    def _await_safety_alerts(self) -> None:
        """Wait until the alerts of the notices are published; the checks name missing ones."""
        deadline = time.monotonic() + HEARD_SECONDS
        while not self._checks.safety.is_complete() and time.monotonic() < deadline:
            time.sleep(0.5)

    def _stop_detectors(self) -> Counts:
        """Stop the detectors in order; return the counts that the active one wrote."""
        deadline = time.monotonic() + QUIET_SECONDS
        while time.monotonic() < deadline:
            files = [self._counts(worker.name) for worker in self._detectors]
            for file in files:
                file.unlink(missing_ok=True)
            for worker in self._detectors:
                worker.reserved = True
                worker.signal(signal.SIGTERM)
            for worker in self._detectors:
                worker.wait(60)
            for worker in self._detectors:
                worker.reserved = False
            for file in files:
                if file.exists():
                    return dict(as_counts(pl.read_parquet(file)))
            time.sleep(15)  # both stood by for a moment, or had only just been started
        self._checks.differences.append("no detector was active and stopped in order")
        raise Wrong

    def _commands(self) -> dict[str, tuple[object, ...]]:
        cases = {f"cases-{at}": ("run", "--stage", "cases") for at in (1, 2, 3)}
        detect = ("run", "--stage", "detect", "--rules", "mhra", "--screening", "none", "--counts")
        link = {f"link-{at}": ("run", "--stage", "link") for at in (1, 2)}
        counting = {f"detect-{at}": (*detect, self._counts(f"detect-{at}")) for at in (1, 2)}
        return link | cases | counting

    def _counts(self, name: str) -> Path:
        return self._folder / f"{name}.parquet"

    def _clock(self) -> str:
        seconds = int(time.monotonic() - self._start)
        return f"{seconds // 60:3}:{seconds % 60:02}"

    def summary(self) -> bool:
        """Print the summary; return whether all checks passed."""
        by_kind = Counter(fault.kind for fault in self.begun)
        print(f"\n{'fault':24}{'injected':>9}{'recovery, seconds: median':>28}{'max':>8}")
        for kind in KINDS:
            seconds = self._seconds([fault for fault in self.begun if fault.kind == kind])
            print(f"{kind:24}{by_kind[kind]:9}{seconds}")
        print(f"{'all':24}{len(self.begun):9}{self._seconds(self.begun)}")
        exits = self.supervisor.exits
        for worker in self.supervisor.workers:
            print(f"{worker.name}: started {worker.starts} times")
        asked = sum(ended.asked for ended in exits)
        print(f"workers ended: {len(exits)}, of these told to {asked}, by themselves with words:")
        for words, number in Counter(
            f"{ended.code}: {ended.words}" for ended in exits if not ended.asked
        ).most_common():
            print(f"  {number} x {words}")
        unclear = [ended for ended in exits if not ended.clear]
        for one, number in Counter(unclear).items():
            print(f"NOT CLEAR, {number} times: {one}")
        for error in self._faults.errors:
            print(f"THE SUITE ITSELF FAILED: {error}")
        print(f"messages sent: {self._sender.sent.total():,}, again: {self._sender.again:,}")
        for what in self._checks.differences[:SHOWN]:
            print(f"DIFFERENCE: {what}")
        print(f"differences: {len(self._checks.differences)}")
        return not (self._checks.differences or unclear or self._faults.errors)

    def _seconds(self, faults: list[Fault]) -> str:
        seconds = [fault.recovered for fault in faults if fault.recovered is not None]
        if not seconds:
            return f"{'-':>28}{'-':>8}"
        return f"{statistics.median(seconds):28.1f}{max(seconds):8.1f}"


class Wrong(Exception):
    """Invariants are broken; the differences are its text."""


@contextmanager
def scratch(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True)
        yield keep
    else:
        with tempfile.TemporaryDirectory(prefix="tocsin-chaos-") as folder:
            yield Path(folder)


def main() -> int:
    """Run with the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--reports", type=int, default=200_000)
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--rate", type=float, default=170.0, help="reports a second")
    parser.add_argument("--quiet-points", type=int, default=5)
    parser.add_argument("--brokers", type=int, default=3)
    parser.add_argument("--session", type=int, default=10, help="session timeout [s]")
    parser.add_argument("--without", nargs="*", choices=list(KINDS), default=[])
    parser.add_argument("--keep", type=Path, help="folder for logs, which then stays")
    options = parser.parse_args()
    # An early end of this process also ends its child processes.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(130))
    print("python -m tests.chaos", " ".join(sys.argv[1:]))
    print(f"seed {options.seed}: the same --seed gives the same reports and faults", flush=True)
    with ExitStack() as stack:
        folder = stack.enter_context(scratch(options.keep))
        run = Run(options, folder, stack)
        try:
            run.go()
        except (Wrong, TocsinError) as error:
            print(f"stopped: {error!r}")
        run.supervisor.stop()
        right = run.summary()
    return 0 if right else 1


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    sys.exit(main())
