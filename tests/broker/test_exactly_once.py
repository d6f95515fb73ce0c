"""Exactly-once under crashes on a real Kafka: before and after a commit, fenced, reassigned."""

import shutil
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kafka.coordinator.base import MemberState

from schemas.errors import BrokerError, StateError
from streams.runtime.broker import membership
from streams.runtime.broker.clients import make_admin, make_producer
from streams.runtime.broker.topics import create_topics
from streams.runtime.broker.transactions import TransactionAborted, discard
from streams.runtime.settings import Settings
from streams.runtime.wire.limits import MAX_MESSAGE_BYTES
from streams.runtime.workers import alert_publisher, case_partition
from streams.runtime.workers.case_partition import CasePartition
from streams.runtime.workers.case_worker import CaseWorker, case_group
from streams.runtime.workers.detect_worker import DetectWorker, detect_group
from streams.runtime.workers.detector_session import DetectorSession
from streams.runtime.workers.partition_publisher import PartitionPublisher
from tests.broker.support.processes import (
    alerts,
    as_counts,
    deltas,
    keyed,
    records,
    recount,
    report,
    require_contiguous,
    require_revisions,
    send,
    stream,
)
from tests.broker.support.retention import forget_offsets
from tests.broker.support.stages import (
    Crash,
    at_work,
    count_all,
    detect_all,
    detector,
    publishing_cut_off,
)

