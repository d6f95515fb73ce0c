"""Everything hostile at once against one `serve` and one `deliver`, and what an authority gets.

Hostile receivers, hundreds of subscriptions, half-open connections, a public token that asks as
fast as it can, strangers without one, and bursts of alerts; meanwhile the authority's webhook must
get every alert, in order.
"""

import os
import random
import socket
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx2

from schemas.subscription import Filters, Subscription, Tier, Webhook
from streams.delivery.api.tokens import Scope, TokenStore
from streams.delivery.outbox import Outbox
from tests.attacks.receivers import HOSTILE, Receivers, receiving
from tests.support.alerts import signal
from tests.support.cli import COMMAND

__all__ = ["Attack", "Result", "attack"]

_SECRET = "k" * 32
_HALF = b"GET /v1/signals HTTP/1.1\r\nhost: x\r\nx-a: "
_SETTLE_SECONDS = 90.0  # s after the attack in which the last alerts must arrive


@dataclass(frozen=True)
class Attack:
    """Size of an attack."""

    seconds: float = 300.0
    subscriptions: int = 300
    half_open: int = 1_000
    alerts_a_second: float = 2.0
    burst: int = 100


@dataclass
class Result:
    """What the authority got, and what it cost.

    Attributes
    ----------
    latencies
        From the line in the file of alerts to its receipt [s].
    memory
        Resident memory of each process [MiB], sampled every second.
    asked
        Requests at each behaviour of the receivers.
    statuses
        Answers of the server to the token and to strangers.
    descriptors
        Largest number of open file descriptors of each process.
    """

    written: int = 0
    received: list[int] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    memory: dict[str, list[float]] = field(default_factory=dict)
    descriptors: dict[str, int] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    health: list[float] = field(default_factory=list)

    def growth(self, name: str) -> float:
        """Return the growth of a process from the second to the last quarter [MiB]."""
        samples = self.memory[name]
        quarter = max(1, len(samples) // 4)
        second, last = samples[quarter : 2 * quarter] or samples, samples[-quarter:]
        return statistics.median(last) - statistics.median(second)

    def lines(self) -> Iterator[str]:
        """Yield the result in words."""
        ordered = sorted(self.latencies)
        yield f"authority: {len(self.received)} of {self.written} alerts, in order: {self.in_order}"
        for share in (0.5, 0.99, 1.0):
            at = ordered[min(len(ordered) - 1, int(share * len(ordered)))]
            yield f"  delivery p{100 * share:g}: {at:.2f} s"
        yield f"  health check of the server, slowest: {max(self.health):.2f} s"
        for name, samples in self.memory.items():
            yield (
                f"{name}: peak {max(samples):.0f} MiB, growth from the second to the last quarter "
                f"{self.growth(name):+.1f} MiB, descriptors at most {self.descriptors[name]}"
            )
        yield f"receivers were asked: {dict(sorted(self.asked.items()))}"
        yield f"the server answered: {dict(sorted(self.statuses.items()))}"

    @property
    def in_order(self) -> bool:
        """Whether the authority got every alert once, in order."""
        return self.received == list(range(1, self.written + 1))


def attack(folder: Path, size: Attack) -> Result:
    """Attack, and wait until the authority has everything or time is over."""
    result, stop = Result(), threading.Event()
    alerts = folder / "alerts.jsonl"
    alerts.touch()
    with ExitStack() as opened:
        receivers = opened.enter_context(receiving())
        token = _subscribed(folder / "outbox.db", receivers, size.subscriptions)
        allowed = ("--allow-host", "127.0.0.1")
        deliver = opened.enter_context(_started(folder, "deliver", "alerts.jsonl", *allowed))
        serve = opened.enter_context(_started(folder, "serve", "alerts.jsonl", "--port", "0"))
        assert serve.stdout is not None
        address = serve.stdout.readline().removesuffix("/v1/openapi.json\n")
        written: dict[int, float] = {}
        processes = {"deliver": deliver.pid, "serve": serve.pid}
        jobs = [
            threading.Thread(target=_half_open, args=(address, size.half_open, stop)),
            threading.Thread(target=_ask, args=(address, token, "token", result, stop)),
            threading.Thread(target=_ask, args=(address, None, "stranger", result, stop)),
            threading.Thread(target=_watch, args=(processes, address, token, result, stop)),
        ]
        for job in jobs:
            job.start()
        try:
            _write(alerts, size, written)
            end = time.monotonic() + _SETTLE_SECONDS
            while len(receivers.messages) < len(written) and time.monotonic() < end:
                time.sleep(0.1)
        finally:
            stop.set()
            for job in jobs:
                job.join()
        assert (deliver.poll(), serve.poll()) == (None, None), "both processes live"
        result.written, result.asked = len(written), receivers.asked
        for at, body in receivers.messages:
            result.received.append(body["revision"])
            result.latencies.append(at - written[body["revision"]])
    return result


def _subscribed(path: Path, receivers: Receivers, number: int) -> str:
    """Save an authority's webhook among hostile ones; return a public token."""
    with Outbox(path, key=_SECRET.encode()) as outbox:
        for n in range(number):
            # Names on both sides of the authority's in every order; one in three is an authority.
            tier = (Tier.PUBLIC, Tier.CONSUMER, Tier.AUTHORITY)[n % 3]
            behaviour = list(HOSTILE)[n % len(HOSTILE)]
            outbox.subscribe(_webhook(f"{n:03}", f"stranger {n}", tier, receivers.url(behaviour)))
        good = _webhook("m", "PMDA", Tier.AUTHORITY, receivers.url("good"))
        outbox.subscribe(good)
    with TokenStore(path) as store:
        scopes = frozenset({Scope.ALERTS_READ, Scope.SUBSCRIPTIONS_WRITE})
        return store.add("press", Tier.PUBLIC, scopes, datetime.now(UTC))


def _webhook(name: str, subscriber: str, tier: Tier, url: str) -> Subscription:
    return Subscription(
        subscription_id=name,
        subscriber=subscriber,
        tier=tier,
        filters=Filters(),
        channel=Webhook(url=url),
    )


@contextmanager
def _started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with (folder / f"{arguments[0]}.log").open("w") as log:
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=folder,
            env=os.environ | {"TIER_KEY": _SECRET},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()


def _write(path: Path, size: Attack, written: dict[int, float]) -> None:
    """Append revisions of one signal at a steady rate, and a burst in the middle."""
    end, burst = time.monotonic() + size.seconds, size.burst
    half = time.monotonic() + size.seconds / 2
    with path.open("a") as file:
        while time.monotonic() < end:
            number = 1
            if burst and time.monotonic() > half:
                number, burst = burst, 0
            for _ in range(number):
                revision = len(written) + 1
                file.write(signal(3, revision=revision).model_dump_json() + "\n")
                written[revision] = time.monotonic()
            file.flush()
            time.sleep(1 / size.alerts_a_second)


def _half_open(address: str, number: int, stop: threading.Event) -> None:
    """Keep a number of connections without a complete request, opened again when closed."""
    host, _, port = address.removeprefix("http://").partition(":")
    halves: list[socket.socket] = []
    while not stop.wait(0.2):
        alive = []
        for one in halves:
            try:
                one.sendall(b"x")
                alive.append(one)
            except OSError:
                one.close()
        halves = alive
        while len(halves) < number and not stop.is_set():
            with suppress(OSError):
                one = socket.create_connection((host, int(port)), timeout=2)
                one.sendall(_HALF)
                halves.append(one)
    for one in halves:
        one.close()


def _ask(address: str, token: str | None, who: str, result: Result, stop: threading.Event) -> None:
    """Ask as fast as the server answers, for things that exist and things that do not."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    paths = ("/v1/signals", "/v1/subscriptions", "/v1/nothing", "/v1/subscriptions/m")
    with httpx2.Client(base_url=address, headers=headers, trust_env=False) as client:
        while not stop.wait(0.005):
            try:
                status = str(client.get(random.choice(paths), timeout=5).status_code)
            except httpx2.HTTPError as error:
                status = type(error).__name__
            result.statuses[f"{who} {status}"] += 1


def _watch(
    processes: dict[str, int], address: str, token: str, result: Result, stop: threading.Event
) -> None:
    """Sample memory and descriptors, and how long a new client waits, every second."""
    while not stop.wait(1.0):
        for name, pid in processes.items():
            status = Path(f"/proc/{pid}/status").read_text()
            resident = int(status.partition("VmRSS:")[2].split()[0]) / 1024
            result.memory.setdefault(name, []).append(resident)
            number = len(os.listdir(f"/proc/{pid}/fd"))
            result.descriptors[name] = max(number, result.descriptors.get(name, 0))
        began = time.monotonic()
        with suppress(httpx2.HTTPError):
            httpx2.get(f"{address}/v1/health", timeout=10, trust_env=False)
        result.health.append(time.monotonic() - began)
