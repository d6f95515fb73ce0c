"""A detector that is restored while its topics are trimmed."""

from pathlib import Path

import pytest
from kafka import TopicPartition

from detectors.rules import load_rules
from schemas.delta import Delta
from schemas.errors import StateError
from streams.core.cases.transitions import advance
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.runtime.broker import topic_reader
from streams.runtime.settings import Settings
from streams.runtime.wire.deltas import encode_delta
from streams.runtime.workers import notice_reader
from streams.runtime.workers.detector_recovery import Restored, restore_detector
from tests.support.scripted_kafka import ScriptedTopics

DELTAS, NOTICES = TopicPartition("pv.deltas", 0), TopicPartition("pv.notices", 0)
DAY = 19_844


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> ScriptedTopics:
    topics = ScriptedTopics()
    nothing = advance([], {}).changes
    deltas = (encode_delta(Delta(0, n, n + 1, DAY, nothing)) for n in range(9))
    topics.add(DELTAS, deltas, key=b"0")
    for name in ("signals", "priors", "rejected", "notices"):
        topics.add(TopicPartition(f"pv.{name}", 0))
    topics.committed[DELTAS] = 9
    topics.serve(monkeypatch, topic_reader, notice_reader)
    return topics


def restored(topics: ScriptedTopics, folder: Path) -> Restored:
    consumer = topics.consumer()
    consumer.assign([DELTAS])
    detector = Detector([WindowSpec.parse("cumulative")], load_rules("mhra"))
    steps = restore_detector(
        Settings(), consumer, DELTAS, detector, folder / "none", lambda rejected: None
    )
    while True:
        try:
            next(steps)
        except StopIteration as done:
            made: Restored = done.value
            return made


def test_all_deltas_are_counted(topics: ScriptedTopics, tmp_path: Path) -> None:
    done = restored(topics, tmp_path)
    assert (done.next_offset, done.detector.offsets) == (9, {0: 9})


@pytest.mark.parametrize(
    "step", [("beginning_offsets", 1), ("assign", 2), ("seek", 2), ("poll", 1), ("poll", 3)]
)
def test_deltas_that_go_are_missed(
    topics: ScriptedTopics, tmp_path: Path, step: tuple[str, int]
) -> None:
    topics.before(*step, lambda: topics.delete_before(DELTAS, 6))
    with pytest.raises(StateError, match=r"^pv\.deltas: every delta must be counted; got a topic"):
        restored(topics, tmp_path)


def test_deltas_that_go_after_they_were_fetched_are_not(
    topics: ScriptedTopics, tmp_path: Path
) -> None:
    topics.before("poll", 2, lambda: topics.delete_before(DELTAS, 4))
    assert restored(topics, tmp_path).next_offset == 9