pytestmark = pytest.mark.broker


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_around_publishing_neither_loses_nor_repeats(
    one_partition: Settings, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    messages, latest = stream(200, seed=1)
    send(one_partition, keyed(messages))
    at = {"before": (CasePartition, "_send"), "after": (PartitionPublisher, "_done")}[moment]

    def crash(self: Any, *arguments: Any) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(*at, crash)
        with pytest.raises(Crash):
            count_all(one_partition)
    count_all(one_partition)
    assert sum(require_contiguous(deltas(one_partition)).values()) == len(messages)
    assert detect_all(one_partition) == recount(latest)


def test_a_fenced_worker_rejoins_and_continues(one_partition: Settings) -> None:
    messages, latest = stream(200, seed=2)
    send(one_partition, keyed(messages[:100]))
    with at_work(one_partition, CaseWorker(one_partition)) as worker:
        discard(make_producer(one_partition, f"{one_partition.topic_prefix}reports-cases-0"))
        send(one_partition, keyed(messages[100:]))
        ends = worker.ends()
        while not worker.drained(ends):
            worker.step(100)
    assert sum(require_contiguous(deltas(one_partition)).values()) == len(messages)
    assert detect_all(one_partition) == recount(latest)


def test_a_lost_join_is_retried(one_partition: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "_STALLED_SECONDS", 0.5)
    with at_work(one_partition, CaseWorker(one_partition)) as worker:
        while not worker._owned:
            worker.step(100)
        hanging = worker._group.consumer
        rebalancing = hanging.group_metadata()._replace(state=MemberState.REBALANCING)
        monkeypatch.setattr(hanging, "group_metadata", lambda: rebalancing)  # and so for ever
        while worker._group.consumer is hanging:
            worker.step(100)
        send(one_partition, keyed([report(1)]))
        ends = worker.ends()
        while not worker.drained(ends):
            worker.step(100)
    assert len(deltas(one_partition)) == 1


def test_a_fenced_detector_rejoins_and_repeats_no_alert(one_partition: Settings) -> None:
    messages, latest = stream(400, seed=3)
    send(one_partition, keyed(messages[:300]))
    count_all(one_partition)
    with at_work(one_partition, detector(one_partition)) as worker:
        discard(make_producer(one_partition, f"{one_partition.topic_prefix}deltas-detect"))
        send(one_partition, keyed(messages[300:]))
        count_all(one_partition)
        ends = worker.ends()
        while not worker.drained(ends):
            worker.step(100)
        assert as_counts(worker.counts()) == recount(latest)
    require_revisions(alerts(one_partition))


def test_a_diverged_database_is_rebuilt(
    one_partition: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, latest = stream(300, seed=4)
    send(one_partition, keyed(messages[:200]))

    def crash(self: CasePartition, *arguments: Any) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(CasePartition, "_send", crash)
        with pytest.raises(Crash):
            count_all(one_partition)  # 0 to 200 are counted here, and not published
    other = one_partition.model_copy(update={"state_dir": tmp_path / "other"})
    with monkeypatch.context() as patched:
        few = partial(membership.make_consumer, max_poll_records=60)
        patched.setattr(membership, "make_consumer", few)
        with closing(CaseWorker(other)) as worker:
            while not deltas(one_partition):
                worker.step(100)  # 0 to 60 are published elsewhere
    send(one_partition, keyed(messages[200:]))
    count_all(one_partition)
    assert (tmp_path / "state" / "cases" / "0.diverged").is_dir()
    assert deltas(one_partition)[0].next_offset == 60
    assert sum(require_contiguous(deltas(one_partition)).values()) == len(messages)
    assert detect_all(one_partition) == recount(latest)


@pytest.mark.parametrize("lost", [True, False])
def test_expired_group_offsets_cause_no_duplicates(
    one_partition: Settings, tmp_path: Path, lost: bool
) -> None:
    messages, latest = stream(600, seed=5)
    send(one_partition, keyed(messages[:400]))
    count_all(one_partition)
    detect_all(one_partition)
    published = len(alerts(one_partition))
    assert published
    for group in (case_group(one_partition), detect_group(one_partition)):
        forget_offsets(one_partition, group)
    if lost:
        shutil.rmtree(tmp_path / "state")
    detect_all(one_partition)
    assert len(alerts(one_partition)) == published
    send(one_partition, keyed(messages[400:]))
    count_all(one_partition)
    assert sum(require_contiguous(deltas(one_partition)).values()) == len(messages)
    assert detect_all(one_partition) == recount(latest)
    require_revisions(alerts(one_partition))


def test_a_report_rejected_for_a_future_date_stays_rejected(
    one_partition: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = report(1).model_copy(
        update={"latest_received": datetime.now(UTC).date() + timedelta(5)}
    )
    nullified = report(1, 2, nullified=True)
    send(one_partition, keyed([early, report(2)]))
    count_all(one_partition)
    assert len(records(one_partition, "rejected")) == 1
    shutil.rmtree(tmp_path / "state")

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Later":
            return cls(2200, 1, 1, tzinfo=tz)

    monkeypatch.setattr(case_partition, "datetime", Later)
    send(one_partition, keyed([nullified]))
    count_all(one_partition)
    assert [row for delta in deltas(one_partition) for row in delta.changes["case_id"]] == ["C2"]
    assert detect_all(one_partition) == recount([report(2)])


def test_a_recreated_topic_is_detected(one_partition: Settings) -> None:
    messages, _ = stream(50, seed=6)
    send(one_partition, keyed(messages))
    count_all(one_partition)
    topic = f"{one_partition.topic_prefix}reports"
    with closing(make_admin(one_partition)) as admin:
        forget_offsets(one_partition, case_group(one_partition))
        admin.delete_topics([topic])
    for _ in range(50):
        with closing(make_admin(one_partition)) as admin:
            if topic not in admin.list_topics():
                break
    create_topics(one_partition)
    send(one_partition, keyed(messages[:3]))
    with pytest.raises(StateError, match="it was created again, or the broker lost records"):
        count_all(one_partition)


def test_a_failed_detector_writes_no_snapshot_of_unpublished_counts(
    one_partition: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    messages, latest = stream(300, seed=7)
    send(one_partition, keyed(messages))
    count_all(one_partition)

    def crash(self: DetectWorker, *arguments: Any) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(DetectWorker, "_publish", crash)
        with pytest.raises(Crash):
            detect_all(one_partition)
    assert not (tmp_path / "state" / "detect").exists()
    monkeypatch.setattr(alert_publisher, "_ALERTS", 3)  # many transactions for one batch
    assert detect_all(one_partition) == recount(latest)
    found = alerts(one_partition)
    assert len(found) > 3
    require_revisions(found)
    assert detect_all(one_partition) == recount(latest)  # from the snapshot
    assert len(alerts(one_partition)) == len(found)


def test_an_evaluation_survives_a_permanent_publish_failure(
    one_partition: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, latest = stream(300, seed=9)
    send(one_partition, keyed(messages))
    count_all(one_partition)
    publish = DetectWorker._publish
    tried = []

    def fail_once(self: DetectWorker, *arguments: Any) -> None:
        tried.append(1)
        if len(tried) == 2:  # the first is where the detector begins
            msg = "refused"
            raise BrokerError(msg)
        publish(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(DetectWorker, "_publish", fail_once)
        with pytest.raises(BrokerError, match="refused"):
            detect_all(one_partition)
    assert alerts(one_partition) == []
    assert detect_all(one_partition) == recount(latest)
    found = alerts(one_partition)
    assert len(found) > 3
    require_revisions(found)


@pytest.mark.parametrize("outcome", ["published", "aborted"])
def test_the_next_evaluation_runs_while_alerts_are_being_published(
    one_partition: Settings, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    reports = [report(case) for case in range(300)]
    send(one_partition, keyed(reports[:100]))
    count_all(one_partition)
    with at_work(
        one_partition, detector(one_partition)
    ) as worker:  # the first closes the days before: it waits
        first = len(alerts(one_partition))
        publish, evaluate = DetectWorker._publish, DetectorSession.evaluate
        evaluations: list[int] = []  # how many alerts were published at the end of each
        evaluated = threading.Event()

        def wait_to_publish(self: DetectWorker, *arguments: Any) -> None:
            assert evaluated.wait(60)
            if outcome == "aborted" and len(evaluations) == 2:
                msg = "as the broker will have it"
                raise TransactionAborted(msg)
            publish(self, *arguments)

        def noted(self: DetectorSession) -> Any:
            result = evaluate(self)
            evaluations.append(len(alerts(one_partition)))
            if len(evaluations) == 2:
                evaluated.set()
            return result

        monkeypatch.setattr(DetectWorker, "_publish", wait_to_publish)
        monkeypatch.setattr(DetectorSession, "evaluate", noted)
        for part in (reports[100:200], reports[200:]):
            send(one_partition, keyed(part))
            count_all(one_partition)
            before = len(evaluations)
            while len(evaluations) == before:
                worker.step(100)
        ends = worker.ends()
        while not worker.drained(ends):
            worker.step(100)
        assert as_counts(worker.counts()) == recount(reports)
    assert evaluations[:2] == [first, first]
    found = alerts(one_partition)
    assert len(found) > first
    require_revisions(found)


def test_alerts_interrupted_between_transactions_are_completed(
    one_partition: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, latest = stream(300, seed=8)
    send(one_partition, keyed(messages))
    count_all(one_partition)
    with publishing_cut_off(monkeypatch):
        detect_all(one_partition)
    assert len(alerts(one_partition)) == 6
    assert detect_all(one_partition) == recount(latest)
    found = alerts(one_partition)
    assert len(found) > 6
    require_revisions(found)
    assert {alert.revision for alert in found} == {1}


def test_a_reject_of_maximum_size_is_published(one_partition: Settings) -> None:
    send(one_partition, [(b"k", b"x" * (MAX_MESSAGE_BYTES - 200)), *keyed([report(1)])])
    count_all(one_partition)
    (reject,) = records(one_partition, "rejected")
    assert dict(reject.headers)["size"] == str(MAX_MESSAGE_BYTES - 200).encode()
    assert detect_all(one_partition) == recount([report(1)])
