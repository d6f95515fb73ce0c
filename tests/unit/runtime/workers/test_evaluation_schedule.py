"""When the detector evaluates: immediately while it keeps up, less often while it lags."""

import pytest

from streams.runtime.wire.batches import ReportTimes
from streams.runtime.workers.detector_session import age_of_newest
from streams.runtime.workers.evaluation_schedule import (
    BACKLOG_AGE,
    BACKLOG_SECONDS,
    IDLE_SECONDS,
    LONGEST_PAUSE,
    EvaluationSchedule,
)
from tests.support.clock import Clock

OLD = 2 * BACKLOG_AGE
HOURS = 10_000.0


def evaluate(
    schedule: EvaluationSchedule, clock: Clock, cost: float, publishing: float = 0.0
) -> None:
    schedule.begin()
    clock.now += cost
    schedule.end()
    clock.now += publishing
    schedule.published()


def test_the_first_reports_are_evaluated_immediately() -> None:
    schedule = EvaluationSchedule(Clock())
    schedule.polled(0.1)
    assert schedule.wait() == 0


def test_the_first_reports_of_a_backlog_wait_for_others_of_it() -> None:
    for age, longest in ((OLD, OLD), (HOURS, BACKLOG_SECONDS)):
        clock = Clock()
        schedule = EvaluationSchedule(clock)
        clock.now += 1.0
        schedule.polled(age)
        assert schedule.wait() == pytest.approx(longest - 1.0)


def test_short_evaluations_take_at_most_half_of_the_time() -> None:
    clock = Clock()
    schedule = EvaluationSchedule(clock)
    evaluate(schedule, clock, cost=0.08)
    schedule.polled(0.1)
    clock.now += 0.05
    assert schedule.wait() == pytest.approx(0.03)
    clock.now += 0.03
    assert schedule.wait() == pytest.approx(0)


def test_the_answer_of_the_broker_is_no_part_of_the_cost() -> None:
    clock = Clock()
    schedule = EvaluationSchedule(clock)
    evaluate(schedule, clock, cost=0.08, publishing=0.03)
    schedule.polled(0.1)
    assert schedule.wait() == pytest.approx(0.05)
    evaluate(schedule, clock, cost=0.08, publishing=0.09)
    schedule.polled(0.1)
    assert schedule.wait() == 0


def test_publishing_is_a_part_of_the_cost_on_a_backlog() -> None:
    clock = Clock()
    schedule = EvaluationSchedule(clock)
    evaluate(schedule, clock, cost=4.0, publishing=6.0)
    schedule.polled(HOURS)
    clock.now += 80.0
    assert schedule.wait() == pytest.approx(10.0)


def test_a_report_after_a_quiet_while_is_evaluated_immediately() -> None:
    clock = Clock()
    schedule = EvaluationSchedule(clock)
    evaluate(schedule, clock, cost=0.2)
    clock.now += 5
    schedule.polled(0.1)
    assert schedule.wait() == 0


def test_the_interval_is_the_age_of_the_newest_report() -> None:
    clock = Clock()
    schedule = EvaluationSchedule(clock)
    evaluations = 0
    for _ in range(640):  # forty seconds of a sixteenth, each with a batch
        clock.now += 0.0625
        schedule.polled(OLD)
        if not schedule.wait():
            evaluate(schedule, clock, cost=0.0)
            evaluations += 1
    assert evaluations == 10


def test_a_younger_report_brings_the_evaluation_forward() -> None:
    clock = Clock()
    schedule = EvaluationSchedule(clock)
    schedule.polled(30.0)
    clock.now += 10.0
    assert schedule.wait() == pytest.approx(20.0)
    schedule.polled(12.0)
    assert schedule.wait() == pytest.approx(2.0)
    schedule.polled(9.0)
    assert schedule.wait() == 0


def test_an_old_report_does_not_hold_back_a_young_one_that_waits() -> None:
    clock = Clock()
    schedule = EvaluationSchedule(clock)
    evaluate(schedule, clock, cost=0.05)
    schedule.polled(0.1)
    schedule.polled(HOURS)  # of a partition that lags behind the others
    assert schedule.wait() == pytest.approx(0.05)
    clock.now += 0.05
    evaluate(schedule, clock, cost=0.05)
    schedule.polled(HOURS)
    assert schedule.wait() == pytest.approx(BACKLOG_SECONDS - 0.05)


@pytest.mark.parametrize(("cost", "apart"), [(0.5, 60.0), (8.0, 80.0)])
def test_on_an_old_backlog_the_interval_is_a_minute_or_ten_times_the_cost(
    cost: float, apart: float
) -> None:
    clock = Clock()
    schedule = EvaluationSchedule(clock)
    evaluate(schedule, clock, cost=cost)
    schedule.polled(HOURS)
    assert schedule.wait() == pytest.approx(apart - cost)
    clock.now += apart - cost
    assert schedule.wait() == pytest.approx(0)


def test_a_long_evaluation_is_followed_by_a_short_pause_on_a_steady_stream() -> None:
    clock = Clock()
    schedule = EvaluationSchedule(clock)
    evaluate(schedule, clock, cost=3.0)
    schedule.polled(0.1)
    assert schedule.wait() == pytest.approx(LONGEST_PAUSE)
    clock.now += LONGEST_PAUSE
    assert schedule.wait() == pytest.approx(0)


def test_a_backlog_that_has_been_received_is_evaluated_immediately() -> None:
    clock = Clock()
    schedule = EvaluationSchedule(clock)
    evaluate(schedule, clock, cost=0.5)
    schedule.polled(HOURS)
    clock.now += 0.4
    assert schedule.wait() == pytest.approx(59.1)
    schedule.caught_up()
    assert schedule.wait() == 0
    assert not schedule.lagging


def test_batches_of_a_backlog_come_with_pauses() -> None:
    clock = Clock()
    schedule = EvaluationSchedule(clock)
    evaluate(schedule, clock, cost=0.5)
    for _ in range(3):
        schedule.polled(HOURS)
        clock.now += 2 * IDLE_SECONDS  # to count what came; then there is nothing for a while
        schedule.polled(None)
        clock.now += 0.9 * IDLE_SECONDS
        schedule.polled(None)
        assert schedule.lagging
    assert schedule.wait() == pytest.approx(59.5 - 3 * 2.9 * IDLE_SECONDS)


def test_a_backlog_is_evaluated_when_nothing_more_is_received() -> None:
    clock = Clock()
    schedule = EvaluationSchedule(clock)
    evaluate(schedule, clock, cost=0.5)
    schedule.polled(HOURS)
    assert schedule.poll_seconds == pytest.approx(0.5)  # a poll without a report tells soon
    for _ in range(10):
        schedule.polled(None)
        assert schedule.wait() > 0
        clock.now += schedule.poll_seconds
    schedule.polled(None)
    assert schedule.wait() == 0


def test_a_young_report_ends_a_backlog() -> None:
    clock = Clock()
    schedule = EvaluationSchedule(clock)
    evaluate(schedule, clock, cost=0.5)
    schedule.polled(OLD)
    clock.now += 0.6
    schedule.polled(0.1)
    assert schedule.wait() == 0


def test_the_age_is_that_of_the_newest_report() -> None:
    old, young = ReportTimes(1_000, 90_000), ReportTimes(80_000, 97_500)
    assert age_of_newest([old, young, None], 100.0) == pytest.approx(2.5)
    assert age_of_newest([old], 100.0) == pytest.approx(10.0)
    assert age_of_newest([None], 100.0) == 0
    assert age_of_newest([old, young], 90.0) == 0, "the clock of a sender may be ahead"
