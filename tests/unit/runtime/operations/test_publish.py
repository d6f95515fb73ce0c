"""Publishing files: under which keys, what is rejected, and that all is acknowledged."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any

import pytest

from schemas.errors import BrokerError, RejectCode
from schemas.notice import Notice, NoticeKind
from schemas.rejected import Rejected
from streams.intake.files import SourceItem
from streams.runtime.operations import publish
from streams.runtime.operations.publish import publish_notices, publish_source
from streams.runtime.settings import Settings
from tests.support.reports import make_report
from tests.support.versions import make_marker

BROKEN = Rejected(source="a.zip", position=3, reason="torn", raw=b"x", code=RejectCode.SCHEMA)


class Future:
    def __init__(self, error: Exception | None) -> None:
        self.exception = error

    def succeeded(self) -> bool:
        return self.exception is None


class Producer:
    """Acknowledges everything but what is sent to a topic that fails."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes | None, bytes]] = []
        self.placed: list[tuple[int, int]] = []  # of a stated partition: it, and what was flushed
        self.unflushed = 0
        self.flushed = 0
        self.closed = False
        self.fails = ""

    def send(
        self,
        topic: str,
        value: bytes,
        key: bytes | None = None,
        headers: Any = (),
        partition: int | None = None,
    ) -> Future:
        if partition is not None:
            self.placed.append((partition, len(self.sent) - self.unflushed - len(self.placed)))
        self.sent.append((topic, key, value))
        self.unflushed += partition is None
        return Future(ValueError("too late") if topic == self.fails else None)

    def flush(self) -> None:
        self.flushed += 1
        self.unflushed = 0

    def partitions_for(self, topic: str) -> set[int]:
        return {2, 0, 1}

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> Producer:
    made = Producer()
    monkeypatch.setattr(publish, "make_producer", lambda settings: made)
    return made


def published(items: Iterable[SourceItem]) -> tuple[list[int], Counter[str]]:
    tally: Counter[str] = Counter()
    numbered = enumerate(items, start=1)
    return list(publish_source(Settings(), "a.jsonl", numbered, tally)), tally


def test_a_report_goes_under_its_case_and_what_is_none_to_the_rejects(producer: Producer) -> None:
    line = make_report("B").model_dump_json().encode()
    chunks, tally = published([make_report("A"), line, b"{", BROKEN])
    assert (chunks, tally) == ([4], {"reports": 2, "rejected": 2})
    topics = [(topic, key) for topic, key, _ in producer.sent]
    assert topics[:2] == [("pv.reports", b"A"), ("pv.reports", b"B")]
    assert [topic for topic, _ in topics[2:]] == ["pv.rejected"] * 2
    assert producer.sent[1][2] == line, "as it stands in the file"
    assert producer.closed


def test_each_chunk_is_acknowledged_before_the_next(
    producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "_CHUNK", 2)
    seen = []
    for number in publish_source(
        Settings(), "a", enumerate([make_report(f"C{n}") for n in range(5)]), Counter()
    ):
        seen.append((number, len(producer.sent), producer.flushed))
    assert seen == [(2, 2, 1), (2, 4, 2), (1, 5, 3)]


def test_a_record_that_is_not_acknowledged_ends_it(producer: Producer) -> None:
    producer.fails = "pv.reports"
    with pytest.raises(BrokerError, match=r"publish a\.jsonl: every record must be acknowledged"):
        published([make_report("A")])
    assert producer.closed


def test_notices_go_under_their_subject(producer: Producer) -> None:
    notice = Notice(
        notice_id="1",
        subject_id="R-1",
        kind=NoticeKind.MEDIA,
        received=date(2024, 2, 29),
        source="press",
    )
    tally: Counter[str] = Counter()
    assert list(publish_notices(Settings(), "n.jsonl", [notice, BROKEN], tally)) == [2]
    assert tally == {"notices": 1, "rejected": 1}
    assert producer.sent[0][:2] == ("pv.notices", b"R-1")
    assert Notice.model_validate_json(producer.sent[0][2]) == notice


@pytest.mark.parametrize("as_line", [False, True])
def test_a_marker_goes_to_every_partition_after_all_before_it(
    producer: Producer, as_line: bool
) -> None:
    marker = make_marker(3)
    raw = marker.model_dump_json(exclude_none=True).encode()
    item = b" " + marker.model_dump_json().encode() if as_line else marker
    chunks, tally = published([make_report("A"), BROKEN, item, make_report("B")])
    assert (chunks, tally) == ([4], {"reports": 2, "rejected": 1, "releases": 1})
    assert producer.placed == [(0, 2), (1, 2), (2, 2)], "two were acknowledged before"
    assert producer.sent[2:5] == [("pv.reports", b"vaers/2024", raw)] * 3
    assert producer.sent[5][1] == b"B"
    assert producer.flushed == 2


def test_no_marker_is_sent_after_a_record_that_is_lost(producer: Producer) -> None:
    producer.fails = "pv.reports"
    with pytest.raises(BrokerError, match="every record must be acknowledged"):
        published([make_report("A"), make_marker(3)])
    assert producer.placed == []
