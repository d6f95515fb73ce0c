"""When a lag is over: as soon as every report is received that was on the topic a moment ago."""

import time
from collections.abc import Mapping
from datetime import date
from functools import partial
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import pytest
from kafka import TopicPartition

from detectors.rules import load_rules
from schemas.delta import Delta
from streams.core.cases.transitions import advance
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.runtime.observability.observer import SILENT
from streams.runtime.wire.batches import ReportTimes
from streams.runtime.wire.deltas import encode_delta
from streams.runtime.workers.detector_session import DetectorSession
from streams.runtime.workers.evaluation_schedule import EvaluationSchedule
from streams.runtime.workers.notice_reader import NoticeReader

DAY = date(2024, 5, 1).toordinal() - date(1970, 1, 1).toordinal()
HOURS = 10_000
AT = TopicPartition("pv.deltas", 0)


class World:
    """An active detector with a clock of its own, and the ends of the reports it may ask for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000.0
        clock = SimpleNamespace(monotonic=lambda: self.now, time=time.time)
        monkeypatch.setattr("streams.runtime.workers.detector_session.time", clock)
        schedule = partial(EvaluationSchedule, clock.monotonic)
        monkeypatch.setattr("streams.runtime.workers.detector_session.EvaluationSchedule", schedule)
        notices = SimpleNamespace(
            unevaluated=0, last=None, latest=-1, polled_at=0.0, as_of=list, close=lambda: None
        )
        detector = Detector([WindowSpec.parse("cumulative")], load_rules("mhra"))
        self.session = DetectorSession(detector, cast(NoticeReader, notices), AT, SILENT)
        self.ends: dict[int, int] = {}
        self.asked = 0
        self._offset = 0

    def receive(self, *ranges: tuple[int, int, int], age: float = HOURS) -> None:
        """Receive deltas without changes: partition, first offset and the offset after it."""
        stamp = int((time.time() - age) * 1000)
        headers = list(ReportTimes(stamp, stamp).headers().items())
        records = []
        for partition, first, next_offset in ranges:
            delta = Delta(partition, first, next_offset, DAY, advance([], {}).changes)
            record = SimpleNamespace(
                topic=AT.topic,
                partition=AT.partition,
                offset=self._offset,
                headers=headers,
                value=encode_delta(delta),
            )
            records.append(record)
            self._offset += 1
        self.session.receive(cast(list[Any], records), self.now)
        self.session.catch_up(self._ends)

    @property
    def is_due(self) -> bool:
        return self.session.is_pending and not self.session.wait()

    def _ends(self) -> Mapping[int, int]:
        self.asked += 1
        return dict(self.ends)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_an_evaluation_is_due_as_soon_as_the_last_report_of_a_backlog_is_received(
    world: World,
) -> None:
    world.ends = {0: 300, 1: 200, 2: 0}
    world.receive((0, 0, 100), (1, 0, 200))
    assert not world.is_due
    world.now += 30
    world.receive((0, 100, 299))
    assert not world.is_due, "one report is missing"
    world.now += 1
    world.receive((0, 299, 300))
    assert world.is_due


def test_what_was_counted_before_is_not_missing(world: World) -> None:
    world.ends = {0: 300, 1: 200}
    world.receive((1, 0, 200))
    world.session.evaluate()
    world.receive((0, 0, 300))
    assert world.is_due


def test_reports_sent_meanwhile_are_waited_for(world: World) -> None:
    world.ends = {0: 300}
    world.receive((0, 0, 100))
    world.ends = {0: 500}
    world.now += 30
    world.receive((0, 100, 300))
    assert not world.is_due
    world.now += 30
    world.receive((0, 300, 500))
    assert world.is_due


def test_a_stream_that_goes_on_is_kept_up_with_whatever_its_clock_says(world: World) -> None:
    world.receive((0, 0, 1))
    world.session.evaluate()
    evaluated = [world.now]
    for offset in range(1, 80):  # eight seconds; by their senders' clocks the reports are hours old
        world.now += 0.1
        world.ends = {0: offset + 5}  # there are always some more
        world.receive((0, offset, offset + 1))
        if world.is_due:
            world.session.evaluate()
            evaluated.append(world.now)
    assert max(after - before for before, after in pairwise([*evaluated, world.now])) < 1.0


def test_the_ends_are_asked_for_at_the_beginning_and_at_the_end(world: World) -> None:
    world.ends = {0: 1_000}
    for first in range(0, 1_000, 10):
        world.receive((0, first, first + 10))
        world.now += 0.3
    assert world.is_due
    assert world.asked == 2


def test_who_keeps_up_asks_for_nothing(world: World) -> None:
    for first in range(5):
        world.receive((0, first, first + 1), age=0.1)
    assert world.is_due
    world.session.evaluate()
    world.receive()
    assert world.asked == 0
