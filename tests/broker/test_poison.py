"""Malformed input on a real Kafka: every kind becomes a reject or is refused by the broker.

Nothing of it stops a partition: every test ends with a good report behind the bad one that counts.
"""

import json
import random
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from schemas.report import Report
from schemas.report_limits import MOST_REACTIONS, MOST_SUBSTANCES
from streams.runtime.broker.clients import (
    FETCH_BYTES,
    PARTITION_FETCH_BYTES,
    make_admin,
    make_consumer,
    make_producer,
)
from streams.runtime.broker.consumer import POLL_BYTES, UNPACKED_BYTES
from streams.runtime.broker.topics import KEPT_FOR_EVER, create_topics
from streams.runtime.settings import Settings
from streams.runtime.wire.limits import MAX_MESSAGE_BYTES
from streams.runtime.workers.case_worker import CaseWorker
from tests.broker.support.processes import (
    at,
    deltas,
    keyed,
    records,
    report,
    require_contiguous,
    send,
    wait_until,
)
from tests.broker.support.raw_batches import (
    CODECS,
    GZIP,
    batch,
    bomb,
    compressed,
    gzipped,
    produce,
    record,
)

pytestmark = pytest.mark.broker


@pytest.fixture
def one_partition(settings: Settings, tmp_path: Path) -> Settings:
    """Settings of topics with one partition, and a state directory."""
    chosen = {"partitions": 1, "state_dir": tmp_path / "state", "session_timeout_ms": 6_000}
    settings = settings.model_copy(update=chosen)
    create_topics(settings)
    return settings


@pytest.fixture
def packed(settings: Settings, tmp_path: Path) -> Settings:
    """The same, with batches stored as compressed by their senders: a topic not made by Tocsin."""
    chosen = {"partitions": 1, "state_dir": tmp_path / "state", "session_timeout_ms": 6_000}
    settings = settings.model_copy(update=chosen)
    configs = {"compression.type": "producer", "max.message.bytes": str(MAX_MESSAGE_BYTES)}
    # The raw batches are old, and a broker looks for old ones now and then.
    configs |= KEPT_FOR_EVER
    with closing(make_admin(settings)) as admin:
        topic = {"num_partitions": 1, "replication_factor": 1, "configs": configs}
        admin.create_topics({at(settings, "reports").topic: topic}, wait_for_metadata=True)
    found = create_topics(settings).mismatched
    assert "compression.type must be uncompressed; got producer" in "; ".join(map(str, found))
    return settings


def value_of(one: Report) -> bytes:
    return one.model_dump_json().encode()


def put(settings: Settings, raw: bytes) -> int:
    return produce(settings, at(settings, "reports").topic, 0, raw)


def counted(settings: Settings) -> Counter[str]:
    """Count everything; return the number of times each case is in the counts."""
    with closing(CaseWorker(settings)) as worker:
        ends = worker.ends()
        while not worker.drained(ends):
            worker.step(100)
    found: Counter[str] = Counter()
    for delta in deltas(settings):
        for case, n in delta.changes.select("case_id", "n").iter_rows():
            found[case] += n
    assert sum(require_contiguous(deltas(settings)).values()) == sum(ends.values())
    return +found


def reasons(settings: Settings) -> list[str]:
    return [dict(record.headers)["reason"].decode() for record in records(settings, "rejected")]


NO_REPORTS: dict[str, bytes | None] = {
    "null": None,
    "empty": b"",
    "white space": b" \n",
    "no JSON": b"{",
    "an array": b"[]",
    "not UTF-8": b'{"case_id": "\xff"}',
    "half a surrogate": b'{"case_id": "\\ud800"}',
    "a byte order mark": b"\xef\xbb\xbf" + value_of(report(1)),
    "UTF-16": value_of(report(1)).decode().encode("utf-16"),
    "a schema registry's magic byte": b"\0\0\0\0\7" + value_of(report(1)),
    "a value packed by its sender": gzipped([value_of(report(1))]),
    "too deep": b'{"case_id":' * 100_000,
    "a number of many digits": b'{"case_id":"C1","version":' + b"9" * 900_000 + b"}",
    "a number without end": b'{"case_id":"C1","version":1e999}',
    "many reactions": value_of(report(1)).replace(
        b'"reactions":[', b'"reactions":[' + b'{"term":"x"},' * 1_000
    ),
    "a reaction as long as a book": value_of(report(1)).replace(b"event", b"e" * 501),
    "a million bytes of white space": value_of(report(1)) + b" " * 1_000_000,
    "a name given twice with other types": b'{"case_id":"C1","case_id":7}',
    "a date that is none": value_of(report(1)).replace(b"2024-01-01", b"2024-02-30"),
    "a date before everything": value_of(report(1)).replace(b"2024-01-01", b"0001-01-01"),
    "a date after everything": value_of(report(1)).replace(b"2024-01-01", b"9999-12-31"),
    "no finite age": value_of(report(1)).replace(b'"age_years":null', b'"age_years":NaN'),
}


