"""Temporary failures: a broker that all workers need, or a resource of one partition."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import BrokerError
from streams.runtime.broker import transactions
from streams.runtime.broker.client_patches import Producer
from streams.runtime.broker.errors import BrokerUnavailable
from streams.runtime.broker.topics import create_topics
from streams.runtime.observability.readiness import Phase
from streams.runtime.settings import Settings
from streams.runtime.workers import (
    case_worker,
    detect_worker,
    link_worker,
    partition_publisher,
    partition_recovery,
)
from streams.runtime.workers.case_worker import CaseWorker
from streams.runtime.workers.link_worker import LinkWorker
from streams.runtime.workers.retrying import RetryingWorker
from tests.broker.support.kafka_server import KafkaServer, free_ports
from tests.broker.support.processes import (
    alerts,
    as_counts,
    at,
    deltas,
    keyed,
    recount,
    require_contiguous,
    require_revisions,
    running,
    send,
    stream,
    wait_until,
)
from tests.broker.support.stages import at_work, count_all, detect_all, detector
from tests.support.http import answer_of

pytestmark = pytest.mark.broker


def elsewhere(settings: Settings) -> Settings:
    return settings.model_copy(update={"state_dir": settings.state_dir.parent / "elsewhere"})


def works_until(worker: Any, done: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        worker.step(100)


@pytest.fixture(autouse=True)
def _threads_end(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Wait for abandoned threads to end and close their sockets."""
    monkeypatch.setattr(transactions, "FINISH_SECONDS", 5.0)
    monkeypatch.setattr(transactions, "ABORT_SECONDS", 3.0)
    yield
    deadline = time.monotonic() + 30
    ours = {"tocsin-publish", "tocsin-producer", "tocsin-connect", "tocsin-delete"}
    while found := [thread for thread in threading.enumerate() if thread.name in ours]:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


# one partition


@pytest.fixture
def two(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Topics with two partitions; a transaction is given up after three seconds."""
    settings = settings.model_copy(update={"state_dir": tmp_path / "state"})
    create_topics(settings)
    monkeypatch.setattr(partition_publisher, "BLOCK_AFTER_SECONDS", 0.5)
    monkeypatch.setattr(partition_publisher, "TRANSACTION_TIMEOUT_SECONDS", 3.0)
    monkeypatch.setattr(partition_publisher, "FENCING_GRACE_SECONDS", 0.5)
    return settings


class Coordinator:
    """Of the transactions of partition 0: it hangs, before or after it has done what is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, deaf: bool) -> None:
        self.back = threading.Event()
        self.deaf = deaf
        self.hangs = False
        self.hung = 0
        self.producers: set[int] = set()
        original = Producer.commit_transaction

        def commit(producer: Any) -> None:
            mine = str(producer.config["transactional_id"]).endswith("-cases-0")
            if not (mine and self.hangs):
                original(producer)
                return
            self.hung += 1
            self.producers.add(id(producer))
            if deaf:
                original(producer)
            self.back.wait(60)

        monkeypatch.setattr(Producer, "commit_transaction", commit, raising=False)


@pytest.fixture(params=["silent", "deaf"])
def coordinator(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Coordinator]:
    coordinator = Coordinator(monkeypatch, deaf=request.param == "deaf")
    yield coordinator
    coordinator.back.set()


def test_a_blocked_partition_does_not_block_others(two: Settings, coordinator: Coordinator) -> None:
    messages, latest = stream(400, seed=71)
    third = len(messages) // 3
    with closing(CaseWorker(two)) as worker:
        works_until(worker, lambda: worker.readiness().ready)
        send(two, keyed(messages[:third]))
        works_until(worker, lambda: worker.drained(worker.ends()))
        coordinator.hangs = True
        send(two, keyed(messages[third : 2 * third]))
        ends = worker.ends()
        began = time.monotonic()
        works_until(worker, lambda: worker._owned[1].published == ends[1])
        assert time.monotonic() - began < 20, "it has not waited for partition 0"
        works_until(worker, lambda: worker.readiness().phase is Phase.BLOCKED)
        (blocked,) = worker.readiness().blocked
        assert blocked.partition == 0
        assert "publish" in blocked.why
        assert worker._group.consumer.paused() == {at(two, "reports", 0)}
        # More comes: the other goes on, and nothing more is read of this one.
        counted = worker._owned[0].next_offset
        send(two, keyed(messages[2 * third :]))
        ends = worker.ends()
        works_until(worker, lambda: worker._owned[1].published == ends[1])
        if not coordinator.deaf:
            assert worker._owned[0].next_offset == counted < ends[0]
        # It is tried again, each time with a producer of its own. What was done is not done again.
        hung = coordinator.hung
        works_until(worker, lambda: coordinator.hung > hung)
        coordinator.hangs = False
        works_until(worker, lambda: worker.drained(ends))
        assert worker.readiness().phase is Phase.ACTIVE
        assert worker._group.consumer.paused() == set()
    assert len(coordinator.producers) >= 2
    assert sum(require_contiguous(deltas(two)).values()) == len(messages)
    assert detect_all(elsewhere(two)) == recount(latest)


def test_a_blocked_partition_is_finished_by_the_next_worker(
    two: Settings, coordinator: Coordinator
) -> None:
    messages, latest = stream(300, seed=72)
    coordinator.hangs = True
    send(two, keyed(messages))
    with closing(CaseWorker(two)) as worker:
        works_until(worker, lambda: worker.readiness().phase is Phase.BLOCKED)
    coordinator.hangs = False
    count_all(two)
    assert sum(require_contiguous(deltas(two)).values()) == len(messages)
    assert detect_all(elsewhere(two)) == recount(latest)


