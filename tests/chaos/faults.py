"""Faults of a chaos run: kind, time and duration, drawn from the seed before it begins."""

import random
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from tests.broker.support.kafka_cluster import ClusterNode
from tests.chaos.proxy import Cut, Proxy
from tests.chaos.workers import Worker

__all__ = ["KINDS", "Fault", "Faults", "draw"]

KINDS = {
    "kill": 6,
    "empty disk": 3,
    "freeze": 4,
    "broker killed": 2,
    "broker restarted": 2,
    "broker cut off": 3,
    "all brokers cut off": 1,
    "worker cut off": 3,
    "disk full": 2,
    "database corrupted": 2,
}
"""Every kind of fault, and how often it comes beside the others."""


@dataclass
class Fault:
    """One fault.

    Attributes
    ----------
    after
        How many messages were sent when it comes.
    chance
        Where its own random numbers come from: target, length, way.
    """

    number: int
    kind: str
    after: int
    chance: random.Random
    target: str = ""
    began: float = 0.0
    lasted: float = 0.0
    recovered: float | None = None  # seconds after it began


def draw(number: int, messages: int, kinds: Iterable[str], chance: random.Random) -> list[Fault]:
    """Draw so many faults, every kind in its share, at random moments of the run."""
    deck: list[str] = []
    weighted = [kind for kind in kinds for _ in range(KINDS[kind])]
    while len(deck) < number:
        # First each kind once: a short run meets them all.
        deck += chance.sample(list(kinds), len(list(kinds))) if not deck else []
        deck += chance.sample(weighted, len(weighted))
    chosen = deck[:number]
    chance.shuffle(chosen)
    moments = sorted(chance.randrange(messages) for _ in range(number))
    return [
        Fault(at, kind, moment, random.Random(chance.random()))
        for at, (kind, moment) in enumerate(zip(chosen, moments, strict=True), 1)
    ]


class Faults:
    """Injects faults, each in a thread of its own, and undoes what it did.

    Parameters
    ----------
    workers, nodes, proxy
        What there is to break. One fault at a time has a worker, and one the brokers.
    session_seconds
        How long a worker may be silent.
    began
        Called with each fault as it happens.
    """

    def __init__(
        self,
        workers: list[Worker],
        nodes: list[ClusterNode],
        proxy: Proxy,
        session_seconds: float,
        began: Callable[[Fault], None],
    ) -> None:
        self._workers, self._nodes, self._proxy = workers, nodes, proxy
        self._session = session_seconds
        self._began = began
        self._free = threading.Condition()
        self._brokers = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.errors: list[str] = []

    def inject(self, fault: Fault) -> None:
        """Inject a fault in the background."""
        thread = threading.Thread(target=self._happen, args=(fault,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def over(self) -> None:
        """Wait until all faults are undone."""
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _happen(self, fault: Fault) -> None:
        ways = {
            "kill": self._kill,
            "empty disk": partial(self._kill, wipe=True),
            "freeze": self._freeze,
            "broker killed": self._broker,
            "broker restarted": partial(self._broker, gently=True),
            "broker cut off": self._cut,
            "all brokers cut off": partial(self._cut, everybody=True),
            "worker cut off": self._isolate,
            "disk full": self._fill,
            "database corrupted": self._corrupt,
        }
        try:
            ways[fault.kind](fault)
            fault.lasted = time.monotonic() - fault.began
        except Exception as error:
            self.errors.append(f"{fault.kind}: {error!r}")
            raise

    def _begins(self, fault: Fault, target: str) -> None:
        fault.target = target
        fault.began = time.monotonic()
        self._began(fault)

    @contextmanager
    def _reserved(self, fault: Fault, of: Callable[[Worker], bool]) -> Iterator[Worker]:
        """Reserve a running worker, once there is one that no other fault has."""
        candidates = [worker for worker in self._workers if of(worker)]
        fault.chance.shuffle(candidates)

        def free() -> Worker | None:
            return next(
                (candidate for candidate in candidates if not candidate.busy and candidate.runs),
                None,
            )

        with self._free:
            while (worker := free()) is None:
                self._free.wait(0.2)
            worker.busy = True
        try:
            yield worker
        finally:
            with self._free:
                worker.reserved = worker.busy = False
                self._free.notify_all()

    def _kill(self, fault: Fault, *, wipe: bool = False) -> None:
        with self._reserved(fault, lambda worker: True) as worker:
            worker.reserved = True
            self._begins(fault, worker.name)
            worker.kill()
            if wipe:
                worker.disk.empty()
            time.sleep(fault.chance.choice((0.0, 2.0, 1.2 * self._session)))

    def _freeze(self, fault: Fault) -> None:
        with self._reserved(fault, lambda worker: True) as worker:
            self._begins(fault, worker.name)
            worker.signal(signal.SIGSTOP)
            time.sleep(self._session * fault.chance.uniform(1.2, 2.2))
            worker.signal(signal.SIGCONT)
            time.sleep(2)  # it is a zombie now, until it notices

    def _broker(self, fault: Fault, *, gently: bool = False) -> None:
        with self._brokers:
            node = fault.chance.choice(self._nodes)
            self._begins(fault, f"broker {node.number}")
            (node.end if gently else node.kill)()
            time.sleep(fault.chance.uniform(0, 8))
            node.launch()
            node.wait_until_ready()

    def _cut(self, fault: Fault, *, everybody: bool = False) -> None:
        with self._brokers:
            how = fault.chance.choice(("reset", "silent", "deaf"))
            broker = None if everybody else fault.chance.choice(self._nodes).number
            self._begins(fault, f"{'all' if everybody else f'broker {broker}'}, {how}")
            self._while(Cut(how, broker=broker), fault.chance.uniform(2, 20))

    def _isolate(self, fault: Fault) -> None:
        with self._reserved(fault, lambda worker: True) as worker:
            how = fault.chance.choice(("reset", "silent", "deaf"))
            self._begins(fault, f"{worker.name}, {how}")
            self._while(Cut(how, pid=worker.pid), fault.chance.uniform(0.5, 2.5) * self._session)

    def _while(self, cut: Cut, seconds: float) -> None:
        self._proxy.cut(cut)
        time.sleep(seconds)
        self._proxy.heal(cut)

    def _fill(self, fault: Fault) -> None:
        with self._reserved(fault, _has_cases) as worker:
            self._begins(fault, worker.name)
            for _ in range(fault.chance.randint(8, 20)):
                worker.disk.fill()  # again: what it frees by clearing up is not room
                time.sleep(1)
            worker.disk.make_room()

    def _corrupt(self, fault: Fault) -> None:
        with self._reserved(fault, _has_cases) as worker:
            worker.reserved = True
            self._begins(fault, worker.name)
            worker.kill()
            fault.target += f", {worker.disk.corrupt(fault.chance)}"
            time.sleep(1)


def _has_cases(worker: Worker) -> bool:
    return worker.name.startswith("cases")