def test_an_invalid_report_is_rejected_and_the_next_one_counts(one_partition: Settings) -> None:
    send(one_partition, [*((b"C1", value) for value in NO_REPORTS.values()), *keyed([report(2)])])
    assert counted(one_partition) == {"C2": 1}
    found = records(one_partition, "rejected")
    assert [record.value for record in found] == [value or b"" for value in NO_REPORTS.values()]
    said = dict(zip(NO_REPORTS, reasons(one_partition), strict=True))
    assert said["null"].startswith("value: must be a report; got nothing")
    assert said["many reactions"].startswith("reactions: ")
    assert max(map(len, said.values())) < 400


def test_messages_of_maximum_size_are_rejected(one_partition: Settings) -> None:
    large = MAX_MESSAGE_BYTES - 200
    send(
        one_partition,
        [(b"k", b"x" * large), (b"k" * large, b"x"), (b"k", b"y" * large), *keyed([report(1)])],
    )
    assert counted(one_partition) == {"C1": 1}
    found = records(one_partition, "rejected")
    assert [dict(r.headers).get("size") for r in found] == [b"%d" % large, None, b"%d" % large]


def test_a_case_with_as_many_names_as_the_schema_allows_is_counted(one_partition: Settings) -> None:
    value = json.loads(value_of(report(1)))
    value["products"] = [
        {"substances": [f"drug {n}"], "role": "suspect"} for n in range(MOST_SUBSTANCES)
    ]
    value["reactions"] = [{"term": f"event {n}"} for n in range(MOST_REACTIONS)]
    send(one_partition, [(b"C1", json.dumps(value).encode()), *keyed([report(2)])])
    assert counted(one_partition) == {"C1": 1, "C2": 1}
    (row,) = (delta.changes.filter(case_id="C1") for delta in deltas(one_partition))
    numbers = row["drugs"].list.len().item(), row["events"].list.len().item()
    assert numbers == (MOST_SUBSTANCES, MOST_REACTIONS) == (500, 500)


# batches


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (batch(record(0, b"C1", b"v"), 1, magic=0), 87),
        (batch(record(0, b"C1", b"v"), 1, magic=1), 87),
        (batch(record(0, b"C1", b"v"), 1, magic=3), 2),
        (batch(record(0, b"C1", b"v"), 1, crc=1), 2),
        (batch(record(0, b"C1", b"v"), 2), 87),
        (batch(record(0, b"C1", b"v") + b"more", 1), 87),
        (batch(b"no gzip", 1, codec=GZIP), -1),
        (bomb(b"C1", 4 * MAX_MESSAGE_BYTES), 10),
    ],
    ids=["magic 0", "magic 1", "magic 3", "checksum", "too few", "more", "no gzip", "bomb"],
)
def test_a_broken_batch_is_refused_by_the_broker(
    one_partition: Settings, raw: bytes, code: int
) -> None:
    assert put(one_partition, raw) == code
    send(one_partition, keyed([report(2)]))
    assert counted(one_partition) == {"C2": 1}
    assert reasons(one_partition) == []


