"""A recount of alerts whose messages are deleted, before or while they are read."""

from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition

from detectors.rules import load_rules
from schemas.alert import InputOffset
from schemas.errors import StateError
from streams.runtime.broker import topic_reader
from streams.runtime.operations import recount as module
from streams.runtime.operations.recount import recount_of_topics
from streams.runtime.settings import Settings
from tests.support.scripted_changelog import REPORTS
from tests.support.scripted_kafka import ScriptedTopics
from tests.support.work import raw

REJECTED, PRIORS = TopicPartition("pv.rejected", 0), TopicPartition("pv.priors", 0)
READ = ("poll", 3)  # of the reports; before it each of the other topics has one


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> ScriptedTopics:
    topics = ScriptedTopics()
    topics.add(REPORTS, [raw(case) for case in range(9)])
    topics.add(REJECTED, [b"{"], headers=[("source", b"pv.reports[0]"), ("position", b"3")])
    topics.add(PRIORS)
    topics.serve(monkeypatch, module, topic_reader)
    return topics


def recounted(end: int, **options: Any) -> Any:
    as_of = [InputOffset(topic="pv.reports", partition=0, next_offset=end)]
    alert: Any = SimpleNamespace(alert_id="A", as_of=as_of)
    return recount_of_topics(Settings(), [alert], load_rules("mhra"), priors={}, **options)


@pytest.mark.parametrize(
    "step",
    [("beginning_offsets", 3), ("assign", 3), ("seek", 3), ("poll", 2), ("poll", 3), ("poll", 4)],
)
def test_messages_that_go_are_missed(topics: ScriptedTopics, step: tuple[str, int]) -> None:
    topics.before(*step, lambda: topics.delete_before(REPORTS, 6))
    rule = r"pv\.reports\[0\]: must hold everything from offset 0 to 9, which alerts were made from"
    with pytest.raises(StateError, match=f"{rule}; got 6 to 9: reports were deleted"):
        recounted(9)


@pytest.mark.parametrize("step", [("poll", 3), ("poll", 6)])
def test_messages_that_go_after_they_were_read_are_not(
    topics: ScriptedTopics, step: tuple[str, int]
) -> None:
    """Four are fetched by the second poll, and the alert needs no more."""
    topics.before(*step, lambda: topics.delete_before(REPORTS, 6))
    recounted(4)


@pytest.mark.parametrize("step", [("assign", 2), ("seek", 2), ("poll", 1)])
def test_rejects_that_go_are_passed_over(topics: ScriptedTopics, step: tuple[str, int]) -> None:
    topics.before(*step, lambda: topics.delete_before(REJECTED, 1))
    recounted(9)


def test_the_part_that_was_read_is_stated_after_each_poll(topics: ScriptedTopics) -> None:
    polls: list[tuple[int, float]] = []
    recounted(9, on_poll=lambda records, part: polls.append((records, part)))
    parts = [part for _, part in polls]
    assert parts == sorted(set(parts))
    assert len(parts) > 1
    assert parts[-1] == 1
    assert [round(9 * part) for part in parts] == [
        sum(records for records, _ in polls[: number + 1]) for number in range(len(polls))
    ]
