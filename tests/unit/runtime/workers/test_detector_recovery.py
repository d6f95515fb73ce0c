"""A detector that is restored while its topics are trimmed."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from kafka import TopicPartition

from detectors.rules import load_rules
from schemas.delta import Delta
from schemas.errors import StateError
from schemas.rules_change import DetectorRules, RulesChange
from streams.core.cases.transitions import advance
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.core.detection.rules_in_force import rules_change, rules_of
from streams.runtime.broker import topic_reader
from streams.runtime.settings import Settings
from streams.runtime.wire.deltas import encode_delta
from streams.runtime.workers import notice_reader
from streams.runtime.workers.detector_recovery import Restored, RulesGuard, restore_detector
from tests.support.alerts import signal
from tests.support.scripted_kafka import ScriptedTopics

DELTAS, NOTICES = TopicPartition("pv.deltas", 0), TopicPartition("pv.notices", 0)
DAY = 19_844


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> ScriptedTopics:
    topics = ScriptedTopics()
    nothing = advance([], {}).changes
    deltas = (encode_delta(Delta(0, n, n + 1, DAY, nothing)) for n in range(9))
    topics.add(DELTAS, deltas, key=b"0")
    for name in ("signals", "priors", "rejected", "notices", "rules"):
        topics.add(TopicPartition(f"pv.{name}", 0))
    topics.committed[DELTAS] = 9
    topics.serve(monkeypatch, topic_reader, notice_reader)
    return topics


def restored(topics: ScriptedTopics, folder: Path) -> Restored:
    consumer = topics.consumer()
    consumer.assign([DELTAS])
    detector = Detector([WindowSpec.parse("cumulative")], load_rules("mhra"))
    guard = RulesGuard(Settings(), rules_of(detector))
    steps = restore_detector(
        Settings(), consumer, DELTAS, detector, folder / "none", lambda rejected: None, guard
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


def _rules(*names: str) -> DetectorRules:
    return rules_of(Detector([WindowSpec.parse("cumulative")], load_rules(list(names))))


def _publish(topics: ScriptedTopics, *records: RulesChange) -> None:
    values = (record.model_dump_json().encode() for record in records)
    topics.add(TopicPartition("pv.rules", 0), values, key=b"")


def test_the_first_rules_are_recorded_and_no_change(topics: ScriptedTopics, tmp_path: Path) -> None:
    rules = restored(topics, tmp_path).rules
    assert rules is not None
    assert (rules.number, rules.previous, rules.now) == (1, None, _rules("mhra"))
    assert rules.changed_on == date(1970, 1, 1) + timedelta(days=DAY)


def test_the_rules_that_are_published_need_no_record(
    topics: ScriptedTopics, tmp_path: Path
) -> None:
    _publish(topics, rules_change(None, _rules("mhra"), number=1, watermark=-1))
    assert restored(topics, tmp_path).rules is None


def test_other_rules_are_refused_before_anything_is_counted(
    topics: ScriptedTopics, tmp_path: Path
) -> None:
    first = rules_change(None, _rules("mhra"), number=1, watermark=-1)
    now = rules_change(_rules("mhra"), _rules("ic"), number=2, watermark=-1)
    _publish(topics, first, now)
    with pytest.raises(StateError, match=r"got rules added mhra; rules removed ic\. Start it with"):
        restored(topics, tmp_path)


def test_a_change_that_is_meant_follows_the_last_record(topics: ScriptedTopics) -> None:
    _publish(topics, rules_change(None, _rules("ic"), number=1, watermark=-1))
    guard = RulesGuard(Settings(), _rules("mhra"), may_change=True)
    published = guard.published()
    assert guard.difference(published) is None
    change = guard.require(published, (), watermark=3)
    assert change is not None
    assert (change.number, change.previous) == (2, _rules("ic"))
    strict = RulesGuard(Settings(), _rules("mhra"))
    assert strict.difference(published) == "rules added mhra; rules removed ic"
    assert strict.difference(None) is None


def test_without_a_record_the_last_alert_states_the_rules(topics: ScriptedTopics) -> None:
    """As on the topics of a version that did not record them."""
    guard = RulesGuard(Settings(), _rules("mhra"))
    made = signal(3).model_copy(
        update={"rules_hash": guard.rules.rules_hash, "policy_hash": guard.rules.policy_hash}
    )
    older = signal(3, drug="older").model_copy(update={"evaluated_on": date(1990, 1, 1)})
    record = guard.require(None, [made, older], watermark=-1)
    assert record is not None
    assert (record.number, record.previous, record.changed_on) == (1, None, None)
    with pytest.raises(StateError, match="a detector must have the rules"):
        guard.require(None, [older], watermark=-1)
