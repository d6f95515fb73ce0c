"""Senders with any partitioner on a real Kafka: each case counts once, on its own partition.

A third of the messages is sent as librdkafka's default partitioner places them, a third without
a key. What must be
counted is recounted from the latest versions of the cases in plain Python.
"""

import json
import random
import shutil
import zlib
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, closing
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kafka.partitioner import murmur2

from schemas.link import CaseLink
from schemas.report import Report
from schemas.vocabulary import LinkBasis, LinkState
from streams.runtime.broker.clients import make_consumer, make_producer
from streams.runtime.broker.errors import KafkaError
from streams.runtime.broker.topics import create_topics
from streams.runtime.broker.transactions import Transaction
from streams.runtime.settings import Settings
from streams.runtime.workers.case_partition import CasePartition
from streams.runtime.workers.case_worker import CaseWorker
from streams.runtime.workers.partition_publisher import PartitionPublisher
from tests.broker.support.processes import (
    alerts,
    as_counts,
    at,
    deltas,
    drain,
    keyed,
    records,
    recount,
    report,
    require_contiguous,
    require_revisions,
    stream,
    tocsin,
)
from tests.broker.support.stages import MHRA_IC, Crash, count_all, detect_all, detector

pytestmark = pytest.mark.broker

PARTITIONS = 4
FIRST_MS = 1_700_000_000_000  # timestamp of the first message


class Placed(NamedTuple):
    """A message as a sender places it; without a partition by murmur2 of its key, or at random."""

    key: bytes | None
    value: bytes
    partition: int | None = None


@pytest.fixture
def four(settings: Settings, tmp_path: Path) -> Settings:
    chosen = {
        "partitions": PARTITIONS,
        "state_dir": tmp_path / "state",
        "session_timeout_ms": 6_000,
        "key_required": False,
    }
    settings = settings.model_copy(update=chosen)
    create_topics(settings)
    return settings


def by_crc32(key: bytes, value: bytes) -> Placed:
    return Placed(key, value, zlib.crc32(key) % PARTITIONS)


def home(key: bytes) -> int:
    return (murmur2(key) & 0x7FFFFFFF) % PARTITIONS


def mixed(reports: Iterable[Report], seed: int) -> list[Placed]:
    chance = random.Random(seed)
    return [
        chance.choice([by_crc32(key, value), Placed(None, value), Placed(key, value)])
        for key, value in keyed(reports)
    ]


def send(settings: Settings, messages: Iterable[Placed], headers: Any = ()) -> None:
    topic = f"{settings.topic_prefix}reports"
    with closing(make_producer(settings)) as producer:
        futures = [
            producer.send(
                topic,
                one.value,
                one.key,
                partition=one.partition,
                headers=list(headers),
                timestamp_ms=FIRST_MS + number,
            )
            for number, one in enumerate(messages)
        ]
        producer.flush()
        for future in futures:
            future.get(timeout=0)


def origin(record: Any) -> str | None:
    found = dict(record.headers).get("rerouted-from")
    return None if found is None else found.decode()


def case_of(record: Any) -> bytes:
    case_id: str = json.loads(record.value)["case_id"]
    return case_id.encode()


def require_copies(settings: Settings) -> int:
    """Check that each misplaced message has one copy, like it, where its case is; count them."""
    found = records(settings, "reports")
    originals = {f"{one.topic}[{one.partition}]@{one.offset}": one for one in found}
    copies = [one for one in found if origin(one) is not None]
    misplaced = {
        place: one
        for place, one in originals.items()
        if origin(one) is None and home(case_of(one)) != one.partition
    }
    assert Counter(map(origin, copies)) == dict.fromkeys(misplaced, 1)
    for copy in copies:
        one = misplaced[origin(copy) or ""]
        assert copy.partition == home(copy.key)
        assert (copy.key, copy.value, copy.timestamp) == (case_of(one), one.value, one.timestamp)
        assert [*one.headers] == [*copy.headers][:-1]
    return len(copies)


