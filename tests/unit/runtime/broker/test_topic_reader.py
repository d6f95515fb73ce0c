"""Reading a topic whose start moves, at each step of a read."""

import pytest
from kafka import TopicPartition

from schemas.errors import StateError
from streams.runtime.broker import topic_reader
from streams.runtime.broker.errors import PositionOutOfRange
from streams.runtime.broker.topic_reader import (
    last_record,
    read_alerts,
    read_in_steps,
    read_to_end,
    requiring,
)
from streams.runtime.settings import Settings
from tests.support.scripted_kafka import ScriptedTopics

AT, OTHER = TopicPartition("pv.x", 0), TopicPartition("pv.x", 1)
WHOLE = list(range(9))  # and a marker; 2 records a poll, 4 in an answer of the broker
STEPS = {
    "before assign": ("assign", 1, 7, [7, 8]),
    "before beginning_offsets": ("beginning_offsets", 1, 7, [7, 8]),
    "between beginning_offsets and seek": ("seek", 1, 7, [7, 8]),
    "between seek and poll": ("poll", 1, 7, [7, 8]),
    "mid-read, the next two were fetched": ("poll", 2, 7, [0, 1, 2, 3, 7, 8]),
    "mid-read, to the next one": ("poll", 3, 5, [0, 1, 2, 3, 5, 6, 7, 8]),
    "the last record": ("poll", 5, 9, [0, 1, 2, 3, 4, 5, 6, 7]),
    "everything": ("poll", 3, 10, [0, 1, 2, 3]),
}
GONE = r"^read pv\.x: the position is no longer in the topic"
each_step = pytest.mark.parametrize("step", STEPS)


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> ScriptedTopics:
    topics = ScriptedTopics()
    topics.add(AT, [b"%d" % number for number in WHOLE], markers=1)
    topics.serve(monkeypatch, topic_reader)
    return topics


def script(topics: ScriptedTopics, step: str) -> list[int]:
    """Delete records at a step; return the offsets that a reader of whatever there is has read."""
    method, number, first, expected = STEPS[step]
    topics.before(method, number, lambda: topics.delete_before(AT, first))
    return expected


@each_step
def test_a_reader_that_accepts_gaps_continues_at_the_new_start(
    topics: ScriptedTopics, step: str
) -> None:
    expected = script(topics, step)
    assert [record.offset for record in read_to_end(Settings(), "pv.x")] == expected


@pytest.mark.parametrize("step", [step for step in STEPS if step != "before beginning_offsets"])
def test_a_reader_from_an_offset_on_raises_after_what_it_had(
    topics: ScriptedTopics, step: str
) -> None:
    goes_on = script(topics, step)
    read: list[int] = []
    with pytest.raises(PositionOutOfRange, match=GONE):
        read.extend(record.offset for record in read_to_end(Settings(), "pv.x", start=0))
    assert read == [offset for place, offset in enumerate(goes_on) if offset == place]


@each_step
def test_the_part_that_is_read_only_grows_to_the_whole(topics: ScriptedTopics, step: str) -> None:
    expected = script(topics, step)
    steps = list(read_in_steps(Settings(), "pv.x", partition=0))
    assert [record.offset for record, _ in steps if record is not None] == expected
    parts = [part for _, part in steps]
    assert parts == sorted(parts)
    assert parts[-1:] in ([], [1.0])  # nothing is polled if all was deleted before


def test_of_other_partitions_all_is_read(topics: ScriptedTopics) -> None:
    """The client hands out what they have before it raises, at the next poll."""
    topics.add(OTHER, [b"%d" % number for number in range(9)])
    topics.before("poll", 3, lambda: topics.delete_before(OTHER, 6))
    read = [(record.partition, record.offset) for record in read_to_end(Settings(), "pv.x")]
    assert sorted(read) == [(0, n) for n in WHOLE] + [(1, n) for n in (0, 1, 2, 3, 6, 7, 8)]


@pytest.mark.parametrize("start", [None, 0])
def test_a_topic_that_is_created_again_is_not_gone_on_with(
    topics: ScriptedTopics, start: int | None
) -> None:
    topics.before("poll", 3, lambda: topics.create_again(AT))
    with pytest.raises(PositionOutOfRange, match=GONE):
        list(read_to_end(Settings(), "pv.x", start=start))


def test_alerts_that_are_followed_go_on_from_the_new_start(
    topics: ScriptedTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_reader, "decode_published", int)
    alerts = TopicPartition("pv.alerts", 0)
    topics.add(alerts, [b"%d" % number for number in range(3)])

    def append_and_delete() -> None:
        topics.add(alerts, [b"3", b"4"])
        topics.delete_before(alerts, 4)

    topics.before("poll", 4, append_and_delete)  # the third one finds nothing
    found: list[object] = []
    for alert in read_alerts(Settings(), follow=True, stopped=lambda: len(found) == 4):
        found.append(alert)
    assert found == [0, 1, 2, 4]


LAST = {
    "before beginning_offsets": ("beginning_offsets", 1),
    "between beginning_offsets and end_offsets": ("end_offsets", 1),
    "between end_offsets and seek": ("seek", 1),
    "between seek and poll": ("poll", 1),
}


@pytest.mark.parametrize("step", LAST)
@pytest.mark.parametrize(
    ("first", "more", "expected"),
    [(8, [], 8), (9, [], None), (10, [], None), (10, [b"n"], 10), (9, [b"n"], 10)],
)
def test_the_last_record_is_that_of_the_moment(
    topics: ScriptedTopics, step: str, first: int, more: list[bytes], expected: int | None
) -> None:
    def append_and_delete() -> None:
        topics.add(AT, more)
        topics.delete_before(AT, first)

    topics.before(*LAST[step], append_and_delete)
    consumer = topics.consumer()
    consumer.assign([AT])
    last = last_record(consumer, AT)
    assert (None if last is None else last.offset) == expected


@pytest.mark.parametrize(
    ("seek", "first", "expected"), [(9, 0, 8), (2, 20, None), (3, 9, None), (3, 8, 8)]
)
def test_the_last_record_before_many_markers_may_be_deleted_while_it_is_searched(
    topics: ScriptedTopics, seek: int, first: int, expected: int | None
) -> None:
    topics.add(AT, markers=30)  # 2 are read, then 16, then 128
    topics.before("seek", seek, lambda: topics.delete_before(AT, first))
    consumer = topics.consumer()
    consumer.assign([AT])
    last = last_record(consumer, AT)
    assert (None if last is None else last.offset) == expected


def test_a_check_says_what_is_missing_before_and_after() -> None:
    checks: list[StateError | None] = []

    def require() -> None:
        if error := checks.pop(0):
            raise error

    gone, missing = PositionOutOfRange("gone"), StateError("missing")
    checks[:] = [None]
    with requiring(require):
        pass
    assert checks == []
    checks[:] = [missing]
    with pytest.raises(StateError, match="missing"), requiring(require):
        pytest.fail("it is checked first")
    checks[:] = [None, missing]
    with pytest.raises(StateError, match="missing"), requiring(require):
        raise gone
    checks[:] = [None, None]
    with pytest.raises(PositionOutOfRange, match="gone"), requiring(require):
        raise gone
