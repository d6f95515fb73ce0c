"""Publishing of one partition: a transaction that hangs or fails blocks no other partition."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import CommitFailedError, KafkaConnectionError, TopicAuthorizationFailedError

from schemas.errors import BrokerError
from streams.runtime.broker.errors import BrokerUnavailable
from streams.runtime.broker.membership import Membership
from streams.runtime.broker.transactions import ProducerFenced, ProducerUnusable, TransactionAborted
from streams.runtime.observability.observer import Observer
from streams.runtime.settings import Settings
from streams.runtime.workers import partition_publisher
from streams.runtime.workers.partition_publisher import PartitionPublisher, Superseded
from streams.runtime.workers.retrying import BackOff

AT = TopicPartition("pv.reports", 3)


class Broker:
    """What a producer, its transactions and the group's offset are to a publisher."""

    def __init__(self) -> None:
        self.log: list[tuple[str, Any]] = []  # by which producer, what
        self.committed = 0
        self.producers = 0
        self.discarded: list[Any] = []
        self.script: list[Callable[[Callable[[], None]], None]] = []  # how each transaction goes
        self.making: Callable[[], None] = lambda: None

    @contextmanager
    def transaction(
        self, producer: Any, *, offsets: Any, group_metadata: Any
    ) -> Iterator[SimpleNamespace]:
        sent: list[Any] = []
        yield SimpleNamespace(send=sent.append)

        def commit() -> None:
            assert producer not in self.discarded
            self.log += [(producer, one) for one in sent]
            self.committed = max([self.committed, *(offsets or {}).values()])

        (self.script.pop(0) if self.script else lambda commit: commit())(commit)

    def producer(self, settings: Settings, at: TopicPartition) -> str:
        self.making()
        self.producers += 1
        return f"producer {self.producers}"


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr(partition_publisher, "transaction", broker.transaction)
    monkeypatch.setattr(partition_publisher, "partition_producer", broker.producer)
    monkeypatch.setattr(partition_publisher, "discard", broker.discarded.append)
    monkeypatch.setattr(partition_publisher, "make_consumer", lambda settings, group: group)
    monkeypatch.setattr(partition_publisher, "close_consumer", lambda reader: None)
    monkeypatch.setattr(
        partition_publisher, "committed_offset", lambda reader, at: broker.committed
    )
    monkeypatch.setattr(partition_publisher, "BLOCK_AFTER_SECONDS", 0.05)
    monkeypatch.setattr(BackOff, "first", 0.01)
    return broker


class Outcomes(Observer):
    def __init__(self) -> None:
        self.seen: list[str] = []
        self.threads: set[str] = set()

    def transaction_ended(self, stage: str, outcome: str) -> None:
        self.seen.append(outcome)
        self.threads.add(threading.current_thread().name)


@pytest.fixture
def member() -> Membership:
    member = Membership()
    member.metadata = SimpleNamespace(generation_id=7, group_id="pv.cases")
    return member


@pytest.fixture
def outcomes() -> Outcomes:
    return Outcomes()


@pytest.fixture
def publisher(broker: Broker, member: Membership, outcomes: Outcomes) -> PartitionPublisher:
    return PartitionPublisher(Settings(), member, AT, "producer 0", outcomes)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def sent(
    publisher: PartitionPublisher, record: str, next_offset: int, then: Callable[[], None]
) -> bool:
    publisher.send(lambda out: out.send(record), next_offset, then)
    return publisher.settled()


def fails(error: Exception, cause: Exception | None = None) -> Callable[[Any], None]:
    def step(commit: Callable[[], None]) -> None:
        raise error from cause

    return step


def test_a_transaction_that_goes_out_blocks_nothing(
    publisher: PartitionPublisher, broker: Broker, outcomes: Outcomes
) -> None:
    done: list[int] = []
    assert sent(publisher, "a", 10, lambda: done.append(10))
    assert not publisher.busy
    assert publisher.blocked is None
    assert (broker.log, broker.committed, done) == ([("producer 0", "a")], 10, [10])
    assert outcomes.seen == ["committed"]
    assert outcomes.threads == {threading.current_thread().name}, (
        "observers are called on the worker's thread"
    )


def test_two_publishers_do_not_wait_for_each_other(
    broker: Broker, member: Membership, outcomes: Outcomes
) -> None:
    publishers = [
        PartitionPublisher(Settings(), member, AT, f"producer {n}", outcomes) for n in (7, 8)
    ]
    both = threading.Barrier(2)

    def meets_the_other(commit: Callable[[], None]) -> None:
        both.wait(20)
        commit()

    broker.script = [meets_the_other, meets_the_other]
    for publisher in publishers:
        publisher.send(lambda out: out.send("a"), 10, lambda: None)
    for publisher in publishers:
        until(publisher.settled)
    assert sorted(broker.log) == [("producer 7", "a"), ("producer 8", "a")]


