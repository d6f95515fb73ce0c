"""When the detector looks: at once if it can afford to, once a second on a backlog."""

import pytest

from streams.runtime.pacing import BACKLOG, LookPacing


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def look(pacing: LookPacing, clock: Clock, cost: float, publishing: float = 0.0) -> None:
    pacing.begin()
    clock.now += cost
    pacing.made()
    clock.now += publishing
    pacing.end()


def test_the_first_reports_are_looked_at_at_once() -> None:
    for reports in (1, BACKLOG):
        pacing = LookPacing(Clock())
        pacing.polled(reports)
        assert pacing.wait() == 0


def test_looks_take_at_most_half_of_the_time() -> None:
    clock = Clock()
    pacing = LookPacing(clock)
    look(pacing, clock, cost=0.2)
    pacing.polled(10)
    clock.now += 0.15
    assert pacing.wait() == pytest.approx(0.05)
    clock.now += 0.05
    assert pacing.wait() == pytest.approx(0)


def test_the_answer_of_the_broker_is_no_part_of_what_a_look_takes() -> None:
    clock = Clock()
    pacing = LookPacing(clock)
    look(pacing, clock, cost=0.2, publishing=0.15)
    pacing.polled(10)
    assert pacing.wait() == pytest.approx(0.05)
    look(pacing, clock, cost=0.2, publishing=0.3)
    pacing.polled(10)
    assert pacing.wait() == 0


def test_publishing_is_a_part_of_what_a_look_at_a_backlog_takes() -> None:
    clock = Clock()
    pacing = LookPacing(clock)
    look(pacing, clock, cost=0.2, publishing=0.3)
    pacing.polled(BACKLOG)
    clock.now += 4.0
    assert pacing.wait() == pytest.approx(0.5)


def test_a_report_after_a_quiet_while_is_looked_at_at_once() -> None:
    clock = Clock()
    pacing = LookPacing(clock)
    look(pacing, clock, cost=0.2)
    clock.now += 5
    pacing.polled(1)
    assert pacing.wait() == 0


def test_a_backlog_is_looked_at_once_a_second() -> None:
    clock = Clock()
    pacing = LookPacing(clock)
    looks = 0
    for _ in range(160):  # ten seconds of a sixteenth, each with a batch
        clock.now += 0.0625
        pacing.polled(BACKLOG)
        if not pacing.wait():
            look(pacing, clock, cost=0.0)
            looks += 1
    assert looks == 10


def test_looks_at_a_backlog_take_at_most_a_tenth_of_the_time() -> None:
    clock = Clock()
    pacing = LookPacing(clock)
    look(pacing, clock, cost=0.5)
    pacing.polled(BACKLOG)
    clock.now += 4
    assert pacing.wait() == pytest.approx(0.5)
    clock.now += 0.5
    assert pacing.wait() == pytest.approx(0)


def test_a_look_that_costs_more_than_a_second_does_not_follow_itself_on_a_steady_stream() -> None:
    clock = Clock()
    pacing = LookPacing(clock)
    look(pacing, clock, cost=3.0)
    pacing.polled(1)
    clock.now += 2.5
    assert pacing.wait() == pytest.approx(0.5)


@pytest.mark.parametrize("reports", [0, 100])
def test_a_backlog_that_has_been_read_is_looked_at_at_once(reports: int) -> None:
    clock = Clock()
    pacing = LookPacing(clock)
    look(pacing, clock, cost=0.5)
    pacing.polled(BACKLOG)
    clock.now += 0.6
    assert pacing.wait() == pytest.approx(3.9)
    assert pacing.patience == pytest.approx(0.05)  # a poll without a report tells soon
    pacing.polled(reports)
    assert pacing.wait() == 0