def count(settings: Settings) -> None:
    """Count the messages, then the copies of those that were misplaced."""
    count_all(settings)
    count_all(settings)


def test_two_partitioners_give_the_counts_of_one(four: Settings, tmp_path: Path) -> None:
    messages, latest = stream(400, seed=61)
    send(four, mixed(messages[:300], seed=1), headers=[("trace", b"1"), ("trace", b"2")])
    count_all(four)
    with closing(detector(four)) as worker:  # before most copies are counted
        while not alerts(four):
            worker.step(100)
    send(four, mixed(messages[300:], seed=2))
    count(four)
    assert detect_all(four) == recount(latest)
    assert require_copies(four) > 100
    assert records(four, "rejected") == []
    require_contiguous(deltas(four))
    found = alerts(four)
    require_revisions(found)

    state = Path(four.state_dir)
    verified = tocsin(four, state, "state", "verify")
    assert (verified.returncode, verified.stderr) == (0, ""), verified.stdout
    assert f"re-routed reports: {require_copies(four)} compared, 0 differ" in verified.stdout
    recounted = tocsin(four, state, "recount", "--sample", 1_000, *MHRA_IC)
    assert recounted.returncode == 0, recounted.stdout + recounted.stderr
    assert len(found) > 20

    # Another machine, with nothing: from the changelog, and by counting the reports again.
    before = len(records(four, "reports")), len(records(four, "deltas"))
    shutil.rmtree(state / "cases")
    with closing(CaseWorker(four)) as worker:
        while len(worker._owned) < PARTITIONS:
            worker.step(100)
    assert tocsin(four, state, "state", "verify").returncode == 0
    rebuilt = tocsin(four, state, "state", "rebuild", "--from", "reports", "--yes")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert tocsin(four, state, "state", "verify").returncode == 0
    assert (len(records(four, "reports")), len(records(four, "deltas"))) == before


def test_a_second_copy_is_found_by_verify(four: Settings) -> None:
    key, value = next(one for one in keyed([report(case) for case in range(9)]) if home(one[0]))
    send(four, [Placed(key, value, 0)])
    count(four)
    topic = f"{four.topic_prefix}reports"
    with closing(make_producer(four)) as producer:  # what a sender wrote, as if it were a copy
        header = ("rerouted-from", f"{topic}[0]@0".encode())
        producer.send(topic, value, key, headers=[header]).get(timeout=30)
    count(four)
    wrong = tocsin(four, Path(four.state_dir), "state", "verify")
    assert wrong.returncode == 1
    assert f"{topic}[0]@0: must have one copy; got 2" in wrong.stdout


