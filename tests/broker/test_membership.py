"""Group membership: static restarts, duplicate group_instance_ids, stalled partitions."""

import time
from contextlib import closing
from pathlib import Path

import pytest

from schemas.errors import BrokerError
from streams.runtime.broker.topics import create_topics
from streams.runtime.settings import Settings
from streams.runtime.workers import stall_watchdog
from streams.runtime.workers.case_worker import CaseWorker
from tests.broker.support.processes import (
    Running,
    alerts,
    deltas,
    keyed,
    recount,
    report,
    require_contiguous,
    require_revisions,
    running,
    send,
    stream,
    wait_until,
)
from tests.broker.support.stages import MHRA_IC, detect_all

pytestmark = pytest.mark.broker

CASES = ("run", "--stage", "cases")
DETECT = ("run", "--stage", "detect", *MHRA_IC)


def named(settings: Settings, name: str) -> Settings:
    return settings.model_copy(update={"group_instance_id": name})


def took(worker: Running) -> list[str]:
    """Return the partitions a worker took and released, in order."""
    words = (line.split() for line in worker.text().splitlines())
    return [f"{w[i]} {w[i + 1]}" for w in words for i in range(len(w)) if w[i] in ASSIGNMENT_WORDS]


ASSIGNMENT_WORDS = ("took", "released")


def test_a_rolling_restart_moves_no_other_partition(settings: Settings, tmp_path: Path) -> None:
    # A busy machine takes seconds to start a process.
    settings = settings.model_copy(update={"partitions": 4, "session_timeout_ms": 20_000})
    create_topics(settings)
    messages, latest = stream(900, seed=41)
    states = tmp_path / "a", tmp_path / "b"
    with running(named(settings, "b"), states[1], *CASES) as staying:
        with running(named(settings, "a"), states[0], *CASES) as leaving:
            wait_until(lambda: min(len(took(leaving)), len(took(staying))) >= 2, 30, "both hold")
            send(settings, keyed(messages[:300]))
            wait_until(lambda: total(settings) == 300, 30, "counted")
            before = set(assigned_to(staying)), set(assigned_to(leaving))
            assert all(len(part) == 2 for part in before)
            assignments = took(staying)
            leaving.stop()
        send(settings, keyed(messages[300:600]))
        with running(named(settings, "a"), states[0], *CASES) as back:
            wait_until(lambda: len(took(back)) >= 2, 30, "back")
            wait_until(lambda: total(settings) == 600, 30, "counted")
            assert set(assigned_to(back)) == before[1]
            back.kill()  # rolling on after a crash is the same
        send(settings, keyed(messages[600:]))
        with running(named(settings, "a"), states[0], *CASES) as again:
            wait_until(lambda: total(settings) == len(messages), 30, "counted")
            assert set(assigned_to(again)) == before[1]
            assert took(staying) == assignments, "nothing of the other was touched"
            again.stop()
        staying.stop()
    one = settings.model_copy(update={"state_dir": tmp_path / "d"})
    assert detect_all(one) == recount(latest)


def assigned_to(worker: Running) -> list[str]:
    partitions: list[str] = []
    for line in took(worker):
        word, partition = line.split()
        partitions.append(partition) if word == "took" else partitions.remove(partition)
    return partitions


def total(settings: Settings) -> int:
    return sum(require_contiguous(deltas(settings)).values())


def test_a_duplicate_group_instance_id_is_one_clear_error(topics: Settings, tmp_path: Path) -> None:
    messages, latest = stream(400, seed=42)
    twin = named(topics, "twin")
    with running(twin, tmp_path / "a", *CASES) as first:
        first.says("took ", times=2)
        send(topics, keyed(messages[:200]))
        wait_until(lambda: total(topics) == 200, 30, "counted")
        with running(twin, tmp_path / "b", *CASES) as second:
            second.says("took ", times=2)
            send(topics, keyed(messages[200:]))
            assert first.process.wait(30) == 2
            last = first.text().strip().splitlines()[-1]
            assert last.startswith("tocsin: group ")
            assert (
                "group_instance_id must be of one worker at a time; got another with 'twin'" in last
            )
            wait_until(lambda: total(topics) == len(messages), 30, "counted")
            assert second.process.poll() is None
            second.stop()
    one = topics.model_copy(update={"state_dir": tmp_path / "d"})
    assert detect_all(one) == recount(latest)


def test_a_fenced_static_member_does_not_fence_back(
    one_partition: Settings, tmp_path: Path
) -> None:
    twin = named(one_partition, "twin")
    other = twin.model_copy(update={"state_dir": tmp_path / "other"})
    send(one_partition, keyed([report(1)]))
    with closing(CaseWorker(twin)) as first, closing(CaseWorker(other)) as second:
        while not first._owned:
            first.step(100)
        while not second._owned:
            second.step(100)
        send(one_partition, keyed([report(2)]))
        with pytest.raises(BrokerError, match="must be of one worker at a time"):
            step_for_ever(first)
        ends = second.ends()
        while not second.drained(ends):
            second.step(100)
    assert total(one_partition) == 2


def step_for_ever(worker: CaseWorker) -> None:
    while True:
        worker.step(100)


@pytest.mark.parametrize("how", ["seek", "rejoin"])
def test_a_stalled_partition_is_detected(
    one_partition: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    monkeypatch.setattr(stall_watchdog, "_CHECK_SECONDS", 0.1)
    monkeypatch.setattr(stall_watchdog, "_STALLED_SECONDS", 0.5)
    with closing(CaseWorker(one_partition)) as worker:
        while not worker._owned:
            worker.step(100)
        consumer = worker._group.consumer
        poll, seek = consumer.poll, consumer.seek

        def poll_nothing(timeout_ms: int) -> dict[object, object]:
            time.sleep(timeout_ms / 1000)
            return {}

        def seek_and_mend(*arguments: object) -> None:
            monkeypatch.setattr(consumer, "poll", poll)
            seek(*arguments)

        monkeypatch.setattr(consumer, "poll", poll_nothing)  # as if its fetches were lost
        if how == "seek":
            monkeypatch.setattr(consumer, "seek", seek_and_mend)
        time.sleep(1)
        for _ in range(12):
            worker.step(100)
        assert "no record from" not in caplog.text, "there is nothing to come"
        send(one_partition, keyed([report(1)]))
        deadline = time.monotonic() + 30
        while not worker.drained({0: 1}):
            worker.step(100)
            assert time.monotonic() < deadline
        assert (worker._group.consumer is consumer) is (how == "seek")
    assert caplog.text.count("no record from offset 0 on") == (1 if how == "seek" else 2)


def test_a_restoring_standby_detector_becomes_active(topics: Settings, tmp_path: Path) -> None:
    messages, latest = stream(800, seed=43)
    with (
        running(topics, tmp_path / "cases", *CASES) as cases,
        running(named(topics, "one"), tmp_path / "a", *DETECT) as active,
    ):
        active.says("detecting from offset")
        with running(named(topics, "two"), tmp_path / "b", *DETECT) as standby:
            send(topics, keyed(messages[:500]))
            wait_until(lambda: len(alerts(topics)) > 0, 30, "an alert")
            active.kill()
            standby.says("detecting from offset")
            send(topics, keyed(messages[500:]))
            wait_until(lambda: total(topics) == len(messages), 30, "counted")
            standby.stop()
        cases.stop()
    one = topics.model_copy(update={"state_dir": tmp_path / "d"})
    assert detect_all(one) == recount(latest)
    require_revisions(alerts(topics))