def test_one_that_hangs_is_waited_for_shortly_and_then_beside_the_work(
    publisher: PartitionPublisher, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    answer = threading.Event()
    done: list[int] = []

    def slow(commit: Callable[[], None]) -> None:
        answer.wait(20)
        commit()

    broker.script = [slow]
    with caplog.at_level(logging.INFO, "streams"):
        began = time.monotonic()
        assert not sent(publisher, "a", 10, lambda: done.append(10))
        assert time.monotonic() - began < 5, "the others have waited for no longer"
        assert publisher.busy
        stuck = publisher.blocked
        assert stuck is not None
        assert (stuck.partition, stuck.reason) == (3, "no_answer")
        assert stuck.why.startswith("publish pv.reports[3]: no answer")
        assert not publisher.settled()
        assert done == []
        answer.set()
        until(publisher.settled)
    assert (broker.log, done, broker.producers) == ([("producer 0", "a")], [10], 0)
    assert publisher.blocked is None
    assert caplog.messages == [
        "partition blocked; the others continue",
        "blocked partition published",
    ], "logged once, however often `settled` is called"
    assert {(vars(r)["topic"], vars(r)["partition"]) for r in caplog.records} == {("pv.reports", 3)}


def test_one_that_hangs_for_too_long_is_done_again_by_a_new_producer(
    publisher: PartitionPublisher,
    broker: Broker,
    outcomes: Outcomes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partition_publisher, "TRANSACTION_TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr(partition_publisher, "FENCING_GRACE_SECONDS", 0.3)
    for_ever = threading.Event()
    broker.script = [lambda commit: (for_ever.wait(20), None)[1]]
    done: list[int] = []
    began = time.monotonic()
    assert not sent(publisher, "a", 10, lambda: done.append(10))
    until(publisher.settled)
    assert (broker.log, done) == ([("producer 1", "a")], [10])
    assert broker.discarded == ["producer 0"]
    assert time.monotonic() - began > 0.1 + 0.3, "a zombie is fenced before it reconnects"
    assert outcomes.seen == ["unknown", "committed"]
    for_ever.set()


def test_one_that_went_out_although_nobody_said_so_is_not_sent_again(
    publisher: PartitionPublisher, broker: Broker
) -> None:
    def deaf(commit: Callable[[], None]) -> None:
        commit()
        msg = "no answer"
        raise ProducerUnusable(msg)

    broker.script = [deaf]
    done: list[int] = []
    assert not sent(publisher, "a", 10, lambda: done.append(10))
    until(publisher.settled)
    assert (broker.log, done) == ([("producer 0", "a")], [10])
    # The next one goes by the new producer.
    assert sent(publisher, "b", 20, lambda: done.append(20))
    assert broker.log[-1] == ("producer 1", "b")


def test_failures_are_tried_again_later_and_later(
    publisher: PartitionPublisher, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    lost = KafkaConnectionError("reset")
    broker.script = [
        fails(TransactionAborted("publish: reset"), lost),
        fails(ProducerUnusable("publish: reset"), lost),
    ]
    attempts = iter([BrokerUnavailable("connect: refused")])

    def refuse_once() -> None:
        if (error := next(attempts, None)) is not None:
            raise error

    broker.making = refuse_once
    done: list[int] = []
    assert not sent(publisher, "a", 10, lambda: done.append(10))
    stuck = publisher.blocked
    assert stuck is not None
    assert (stuck.reason, stuck.why) == ("failing", "publish: reset")
    until(publisher.settled)
    assert done == [10]
    assert [one for _, one in broker.log] == ["a"]
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert {record.getMessage() for record in warnings} == {
        "transaction not published; it is retried"
    }
    assert [(vars(record)["attempt"], vars(record)["error"]) for record in warnings] == [
        (1, "publish: reset"),
        (2, "connect: refused"),
        (3, "publish: reset"),
    ]


def test_what_the_group_or_another_producer_took_is_not_tried_again(
    publisher: PartitionPublisher, broker: Broker, member: Membership
) -> None:
    broker.script = [fails(ProducerFenced("another owns the id"))]
    with pytest.raises(Superseded, match="another owns the id"):
        sent(publisher, "a", 10, lambda: None)
    publisher.close()
    after = PartitionPublisher(Settings(), member, AT, "producer 5", Outcomes())
    broker.script = [fails(TransactionAborted("the group has rebalanced"), CommitFailedError())]
    with pytest.raises(Superseded, match="rebalanced"):
        sent(after, "a", 10, lambda: None)
    assert broker.log == []


def test_a_transaction_that_was_begun_before_a_rebalance_is_begun_again(
    publisher: PartitionPublisher, broker: Broker, member: Membership
) -> None:
    rebalanced = threading.Event()

    def refused(commit: Callable[[], None]) -> None:
        rebalanced.wait(20)
        msg = "the group has rebalanced"
        raise TransactionAborted(msg) from CommitFailedError()

    broker.script = [refused]
    assert not sent(publisher, "a", 10, lambda: None)
    member.metadata = SimpleNamespace(generation_id=8, group_id="pv.cases")  # it stayed here
    rebalanced.set()
    until(publisher.settled)
    assert [one for _, one in broker.log] == ["a"]


@pytest.mark.parametrize("when", ["publishing", "connecting"])
def test_a_right_that_is_missing_ends_the_worker_at_once(
    publisher: PartitionPublisher, broker: Broker, when: str
) -> None:
    denied = TopicAuthorizationFailedError("pv.deltas")
    if when == "publishing":
        broker.script = [fails(TransactionAborted("publish: denied"), denied)]
    else:
        broker.script = [fails(ProducerUnusable("publish: no answer"))]

        def refuse() -> None:
            msg = "connect: the broker refused the user name or password"
            raise BrokerError(msg)

        broker.making = refuse

    def work() -> None:
        if not sent(publisher, "a", 10, lambda: None):
            until(publisher.settled)

    with pytest.raises(BrokerError, match=r"denied|refused"):
        work()


def test_what_is_on_its_way_when_a_partition_leaves_is_given_up(
    publisher: PartitionPublisher, broker: Broker
) -> None:
    made = threading.Event()
    broker.script = [fails(ProducerUnusable("publish: no answer"))]
    broker.making = lambda: (made.wait(20), None)[1]
    assert not sent(publisher, "a", 10, lambda: pytest.fail("it was given up"))
    until(lambda: not publisher.settled() and publisher._reconnecting is not None)
    publisher.close()
    made.set()
    # A producer that connects only now would fence the one of the next owner.
    until(lambda: "producer 1" in broker.discarded)
    assert broker.log == []
