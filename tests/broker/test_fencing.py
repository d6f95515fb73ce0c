"""Fencing of zombies: workers that resume after their session expired publish and count nothing.

The process is stopped by itself at the worst moments of a transaction, as a pause of the machine
would, for longer than its group waits; another has taken its place when it goes on.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import CommitFailedError

from schemas.errors import StateError
from streams.runtime.broker.clients import make_producer
from streams.runtime.broker.topics import create_topics
from streams.runtime.broker.transactions import TransactionAborted, discard, transaction
from streams.runtime.settings import Settings
from streams.runtime.wire.deltas import decode_delta, encode_delta
from streams.runtime.workers.case_worker import CaseWorker
from tests.broker.support import processes
from tests.broker.support.processes import (
    Running,
    alerts,
    at,
    deltas,
    keyed,
    records,
    recount,
    report,
    require_contiguous,
    require_revisions,
    running,
    send,
    stream,
    wait_until,
)
from tests.broker.support.stages import MHRA_IC, count_all, detect_all

pytestmark = pytest.mark.broker

TRANSACTION = "streams.runtime.broker.transactions.Transaction"
MOMENTS = {
    "before the first record": (f"{TRANSACTION}.send", "before"),
    "before the commit": (f"{TRANSACTION}.wait_for_acknowledgements", "after"),
}
STOPPING = """
import os, signal, time
from pathlib import Path
from pkgutil import resolve_name
import streams.cli
owner, _, name = {place!r}.rpartition(".")
owner = resolve_name(owner)
original = getattr(owner, name)
def stopping(self, *arguments, **options):
    setattr(owner, name, original)
    if {when!r} == "after":
        original(self, *arguments, **options)
    print("stopped", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(1)  # the stop is of the process, and may reach this thread last
    if {when!r} == "before":
        return original(self, *arguments, **options)
def armed(self, *arguments, **options):
    if Path({trigger!r}).exists():
        return stopping(self, *arguments, **options)
    return original(self, *arguments, **options)
setattr(owner, name, armed)
streams.cli.main()
"""


@pytest.fixture
def one_partition(settings: Settings, tmp_path: Path) -> Settings:
    """Settings of topics with one partition, and a state directory."""
    chosen = {"partitions": 1, "state_dir": tmp_path / "state", "session_timeout_ms": 6_000}
    settings = settings.model_copy(update=chosen)
    create_topics(settings)
    return settings


@pytest.fixture
def zombie(
    one_partition: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Running]:
    """Worker that suspends itself once the file `trigger` exists."""
    stage, moment = request.param
    place, when = MOMENTS[moment]
    code = STOPPING.format(place=place, when=when, trigger=str(tmp_path / "trigger"))
    with monkeypatch.context() as patched:
        patched.setattr(processes, "COMMAND", (sys.executable, "-W", "ignore", "-c", code))
        worker = Running(one_partition, tmp_path / "zombie", "run", "--stage", stage, *MHRA_IC)
    try:
        yield worker
    finally:
        worker.kill()


def uncommitted(settings: Settings, name: str) -> list[Any]:
    """Read a topic of one partition with its uncommitted records."""
    partition = at(settings, name)
    consumer = KafkaConsumer(
        bootstrap_servers=settings.bootstrap, isolation_level="read_uncommitted"
    )
    found: list[Any] = []
    with closing(consumer):
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end = consumer.end_offsets([partition])[partition]
        while consumer.position(partition) < end:
            for polled in consumer.poll(timeout_ms=200).values():
                found += polled
    return found


def everything_visible(settings: Settings, name: str) -> bool:
    """Return whether no open transaction hides records."""
    partition = TopicPartition(f"{settings.topic_prefix}{name}", 0)
    ends = []
    for isolation in ("read_committed", "read_uncommitted"):
        consumer = KafkaConsumer(bootstrap_servers=settings.bootstrap, isolation_level=isolation)
        with closing(consumer):
            ends.append(consumer.end_offsets([partition])[partition])
    return ends[0] == ends[1]


def wake(worker: Running, words: str) -> None:
    worker.process.send_signal(signal.SIGCONT)
    worker.says(words, seconds=60)


@pytest.mark.parametrize(
    "zombie", [("cases", moment) for moment in MOMENTS], indirect=True, ids=MOMENTS
)
def test_a_resumed_case_worker_publishes_nothing(
    one_partition: Settings, zombie: Running, tmp_path: Path
) -> None:
    messages, latest = stream(300, seed=11)
    send(one_partition, keyed(messages[:100]))
    zombie.says("took ")
    wait_until(
        lambda: sum(require_contiguous(deltas(one_partition)).values()) == 100, 60, "counted"
    )
    (tmp_path / "trigger").touch()
    send(one_partition, keyed(messages[100:200]))
    zombie.says("stopped")
    with running(one_partition, tmp_path / "other", "run", "--stage", "cases") as other:
        other.says("took ", seconds=60)
        send(one_partition, keyed(messages[200:]))
        total = len(messages)
        wait_until(
            lambda: sum(require_contiguous(deltas(one_partition)).values()) == total, 60, "counted"
        )
        before = [record.offset for record in records(one_partition, "deltas")]
        wake(zombie, "released ")
        wait_until(
            lambda: everything_visible(one_partition, "deltas"), 30, "no transaction is open"
        )
        assert [record.offset for record in records(one_partition, "deltas")] == before
        other.stop()
    zombie.says("took ", times=2, seconds=60)
    zombie.stop()
    raw = {record.offset for record in uncommitted(one_partition, "deltas")}
    # It had written, in the case where it had come so far; nobody ever sees it.
    assert bool(raw - set(before)) == ("acknowledgements" in " ".join(zombie.process.args))
    assert sum(require_contiguous(deltas(one_partition)).values()) == total
    assert detect_all(one_partition) == recount(latest)


@pytest.mark.parametrize(
    "zombie", [("detect", moment) for moment in MOMENTS], indirect=True, ids=MOMENTS
)
def test_a_resumed_detector_publishes_nothing(
    one_partition: Settings, zombie: Running, tmp_path: Path
) -> None:
    messages, latest = stream(700, seed=12)
    zombie.says("detecting from")
    send(one_partition, keyed(messages[:300]))
    count_all(one_partition)
    wait_until(lambda: len(alerts(one_partition)) > 0, 60, "an alert")
    (tmp_path / "trigger").touch()
    send(one_partition, keyed(messages[300:500]))
    count_all(one_partition)
    zombie.says("stopped", seconds=60)
    before = len(alerts(one_partition))
    with running(one_partition, tmp_path / "other", "run", "--stage", "detect", *MHRA_IC) as other:
        other.says("detecting from", seconds=60)
        send(one_partition, keyed(messages[500:]))
        count_all(one_partition)
        wait_until(lambda: len(alerts(one_partition)) > before, 60, "an alert of the other")
        wake(zombie, "restoring after")
        other.stop()
    zombie.says("detecting from", times=2, seconds=60)
    zombie.stop()
    found = alerts(one_partition)
    require_revisions(found)
    ids = {alert.alert_id for alert in found}
    assert len(ids) == len(found)
    states = {record.key: record.value for record in records(one_partition, "signals")}
    assert states == {record.key: record.value for record in records(one_partition, "alerts")}
    assert detect_all(one_partition) == recount(latest)
    require_revisions(alerts(one_partition))


def test_the_group_refuses_a_zombie_with_a_new_producer(one_partition: Settings) -> None:
    messages, latest = stream(200, seed=13)
    send(one_partition, keyed(messages[:100]))
    gone = CaseWorker(one_partition)
    ends = gone.ends()
    while not gone.drained(ends):
        gone.step(100)
    stale = gone._group.membership.metadata
    gone.close()
    with closing(CaseWorker(one_partition)) as owner:
        while not owner._owned:
            owner.step(100)
        # What it does after an unclear failure: it takes its transactional id again.
        producer = make_producer(one_partition, f"{one_partition.topic_prefix}reports-cases-0")
        (published,) = records(one_partition, "deltas")
        with (
            pytest.raises(TransactionAborted) as refused,
            transaction(
                producer, offsets={at(one_partition, "reports"): 200}, group_metadata=stale
            ) as out,
        ):
            out.send(f"{one_partition.topic_prefix}deltas", published.value, b"0", partition=0)
        assert isinstance(refused.value.__cause__, CommitFailedError)
        discard(producer)
        assert len(records(one_partition, "deltas")) == 1
        send(one_partition, keyed(messages[100:]))
        ends = owner.ends()
        while not owner.drained(ends):
            owner.step(100)
    assert sum(require_contiguous(deltas(one_partition)).values()) == len(messages)
    assert detect_all(one_partition) == recount(latest)


def test_a_duplicate_delta_is_not_counted(one_partition: Settings, tmp_path: Path) -> None:
    messages, latest = stream(300, seed=14)
    send(one_partition, keyed(messages[:200]))
    count_all(one_partition)
    assert detect_all(one_partition)
    before = len(alerts(one_partition))
    # Without a transaction, as if the broker fenced nobody.
    (first,) = deltas(one_partition)
    with closing(make_producer(one_partition)) as producer:
        producer.send(f"{one_partition.topic_prefix}deltas", encode_delta(first), b"0", partition=0)
        producer.flush()
    assert len(deltas(one_partition)) == 2
    detect_all(one_partition)
    assert len(alerts(one_partition)) == before
    send(one_partition, keyed(messages[200:]))
    count_all(one_partition)
    assert detect_all(one_partition) == recount(latest)
    # So does a detector that has nothing but the topics.
    elsewhere = one_partition.model_copy(update={"state_dir": tmp_path / "elsewhere"})
    assert detect_all(elsewhere) == recount(latest)
    require_revisions(alerts(one_partition))


def test_a_partly_overlapping_delta_stops_the_detector(one_partition: Settings) -> None:
    send(one_partition, keyed([report(case) for case in range(20)]))
    count_all(one_partition)
    detect_all(one_partition)
    (counted,) = (decode_delta(record.value) for record in records(one_partition, "deltas"))
    longer = encode_delta(type(counted)(0, 10, 30, counted.watermark, counted.changes))
    with closing(make_producer(one_partition)) as producer:
        producer.send(f"{one_partition.topic_prefix}deltas", longer, b"0", partition=0)
        producer.flush()
    send(one_partition, keyed([report(20)]))
    count_all(one_partition)
    with pytest.raises(StateError, match=r"must follow one another from offset 20; got \[10, 30\)"):
        detect_all(one_partition)