@pytest.mark.parametrize("lost", [False, True], ids=["", "database lost"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_crash_around_publishing_re_routes_each_message_once(
    four: Settings, monkeypatch: pytest.MonkeyPatch, moment: str, lost: bool
) -> None:
    messages, latest = stream(200, seed=62)
    send(four, mixed(messages, seed=3))
    line = {"before": (CasePartition, "_send"), "after": (PartitionPublisher, "_done")}[moment]

    def crash(self: Any, *arguments: Any) -> None:
        raise Crash

    for _ in range(2):
        with monkeypatch.context() as patched:
            patched.setattr(*line, crash)
            with pytest.raises(Crash):
                count_all(four)
        if lost:
            shutil.rmtree(four.state_dir)
    count(four)
    assert require_copies(four) > 50
    require_contiguous(deltas(four))
    assert detect_all(four) == recount(latest)


def test_copies_of_an_aborted_transaction_are_not_counted(
    four: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, latest = stream(100, seed=63)
    send(four, mixed(messages, seed=4))
    aborted = []
    wait = Transaction.wait_for_acknowledgements

    def refused_once(self: Transaction) -> None:
        wait(self)
        if not aborted:
            aborted.append(1)
            msg = "after its records were written"
            raise KafkaError(msg)

    monkeypatch.setattr(Transaction, "wait_for_acknowledgements", refused_once)
    count(four)
    copies = require_copies(four)
    assert detect_all(four) == recount(latest)
    written = uncommitted(four)
    assert sum(origin(one) is not None for one in written) > copies
    # A reader of uncommitted records that keeps one copy of each original has them all.
    assert len({origin(one) for one in written} - {None}) == copies


def uncommitted(settings: Settings) -> list[Any]:
    """Return every record of the reports, with those of aborted transactions."""
    found = []
    with closing(make_consumer(settings, isolation_level="read_uncommitted")) as reader:
        partitions = [at(settings, "reports", number) for number in range(PARTITIONS)]
        reader.assign(partitions)
        reader.seek_to_beginning()
        ends = reader.end_offsets(partitions)
        while any(reader.position(each) < end for each, end in ends.items()):
            found += [one for polled in reader.poll(200).values() for one in polled]
    return found


def test_a_rebalance_between_message_and_copy_loses_nothing(four: Settings, tmp_path: Path) -> None:
    messages, latest = stream(300, seed=64)
    placed = mixed(messages, seed=5)
    others = [four.model_copy(update={"state_dir": tmp_path / name}) for name in ("b", "c")]
    with ExitStack() as stack:
        workers = [stack.enter_context(closing(CaseWorker(four)))]
        for number in range(6):
            send(four, placed[number * 50 : (number + 1) * 50 if number < 5 else None])
            if number in (1, 3):
                workers.append(stack.enter_context(closing(CaseWorker(others.pop()))))
            if number == 4:
                workers[0].rejoin()
            for _ in range(10):
                for worker in workers:
                    worker.step(50)
        for _ in range(2):
            ends = workers[0].ends()
            while not all(worker.drained(ends) for worker in workers):
                for worker in workers:
                    worker.step(50)
    assert require_copies(four) > 80
    require_contiguous(deltas(four))
    assert detect_all(four) == recount(latest)


def test_a_link_on_another_partition_keeps_its_case_out(four: Settings) -> None:
    duplicate = report(7)
    link = CaseLink(
        case_id="C7",
        master_case_id="C1",
        state=LinkState.APPLIED,
        basis=LinkBasis.MANUAL,
        decision=1,
        decided_on=date(2024, 3, 1),
        decided_by="assessor",
        reason="one patient",
    )
    send(four, [Placed(*each) for each in keyed([report(1), duplicate])])
    wrong = (home(b"C7") + 1) % PARTITIONS
    send(four, [Placed(b"C7", link.model_dump_json().encode(), wrong)])
    count(four)
    assert detect_all(four) == recount([report(1)])
    assert require_copies(four) == 1


def test_one_drain_links_and_counts_reports_without_keys(four: Settings, tmp_path: Path) -> None:
    reports = [
        report(case).model_copy(update={"worldwide_id": f"JP-PV-{case // 2 + 1}"})
        for case in range(40)
    ]
    send(four, [Placed(None, value) for _, value in keyed(reports)])
    assert as_counts(drain(four, tmp_path / "state")) == recount(reports[::2])
    assert records(four, "rejected") == []
    assert require_copies(four) > 20


def test_a_misplaced_copy_is_rejected_and_can_be_redriven(four: Settings) -> None:
    ((key, value),) = keyed([report(1)])
    topic = f"{four.topic_prefix}reports"
    wrong = (home(key) + 1) % PARTITIONS
    header = ("rerouted-from", f"{topic}[{wrong}]@900".encode())
    send(four, [Placed(key, value, wrong)], headers=[header])
    count(four)
    (reject,) = records(four, "rejected")
    assert dict(reject.headers)["reason"].startswith(b"partition: a re-routed message must be on ")
    state = Path(four.state_dir)
    assert len(records(four, "reports")) == 1, "it is not re-routed for ever"
    done = tocsin(four, state, "rejected", "redrive")
    assert done.returncode == 0, done.stderr
    count(four)
    assert detect_all(four) == recount([report(1)])
    assert tocsin(four, state, "state", "verify").returncode == 0
