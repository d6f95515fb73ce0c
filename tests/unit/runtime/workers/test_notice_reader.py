"""Notices are read whole: one that was deleted before it was read stops the reader."""

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition

from schemas.alert import InputOffset
from schemas.errors import IcsrError, RejectCode, StateError
from schemas.notice import Notice, NoticeKind
from schemas.rejected import Rejected
from streams.core.safety.monitor import SafetyMonitor
from streams.runtime.broker import topic_reader
from streams.runtime.settings import Settings
from streams.runtime.wire.batches import Unreadable
from streams.runtime.workers import notice_reader
from streams.runtime.workers.notice_reader import NoticeReader, read_notice
from tests.support.scripted_kafka import ScriptedTopics

AT = TopicPartition("pv.notices", 0)
RULE = r"^pv\.notices\[0\]: must hold every notice from offset 0 on, those up to 0 are in alerts; "


def line(number: int) -> bytes:
    notice = Notice(
        notice_id=f"N-{number}",
        subject_id="S",
        kind=NoticeKind.SAFETY_NOTICE,
        source="society",
        country="JP",
        received=date(2024, 3, 1),
    )
    return notice.model_dump_json(exclude_defaults=True).encode()


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> ScriptedTopics:
    topics = ScriptedTopics()
    topics.add(AT, map(line, range(9)))
    topics.add(TopicPartition("pv.rejected", 0))
    topics.serve(monkeypatch, topic_reader, notice_reader)
    return topics


def reader() -> NoticeReader:
    return NoticeReader(Settings(), SafetyMonitor(), lambda rejected: None)


def restored() -> NoticeReader:
    notices = reader()
    for _ in notices.restore([]):
        pass
    return notices


@pytest.mark.parametrize(
    "step", [("beginning_offsets", 1), ("assign", 2), ("seek", 2), ("poll", 1), ("poll", 3)]
)
def test_notices_that_go_while_they_are_read_are_missed(
    topics: ScriptedTopics, step: tuple[str, int]
) -> None:
    topics.before(*step, lambda: topics.delete_before(AT, 6))
    with pytest.raises(StateError, match=RULE + "got 6 to 9: notices were deleted"):
        restored()


def test_notices_that_alerts_rest_on_are_missed_at_once(topics: ScriptedTopics) -> None:
    as_of = [InputOffset(topic="pv.notices", partition=0, next_offset=12)]
    alert: Any = SimpleNamespace(as_of=as_of)
    with pytest.raises(StateError, match=r"those up to 12 are in alerts; got 0 to 9: notices were"):
        next(reader().restore([alert]))
    assert topics.calls["poll"] == 0


def test_notices_that_go_later_are_missed_only_if_they_were_not_read(
    topics: ScriptedTopics,
) -> None:
    notices = restored()
    assert notices.unevaluated == 9
    topics.delete_before(AT, 9)
    topics.add(AT, [line(9)])
    notices.poll()
    assert notices.unevaluated == 10, "what was deleted was read"
    topics.add(AT, [line(10), line(11)])
    topics.delete_before(AT, 11)
    with pytest.raises(StateError, match=RULE + "got 11 to 12: notices were deleted"):
        notices.poll()


PACKED = Unreadable(b"packed")
PACKED.reason = "batch of offsets 3 to 5: compressed data must be snappy; got noise"


@pytest.mark.parametrize("sentence", [None, "a better sentence"])
@pytest.mark.parametrize(
    ("value", "code"),
    [
        (PACKED, RejectCode.COMPRESSION),
        (None, RejectCode.EMPTY),
        (b"", RejectCode.EMPTY),
        (line(1), RejectCode.FUTURE_DATE),
        (b"{", RejectCode.NOT_JSON),
        (b"{}", RejectCode.SCHEMA),
    ],
)
def test_a_notice_is_rejected_with_its_code_whatever_the_sentence(
    monkeypatch: pytest.MonkeyPatch, value: bytes | None, code: RejectCode, sentence: str | None
) -> None:
    if sentence:
        monkeypatch.setattr(PACKED, "reason", sentence)
        monkeypatch.setattr(notice_reader, "_NOTHING", sentence)
        monkeypatch.setattr(notice_reader, "_IN_THE_FUTURE", sentence)
    with pytest.raises(IcsrError) as refused:
        read_notice(value, date(2024, 2, 29))
    assert refused.value.code is code


def test_a_reject_of_the_topic_has_the_code_of_its_error(topics: ScriptedTopics) -> None:
    rejected: list[Rejected] = []
    topics.add(AT, [b"{", None])
    notices = NoticeReader(Settings(), SafetyMonitor(), rejected.extend)
    for _ in notices.restore([]):
        pass
    found = [(one.position, one.code) for one in rejected]
    assert found == [(9, RejectCode.NOT_JSON), (10, RejectCode.EMPTY)]