def test_the_broker_decompresses_batches_of_senders(one_partition: Settings) -> None:
    both = record(0, b"C1", value_of(report(1))) + record(1, b"C2", value_of(report(2)))
    assert put(one_partition, batch(gzipped([both]), 2, codec=GZIP)) == 0
    for number, codec in enumerate(CODECS, 3):
        packed = record(0, b"C%d" % number, value_of(report(number)))
        assert put(one_partition, compressed(packed, 1, codec)) == 0
    assert counted(one_partition) == dict.fromkeys(("C1", "C2", "C3", "C4", "C5", "C6"), 1)
    assert reasons(one_partition) == []


def test_header_names_that_are_not_utf_8_are_accepted(one_partition: Settings) -> None:
    odd = [(b"\xff\xfe", b"x"), (b"ok", b"y")]
    first = record(0, b"C1", value_of(report(1)), odd)
    assert put(one_partition, batch(first + record(1, b"C2", value_of(report(2))), 2)) == 0
    assert put(one_partition, batch(record(0, None, None, odd), 1)) == 0
    assert put(one_partition, batch(record(0, b"C3", value_of(report(3)), [(b"", b"")]), 1)) == 0
    assert counted(one_partition) == {"C1": 1, "C2": 1, "C3": 1}
    assert len(reasons(one_partition)) == 1


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_is_read_and_an_oversized_batch_is_rejected(
    packed: Settings, codec: str
) -> None:
    reports = [record(n, b"C%d" % n, value_of(report(n))) for n in range(4)]
    of_100 = b"".join(record(n, b"C9", bytes(UNPACKED_BYTES // 100)) for n in range(100))
    assert put(packed, compressed(b"".join(reports[:3]), 3, codec)) == 0
    assert put(packed, large := compressed(of_100, 100, codec)) == 0
    assert put(packed, compressed(record(0, b"C3", value_of(report(3))), 1, codec)) == 0
    assert counted(packed) == {"C0": 1, "C1": 1, "C2": 1, "C3": 1}
    (reject,) = records(packed, "rejected")
    rule = f"records must unpack to at most {UNPACKED_BYTES} bytes; got more"
    assert reasons(packed) == [f"batch of offsets 3 to 102: {rule}"]
    assert dict(reject.headers)["position"] == b"3"
    assert large.endswith(reject.value)
    assert sum(require_contiguous(deltas(packed)).values()) == 104


def test_a_decompression_bomb_takes_no_memory(packed: Settings) -> None:
    stream_of_two = gzipped([record(0, b"C1", value_of(report(1)))]) + gzipped(
        [record(1, b"C2", value_of(report(2)))]
    )
    assert put(packed, batch(stream_of_two, 2, codec=GZIP)) == 0
    assert put(packed, bomb(b"C9", UNPACKED_BYTES)) == 0
    assert put(packed, bomb(b"C9", 1_500 << 20)) == 0
    send(packed, keyed([report(3)]))
    tracemalloc.start()
    try:
        assert counted(packed) == {"C1": 1, "C2": 1, "C3": 1}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * UNPACKED_BYTES, "not the 1.5 GB"
    rule = f"records must unpack to at most {UNPACKED_BYTES} bytes; got more"
    assert reasons(packed) == [f"batch of offsets {n} to {n}: {rule}" for n in (2, 3)]
    # Another worker, without a database, rejects the same and publishes nothing again.
    elsewhere = packed.model_copy(update={"state_dir": packed.state_dir / "other"})
    assert counted(elsewhere) == {"C1": 1, "C2": 1, "C3": 1}
    assert len(reasons(packed)) == 2


# bounds


class MeasuredConsumer:
    """A consumer that measures each poll, and the bytes that the client keeps between two."""

    def __init__(self, settings: Settings) -> None:
        self.consumer = make_consumer(settings)
        self.consumer.assign([at(settings, "reports", n) for n in range(settings.partitions)])
        self.consumer.seek_to_beginning()
        self.largest = self.waiting = self.number = 0
        self._idle = client_bytes()

    def read(self, number: int) -> None:
        while self.number < number:
            polled = self.consumer.poll(timeout_ms=500)
            sizes = [len(r.value) + len(r.key or b"") for rs in polled.values() for r in rs]
            del polled
            self.number += len(sizes)
            self.largest = max(self.largest, sum(sizes))
            self.measure()

    def measure(self) -> bool:
        """Measure the bytes buffered in the client; return whether a record was buffered."""
        self.waiting = max(self.waiting, client_bytes() - self._idle)
        return self.waiting > 200_000


def client_bytes() -> int:
    """Return the size of the memory that code of the client has allocated and not freed."""
    of_client = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/kafka/*")])
    return sum(trace.size for trace in of_client.traces)


@pytest.fixture
def traced_memory() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced_memory")
def test_a_poll_has_a_bound_in_bytes(settings: Settings) -> None:
    settings = settings.model_copy(update={"partitions": 8})
    create_topics(settings)
    chance = random.Random(5)
    sizes = [*(chance.randrange(900_000) for _ in range(150)), MAX_MESSAGE_BYTES - 300, 0, 0]
    chance.shuffle(sizes)
    send(settings, [(b"%d" % n, bytes(size)) for n, size in enumerate(sizes)])
    measured = MeasuredConsumer(settings)
    with closing(measured.consumer):
        measured.read(len(sizes))
    assert sum(sizes) > 4 * POLL_BYTES, "it would not fit into one poll"
    assert POLL_BYTES // 2 < measured.largest < POLL_BYTES + MAX_MESSAGE_BYTES
    assert measured.waiting <= FETCH_BYTES + MAX_MESSAGE_BYTES


@pytest.mark.usefixtures("traced_memory")
def test_a_poll_has_a_bound_in_bytes_after_unpacking(packed: Settings) -> None:
    of_one = [record(n, b"k", bytes(1_000_000)) for n in range(40)]
    raw = batch(gzipped(of_one), len(of_one), codec=GZIP)
    assert len(raw) < 100_000
    for _ in range(20):
        assert put(packed, raw) == 0
    measured = MeasuredConsumer(packed)
    with closing(measured.consumer):
        measured.read(20 * len(of_one))
    assert POLL_BYTES // 2 < measured.largest <= POLL_BYTES + 2_000_000
    assert measured.waiting < PARTITION_FETCH_BYTES


@pytest.mark.usefixtures("traced_memory")
def test_buffered_records_of_a_paused_partition_are_bounded(topics: Settings) -> None:
    measured = MeasuredConsumer(topics)
    halves = [at(topics, "reports", n) for n in range(2)]
    send(topics, [(b"%d" % n, bytes(200_000)) for n in range(200)])
    with closing(measured.consumer):
        measured.consumer.pause(halves[0])
        ends = measured.consumer.end_offsets(halves)
        measured.read(ends[halves[1]])

        def asked() -> bool:
            if measured.consumer.position(halves[0]) >= ends[halves[0]]:
                measured.consumer.seek(halves[0], 0)  # each answer that did not wait was read
            measured.consumer.resume(halves[0])
            measured.consumer.poll(timeout_ms=0)  # asks, and does not wait for the answer
            measured.consumer.pause(halves[0])
            measured.consumer.poll(timeout_ms=100)
            waits = measured.measure()
            assert measured.waiting <= PARTITION_FETCH_BYTES + MAX_MESSAGE_BYTES
            return bool(waits)

        # Whether an answer comes while the partition is paused is a matter of moments.
        wait_until(asked, 60, "an answer that waits for the paused partition")
        for _ in range(5):
            asked()


def test_a_backlog_does_not_starve_another_partition(settings: Settings, tmp_path: Path) -> None:
    settings = settings.model_copy(update={"state_dir": tmp_path / "state"})
    create_topics(settings)
    large, small = 0, 1
    assert settings.partitions == 2
    backlog, others = keyed(map(report, range(40_000))), keyed([report(50_000)])
    with closing(CaseWorker(settings)) as worker:
        while not worker.readiness().ready:  # it has both: one comes after the other
            worker.step(100)
        with closing(make_producer(settings)) as producer:
            for partition, messages in ((large, backlog), (small, others)):
                for key, value in messages:
                    producer.send(at(settings, "reports").topic, value, key, partition=partition)
            producer.flush()
        ends = worker.ends()
        while not worker.drained(ends):
            worker.step(100)
    order = [delta.partition for delta in deltas(settings)]
    assert order.count(large) > 3, "the backlog took several batches"
    assert order.index(small) <= 2, "and the other partition did not wait for all of them"