def test_a_partition_that_cannot_be_recovered_does_not_block_others(
    two: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, latest = stream(300, seed=73)
    send(two, keyed(messages))
    make, away = partition_recovery.partition_producer, threading.Event()
    away.set()

    def first_refused(settings: Settings, partition: Any) -> Any:
        if partition.partition == 0 and away.is_set():
            time.sleep(1)  # as long as a coordinator lets one wait that is away
            msg = "begin as pv.reports-cases-0: KafkaTimeoutError: no coordinator"
            raise BrokerUnavailable(msg)
        return make(settings, partition)

    monkeypatch.setattr(partition_recovery, "partition_producer", first_refused)
    with closing(CaseWorker(two)) as worker:
        ends = worker.ends()
        works_until(worker, lambda: 1 in worker._owned and worker._owned[1].published == ends[1])
        works_until(worker, lambda: bool(worker.readiness().blocked))
        (blocked,) = worker.readiness().blocked
        assert (blocked.partition, blocked.reason) == (0, "takeover")
        assert "no coordinator" in blocked.why
        assert worker.readiness().phase is Phase.RESTORING
        away.clear()
        works_until(worker, lambda: worker.drained(ends))
    assert sum(require_contiguous(deltas(two)).values()) == len(messages)
    assert detect_all(elsewhere(two)) == recount(latest)


# the broker


@pytest.fixture
def alone(killable: KafkaServer, tmp_path: Path) -> Settings:
    settings = Settings.load(
        bootstrap=killable.bootstrap,
        topic_prefix="outage.",
        partitions=2,
        connect_timeout_ms=2_000,
        session_timeout_ms=6_000,
        state_dir=tmp_path / "state",
    )
    create_topics(settings)
    return settings


def test_workers_survive_a_temporary_broker_outage(
    killable: KafkaServer, alone: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is lost just when the worker is about to ask something outside of `poll`."""
    messages, latest = stream(300, seed=74)
    send(alone, keyed(messages))

    killed = threading.Event()

    def lost_before(module: Any, name: str) -> None:
        original = getattr(module, name)

        def asked(*arguments: Any, **options: Any) -> Any:
            monkeypatch.setattr(module, name, original)
            killable.kill()
            killed.set()
            return original(*arguments, **options)

        monkeypatch.setattr(module, name, asked)

    stages: tuple[tuple[Callable[[], Any], Any, str], ...] = (
        (lambda: LinkWorker(alone), link_worker, "end_offsets"),
        (lambda: CaseWorker(alone), partition_recovery, "make_consumer"),
        (lambda: detector(alone), detect_worker, "make_producer"),
    )
    for make, module, name in stages:
        with closing(make()) as worker:
            ends = worker.ends()
            lost_before(module, name)
            recovers_from_an_outage(killable, killed, RetryingWorker(worker), ends)
            killed.clear()
    assert sum(require_contiguous(deltas(alone)).values()) == len(messages)
    require_revisions(alerts(alone))
    with at_work(alone, detector(alone)) as counting:
        assert as_counts(counting.counts()) == recount(latest)


def recovers_from_an_outage(
    killable: KafkaServer, killed: threading.Event, retrying: RetryingWorker, ends: dict[int, int]
) -> None:
    works_until(retrying, killed.is_set)
    # A partition is blocked on its own; the other stages have no other work.
    works_until(retrying, lambda: bool(retrying.readiness().blocked) or retrying._broken)
    assert not retrying.readiness().ready
    killable.restart()
    works_until(retrying, lambda: retrying.drained(ends))
    assert retrying.readiness().phase is Phase.ACTIVE


def test_a_worker_without_a_broker_logs_it_once_and_is_not_ready(
    killable: KafkaServer, alone: Settings, tmp_path: Path
) -> None:
    (port,) = free_ports(1)

    def ready() -> tuple[int, Any]:
        status, body = answer_of(port, "/health/ready")
        return status, json.loads(body) if status else {}

    options = ("run", "--stage", "cases", "--metrics-port", port)
    with running(alone, tmp_path / "waiting", *options) as worker:
        wait_until(lambda: ready()[0] == 200, 60, "ready")
        killable.kill()
        wait_until(lambda: ready()[1].get("status") == "disconnected", 30, "disconnected")
        status, body = ready()
        assert (status, body["stages"]["cases"]["status"]) == (503, "active"), "poll says nothing"
        assert body["why"].startswith("no broker for ")
        # It has failed so often that the client alone would have written a page.
        time.sleep(8)
        killable.restart()
        wait_until(lambda: ready()[0] == 200, 60, "ready again")
        said = [line for line in worker.err.read_text().splitlines() if " kafka." in line]
        assert sum("no broker is reached" in line for line in said) == 1, said
        assert sum("a broker answers again, after " in line for line in said) == 1, said
        begin, end = (
            next(at for at, line in enumerate(said) if words in line)
            for words in ("no broker is reached", "answers again")
        )
        assert end == begin + 1, said
        worker.stop()


def test_a_worker_with_all_partitions_blocked_gives_up_with_one_line(
    killable: KafkaServer, alone: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(case_worker, "_BLOCKED_SECONDS", 6.0)
    monkeypatch.setattr(partition_publisher, "BLOCK_AFTER_SECONDS", 0.5)
    messages, _ = stream(100, seed=75)
    send(alone, keyed(messages[:50]))
    with closing(CaseWorker(alone)) as worker:
        works_until(worker, lambda: worker.drained(worker.ends()))
        publish = type(worker._owned[0])._send

        def last(self: Any, *arguments: Any) -> None:
            killable.kill()
            publish(self, *arguments)

        monkeypatch.setattr(type(worker._owned[0]), "_send", last)
        send(alone, keyed(messages[50:]))
        with pytest.raises(BrokerError, match=r"; gave up after 6 s without any partition$"):
            works_until(worker, lambda: False)
