"""Progress lines of a worker that is not ready: on change only, and not too often."""

import logging
from typing import Any

import pytest

from streams.runtime.observability.readiness import Blocked, Phase, Readiness
from streams.runtime.observability.readiness_log import ReadinessLog

NO_ANSWER = Blocked(3, "no_answer", 12.0, "no answer")
WAITING = Blocked(3, "no_answer", 55.0, "no answer for 55 s")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(clock: Clock, caplog: pytest.LogCaptureFixture) -> ReadinessLog:
    caplog.set_level(logging.INFO, "streams")
    return ReadinessLog("cases", clock)


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[Any, ...]]:
    assert set(caplog.messages) <= {"worker not ready"}
    names = ("stage", "phase", "percent", "blocked")
    return [tuple(vars(record)[name] for name in names) for record in caplog.records]


@pytest.mark.parametrize("phase", [Phase.ACTIVE, Phase.STANDBY])
def test_a_ready_worker_logs_nothing(
    phase: Phase, progress: ReadinessLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        clock.now += 10
        progress.log(Readiness(phase))
    assert logged(caplog) == []


def test_an_unchanged_readiness_is_logged_once(
    progress: ReadinessLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for blocked in (NO_ANSWER, NO_ANSWER, WAITING):
        clock.now += 60
        progress.log(Readiness(Phase.BLOCKED, blocked=(blocked,)))
    assert logged(caplog) == [("cases", "blocked", 100, [3])]


def test_the_progress_of_a_restore_is_logged_every_ten_seconds(
    progress: ReadinessLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for second in range(25):
        clock.now += 1
        progress.log(Readiness(Phase.RESTORING, second / 100))
    assert logged(caplog) == [
        ("cases", "restoring", 9, []),
        ("cases", "restoring", 19, []),
    ]


def test_a_phase_that_returns_is_logged_again(
    progress: ReadinessLog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = Readiness(Phase.BLOCKED, blocked=(NO_ANSWER,))
    for readiness in (blocked, Readiness(Phase.ACTIVE), blocked):
        clock.now += 10
        progress.log(readiness)
    assert logged(caplog) == [("cases", "blocked", 100, [3])] * 2
