"""When the detector looks: at once if it can afford to, less often on a backlog."""

import pytest

from streams.runtime.wire.batches import ReportTimes
from streams.runtime.workers.detector_session import age_of_newest
from streams.runtime.workers.evaluation_schedule import (
    BACKLOG_AGE,
    BACKLOG_SECONDS,
    LONGEST_REST,
    STANDSTILL,
    EvaluationSchedule,
)

OLD = 2 * BACKLOG_AGE
HOURS = 10_000.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def look(pacing: EvaluationSchedule, clock: Clock, cost: float, publishing: float = 0.0) -> None:
    pacing.begin()
    clock.now += cost
    pacing.made()
    clock.now += publishing
    pacing.end()


def test_the_first_reports_are_looked_at_at_once() -> None:
    pacing = EvaluationSchedule(Clock())
    pacing.polled(0.1)
    assert pacing.wait() == 0


def test_the_first_reports_of_a_backlog_wait_for_others_of_it() -> None:
    for age, longest in ((OLD, OLD), (HOURS, BACKLOG_SECONDS)):
        clock = Clock()
        pacing = EvaluationSchedule(clock)
        clock.now += 1.0
        pacing.polled(age)
        assert pacing.wait() == pytest.approx(longest - 1.0)


def test_small_looks_take_at_most_half_of_the_time() -> None:
    clock = Clock()
    pacing = EvaluationSchedule(clock)
    look(pacing, clock, cost=0.08)
    pacing.polled(0.1)
    clock.now += 0.05
    assert pacing.wait() == pytest.approx(0.03)
    clock.now += 0.03
    assert pacing.wait() == pytest.approx(0)


def test_the_answer_of_the_broker_is_no_part_of_what_a_look_takes() -> None:
    clock = Clock()
    pacing = EvaluationSchedule(clock)
    look(pacing, clock, cost=0.08, publishing=0.03)
    pacing.polled(0.1)
    assert pacing.wait() == pytest.approx(0.05)
    look(pacing, clock, cost=0.08, publishing=0.09)
    pacing.polled(0.1)
    assert pacing.wait() == 0


def test_publishing_is_a_part_of_what_a_look_at_a_backlog_takes() -> None:
    clock = Clock()
    pacing = EvaluationSchedule(clock)
    look(pacing, clock, cost=4.0, publishing=6.0)
    pacing.polled(HOURS)
    clock.now += 80.0
    assert pacing.wait() == pytest.approx(10.0)


def test_a_report_after_a_quiet_while_is_looked_at_at_once() -> None:
    clock = Clock()
    pacing = EvaluationSchedule(clock)
    look(pacing, clock, cost=0.2)
    clock.now += 5
    pacing.polled(0.1)
    assert pacing.wait() == 0


def test_from_look_to_look_it_is_as_long_as_the_newest_report_is_old() -> None:
    clock = Clock()
    pacing = EvaluationSchedule(clock)
    looks = 0
    for _ in range(640):  # forty seconds of a sixteenth, each with a batch
        clock.now += 0.0625
        pacing.polled(OLD)
        if not pacing.wait():
            look(pacing, clock, cost=0.0)
            looks += 1
    assert looks == 10


def test_a_report_that_is_less_old_brings_the_look_forward() -> None:
    clock = Clock()
    pacing = EvaluationSchedule(clock)
    pacing.polled(30.0)
    clock.now += 10.0
    assert pacing.wait() == pytest.approx(20.0)
    pacing.polled(12.0)
    assert pacing.wait() == pytest.approx(2.0)
    pacing.polled(9.0)
    assert pacing.wait() == 0


def test_an_old_report_does_not_hold_back_a_young_one_that_waits() -> None:
    clock = Clock()
    pacing = EvaluationSchedule(clock)
    look(pacing, clock, cost=0.05)
    pacing.polled(0.1)
    pacing.polled(HOURS)  # of a partition that lags behind the others
    assert pacing.wait() == pytest.approx(0.05)
    clock.now += 0.05
    look(pacing, clock, cost=0.05)
    pacing.polled(HOURS)
    assert pacing.wait() == pytest.approx(BACKLOG_SECONDS - 0.05)


@pytest.mark.parametrize(("cost", "apart"), [(0.5, 60.0), (8.0, 80.0)])
def test_looks_at_an_old_backlog_are_a_minute_apart_or_take_a_tenth_of_the_time(
    cost: float, apart: float
) -> None:
    clock = Clock()
    pacing = EvaluationSchedule(clock)
    look(pacing, clock, cost=cost)
    pacing.polled(HOURS)
    assert pacing.wait() == pytest.approx(apart - cost)
    clock.now += apart - cost
    assert pacing.wait() == pytest.approx(0)


def test_a_look_at_much_is_not_followed_by_a_long_rest_on_a_steady_stream() -> None:
    clock = Clock()
    pacing = EvaluationSchedule(clock)
    look(pacing, clock, cost=3.0)
    pacing.polled(0.1)
    assert pacing.wait() == pytest.approx(LONGEST_REST)
    clock.now += LONGEST_REST
    assert pacing.wait() == pytest.approx(0)


def test_a_backlog_that_has_been_read_is_looked_at_at_once() -> None:
    clock = Clock()
    pacing = EvaluationSchedule(clock)
    look(pacing, clock, cost=0.5)
    pacing.polled(HOURS)
    clock.now += 0.4
    assert pacing.wait() == pytest.approx(59.1)
    pacing.caught_up()
    assert pacing.wait() == 0
    assert not pacing.behind


def test_batches_of_a_backlog_come_with_pauses() -> None:
    clock = Clock()
    pacing = EvaluationSchedule(clock)
    look(pacing, clock, cost=0.5)
    for _ in range(3):
        pacing.polled(HOURS)
        clock.now += 2 * STANDSTILL  # to count what came; then there is nothing for a while
        pacing.polled(None)
        clock.now += 0.9 * STANDSTILL
        pacing.polled(None)
        assert pacing.behind
    assert pacing.wait() == pytest.approx(59.5 - 3 * 2.9 * STANDSTILL)


def test_what_came_of_a_backlog_is_looked_at_when_nothing_more_comes() -> None:
    clock = Clock()
    pacing = EvaluationSchedule(clock)
    look(pacing, clock, cost=0.5)
    pacing.polled(HOURS)
    assert pacing.patience == pytest.approx(0.5)  # a poll without a report tells soon
    for _ in range(10):
        pacing.polled(None)
        assert pacing.wait() > 0
        clock.now += pacing.patience
    pacing.polled(None)
    assert pacing.wait() == 0


def test_a_young_report_ends_a_backlog() -> None:
    clock = Clock()
    pacing = EvaluationSchedule(clock)
    look(pacing, clock, cost=0.5)
    pacing.polled(OLD)
    clock.now += 0.6
    pacing.polled(0.1)
    assert pacing.wait() == 0


def test_the_age_is_that_of_the_newest_report() -> None:
    old, young = ReportTimes(1_000, 90_000), ReportTimes(80_000, 97_500)
    assert age_of_newest([old, young, None], 100.0) == pytest.approx(2.5)
    assert age_of_newest([old], 100.0) == pytest.approx(10.0)
    assert age_of_newest([None], 100.0) == 0
    assert age_of_newest([old, young], 90.0) == 0, "the clock of a sender may be ahead"
