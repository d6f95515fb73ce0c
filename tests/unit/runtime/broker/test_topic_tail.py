"""Following a topic whose start moves: nothing may be lost without a word."""

from collections.abc import Callable, Iterator

import pytest
from kafka import TopicPartition

from schemas.errors import BrokerError
from streams.runtime.broker import topic_tail
from streams.runtime.broker.topic_tail import TopicTail
from streams.runtime.settings import Settings
from tests.support.scripted_kafka import ScriptedTopics

AT, OTHER = TopicPartition("pv.alerts", 0), TopicPartition("pv.alerts", 1)
BEFORE_ANYTHING_IS_READ = {
    "before beginning_offsets": ("beginning_offsets", 1),
    "before assign": ("assign", 1),
    "between beginning_offsets and seek": ("seek", 1),
    "between seek and poll": ("poll", 1),
}
AFTERWARDS = {
    "mid-read": (3, 6, 4),  # number of the poll, new start, offset that is due then
    "mid-read, some are stored already": (4, 8, 8),
    "the last record": (5, 9, 8),
}


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> ScriptedTopics:
    topics = ScriptedTopics()
    topics.add(AT, [b"%d" % number for number in range(9)])
    topics.serve(monkeypatch, topic_tail)
    return topics


def rest(tail: TopicTail) -> list[int]:
    """Read until it is drained, and a poll more."""
    read = []
    while not tail.drained():
        read += [offset for _, offset, _ in tail.poll()]
    return read + [offset for _, offset, _ in tail.poll()]


def handed_out(tail: TopicTail) -> Iterator[int]:
    """Yield offsets for ever."""
    while True:
        yield from (offset for _, offset, _ in tail.poll())


def at_place(next_offset: int) -> Callable[[str], int]:
    return {"pv.alerts[0]": next_offset, "pv.alerts[1]": 0}.__getitem__


@pytest.mark.parametrize("step", BEFORE_ANYTHING_IS_READ)
def test_who_read_nothing_yet_begins_with_what_is_left(topics: ScriptedTopics, step: str) -> None:
    topics.before(*BEFORE_ANYTHING_IS_READ[step], lambda: topics.delete_before(AT, 6))
    assert rest(TopicTail(Settings(), "alerts", at_place(0))) == [6, 7, 8]


@pytest.mark.parametrize("step", BEFORE_ANYTHING_IS_READ)
@pytest.mark.parametrize("first", [3, 4, 9])
def test_who_left_off_before_the_new_start_is_stopped(
    topics: ScriptedTopics, step: str, first: int
) -> None:
    topics.before(*BEFORE_ANYTHING_IS_READ[step], lambda: topics.delete_before(AT, first))
    if first == 3:
        assert rest(TopicTail(Settings(), "alerts", at_place(3))) == [3, 4, 5, 6, 7, 8]
        return
    rule = rf"pv\.alerts\[0\]: must still have offset 3, which comes next; got {first} to 9: "
    with pytest.raises(BrokerError, match=rule):
        rest(TopicTail(Settings(), "alerts", at_place(3)))


@pytest.mark.parametrize("step", AFTERWARDS)
def test_who_has_read_is_stopped_where_the_next_record_is_gone(
    topics: ScriptedTopics, step: str
) -> None:
    number, first, due = AFTERWARDS[step]
    topics.before("poll", number, lambda: topics.delete_before(AT, first))
    read: list[int] = []
    tail = TopicTail(Settings(), "alerts", at_place(0))
    if due == first:  # what was fetched before is handed out, and nothing is missing
        assert rest(tail) == list(range(9))
        return
    with pytest.raises(BrokerError, match=f"must still have offset {due}, which comes next; got"):
        read.extend(handed_out(tail))
    assert read == list(range(due))


def test_one_partition_begins_late_while_another_is_read_without_a_gap(
    topics: ScriptedTopics,
) -> None:
    topics.add(OTHER, [b"%d" % number for number in range(9)])
    topics.before("poll", 1, lambda: topics.delete_before(OTHER, 5))
    tail = TopicTail(Settings(), "alerts", at_place(2))
    read: dict[str, list[int]] = {"pv.alerts[0]": [], "pv.alerts[1]": []}
    while not tail.drained():
        for source, offset, _ in tail.poll():
            read[source].append(offset)
    assert read == {"pv.alerts[0]": [2, 3, 4, 5, 6, 7, 8], "pv.alerts[1]": [5, 6, 7, 8]}


def test_partitions_that_are_added_repeat_nothing_that_is_not_stored_yet(
    topics: ScriptedTopics,
) -> None:
    topics.before("poll", 3, lambda: topics.add(OTHER, [b"new"]))
    assert sorted(rest(TopicTail(Settings(), "alerts", at_place(0)))) == [0, *range(9)]
