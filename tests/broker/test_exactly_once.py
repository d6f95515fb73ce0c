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
    one: Settings, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    messages, latest = stream(200, seed=1)
    send(one, keyed(messages))
    at = {"before": (CasePartition, "_send"), "after": (PartitionPublisher, "_done")}[moment]

    def crash(self: Any, *arguments: Any) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(*at, crash)
        with pytest.raises(Crash):
            count_all(one)
    count_all(one)
    assert sum(require_contiguous(deltas(one)).values()) == len(messages)
    assert detect_all(one) == recount(latest)


def test_a_fenced_worker_joins_anew_and_goes_on(one: Settings) -> None:
    messages, latest = stream(200, seed=2)
    send(one, keyed(messages[:100]))
    with at_work(one, CaseWorker(one)) as worker:
        discard(make_producer(one, f"{one.topic_prefix}reports-cases-0"))
        send(one, keyed(messages[100:]))
        ends = worker.ends()
        while not worker.drained(ends):
            worker.step(100)
    assert sum(require_contiguous(deltas(one)).values()) == len(messages)
    assert detect_all(one) == recount(latest)


def test_a_join_that_the_client_forgot_is_begun_anew(
    one: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(membership, "_STALLED_SECONDS", 0.5)
    with at_work(one, CaseWorker(one)) as worker:
        while not worker._owned:
            worker.step(100)
        hanging = worker._group.consumer
        rebalancing = hanging.group_metadata()._replace(state=MemberState.REBALANCING)
        monkeypatch.setattr(hanging, "group_metadata", lambda: rebalancing)  # and so for ever
        while worker._group.consumer is hanging:
            worker.step(100)
        send(one, keyed([report(1)]))
        ends = worker.ends()
        while not worker.drained(ends):
            worker.step(100)
    assert len(deltas(one)) == 1


def test_a_fenced_detector_joins_anew_and_repeats_no_alert(one: Settings) -> None:
    messages, latest = stream(400, seed=3)
    send(one, keyed(messages[:300]))
    count_all(one)
    with at_work(one, detector(one)) as worker:
        discard(make_producer(one, f"{one.topic_prefix}deltas-detect"))
        send(one, keyed(messages[300:]))
        count_all(one)
        ends = worker.ends()
        while not worker.drained(ends):
            worker.step(100)
        assert as_counts(worker.counts()) == recount(latest)
    require_revisions(alerts(one))


def test_a_database_that_counted_what_another_published_otherwise_is_rebuilt(
    one: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, latest = stream(300, seed=4)
    send(one, keyed(messages[:200]))

    def crash(self: CasePartition, *arguments: Any) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(CasePartition, "_send", crash)
        with pytest.raises(Crash):
            count_all(one)  # 0 to 200 are counted here, and not published
    other = one.model_copy(update={"state_dir": tmp_path / "other"})
    with monkeypatch.context() as patched:
        few = partial(membership.make_consumer, max_poll_records=60)
        patched.setattr(membership, "make_consumer", few)
        with closing(CaseWorker(other)) as worker:
            while not deltas(one):
                worker.step(100)  # 0 to 60 are published elsewhere
    send(one, keyed(messages[200:]))
    count_all(one)
    assert (tmp_path / "state" / "cases" / "0.diverged").is_dir()
    assert deltas(one)[0].next_offset == 60
    assert sum(require_contiguous(deltas(one)).values()) == len(messages)
    assert detect_all(one) == recount(latest)


@pytest.mark.parametrize("lost", [True, False])
def test_groups_whose_offsets_have_expired_publish_nothing_twice(
    one: Settings, tmp_path: Path, lost: bool
) -> None:
    messages, latest = stream(600, seed=5)
    send(one, keyed(messages[:400]))
    count_all(one)
    detect_all(one)
    published = len(alerts(one))
    assert published
    for group in (case_group(one), detect_group(one)):
        forget_offsets(one, group)
    if lost:
        shutil.rmtree(tmp_path / "state")
    detect_all(one)
    assert len(alerts(one)) == published
    send(one, keyed(messages[400:]))
    count_all(one)
    assert sum(require_contiguous(deltas(one)).values()) == len(messages)
    assert detect_all(one) == recount(latest)
    require_revisions(alerts(one))


def test_what_was_rejected_for_its_date_stays_rejected_when_the_date_is_past(
    one: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = report(1).model_copy(
        update={"latest_received": datetime.now(UTC).date() + timedelta(5)}
    )
    nullified = report(1, 2, nullified=True)
    send(one, keyed([early, report(2)]))
    count_all(one)
    assert len(records(one, "rejected")) == 1
    shutil.rmtree(tmp_path / "state")

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Later":
            return cls(2200, 1, 1, tzinfo=tz)

    monkeypatch.setattr(case_partition, "datetime", Later)
    send(one, keyed([nullified]))
    count_all(one)
    assert [row for delta in deltas(one) for row in delta.changes["case_id"]] == ["C2"]
    assert detect_all(one) == recount([report(2)])


def test_a_topic_that_was_made_anew_is_not_taken_for_the_old_one(one: Settings) -> None:
    messages, _ = stream(50, seed=6)
    send(one, keyed(messages))
    count_all(one)
    topic = f"{one.topic_prefix}reports"
    with closing(make_admin(one)) as admin:
        forget_offsets(one, case_group(one))
        admin.delete_topics([topic])
    for _ in range(50):
        with closing(make_admin(one)) as admin:
            if topic not in admin.list_topics():
                break
    create_topics(one)
    send(one, keyed(messages[:3]))
    with pytest.raises(StateError, match="it was created again, or the broker lost records"):
        count_all(one)


def test_a_detector_that_breaks_off_leaves_no_snapshot_of_what_is_not_published(
    one: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    messages, latest = stream(300, seed=7)
    send(one, keyed(messages))
    count_all(one)

    def crash(self: DetectWorker, *arguments: Any) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(DetectWorker, "_publish", crash)
        with pytest.raises(Crash):
            detect_all(one)
    assert not (tmp_path / "state" / "detect").exists()
    monkeypatch.setattr(alert_publisher, "_ALERTS", 3)  # many transactions for one batch
    assert detect_all(one) == recount(latest)
    found = alerts(one)
    assert len(found) > 3
    require_revisions(found)
    assert detect_all(one) == recount(latest)  # from the snapshot
    assert len(alerts(one)) == len(found)


def test_an_evaluation_is_not_lost_when_publishing_it_fails_for_good(
    one: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, latest = stream(300, seed=9)
    send(one, keyed(messages))
    count_all(one)
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
            detect_all(one)
    assert alerts(one) == []
    assert detect_all(one) == recount(latest)
    found = alerts(one)
    assert len(found) > 3
    require_revisions(found)


@pytest.mark.parametrize("outcome", ["published", "aborted"])
def test_the_next_evaluation_runs_while_alerts_are_being_published(
    one: Settings, monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    reports = [report(case) for case in range(300)]
    send(one, keyed(reports[:100]))
    count_all(one)
    with at_work(one, detector(one)) as worker:  # the first closes the days before: it waits
        first = len(alerts(one))
        publish, evaluate = DetectWorker._publish, DetectorSession.evaluate
        evaluations: list[int] = []  # how many alerts were published at the end of each
        evaluated = threading.Event()

        def held(self: DetectWorker, *arguments: Any) -> None:
            assert evaluated.wait(60)
            if outcome == "aborted" and len(evaluations) == 2:
                msg = "as the broker will have it"
                raise TransactionAborted(msg)
            publish(self, *arguments)

        def noted(self: DetectorSession) -> Any:
            result = evaluate(self)
            evaluations.append(len(alerts(one)))
            if len(evaluations) == 2:
                evaluated.set()
            return result

        monkeypatch.setattr(DetectWorker, "_publish", held)
        monkeypatch.setattr(DetectorSession, "evaluate", noted)
        for part in (reports[100:200], reports[200:]):
            send(one, keyed(part))
            count_all(one)
            before = len(evaluations)
            while len(evaluations) == before:
                worker.step(100)
        ends = worker.ends()
        while not worker.drained(ends):
            worker.step(100)
        assert as_counts(worker.counts()) == recount(reports)
    assert evaluations[:2] == [first, first]
    found = alerts(one)
    assert len(found) > first
    require_revisions(found)


def test_alerts_cut_off_between_two_transactions_are_completed(
    one: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, latest = stream(300, seed=8)
    send(one, keyed(messages))
    count_all(one)
    with publishing_cut_off(monkeypatch):
        detect_all(one)
    assert len(alerts(one)) == 6
    assert detect_all(one) == recount(latest)
    found = alerts(one)
    assert len(found) > 6
    require_revisions(found)
    assert {alert.revision for alert in found} == {1}


def test_a_reject_as_large_as_a_message_can_be_stops_nobody(one: Settings) -> None:
    send(one, [(b"k", b"x" * (MAX_MESSAGE_BYTES - 200)), *keyed([report(1)])])
    count_all(one)
    (reject,) = records(one, "rejected")
    assert dict(reject.headers)["size"] == str(MAX_MESSAGE_BYTES - 200).encode()
    assert detect_all(one) == recount([report(1)])
