"""Retries while the broker is away: for a minute, then the worker gives up with the error."""

from collections import Counter
from collections.abc import Callable

import pytest
from kafka import errors

from schemas.errors import BrokerError, StateError, TocsinError
from streams.runtime.broker.errors import BrokerUnavailable, broker_errors, connecting_failed
from streams.runtime.observability.readiness import Phase, Readiness
from streams.runtime.workers.retrying import GIVE_UP_SECONDS, BackOff, RetryingWorker
from tests.support.clock import Clock


class Worker:
    """Runs a scripted action at each step, and records the calls."""

    stage = "cases"

    def __init__(self, clock: Clock, step: Callable[[float], int]) -> None:
        self.tally: Counter[str] = Counter()
        self.asked: list[str] = []
        self.phase = Phase.ACTIVE
        self._clock, self._step = clock, step

    def step(self, timeout_ms: int) -> int:
        self.asked.append("step")
        return self._step(self._clock())

    def rejoin(self) -> None:
        self.asked.append("rejoin")

    def drained(self, ends: dict[int, int]) -> bool:
        self._step(self._clock())
        return True

    def ends(self) -> dict[int, int]:
        return {}

    def readiness(self) -> Readiness:
        return Readiness(self.phase)

    def lags(self) -> dict[int, int | None]:
        return {0: 7}

    def report_sizes(self) -> None:
        self.asked.append("sizes")


def waited(back_off: BackOff, clock: Clock) -> float:
    """Return how long the next attempt is waited for."""
    began = clock.now
    while back_off.remaining:
        clock.now += 0.25
    return clock.now - began


def test_pauses_double_up_to_the_longest() -> None:
    clock = Clock(100.0)
    for longest, expected in ((30.0, [0.5, 1, 2, 4, 8, 16, 30, 30]), (3.0, [0.5, 1, 2, 3, 3])):
        back_off = BackOff(longest, clock)
        assert waited(back_off, clock) == 0, "nothing has failed"
        for number, pause in enumerate(expected, 1):
            assert back_off.failed() == pause
            assert back_off.failures == number
            assert waited(back_off, clock) == pause


def test_a_pause_lasts_at_least_as_long_as_asked_and_the_next_does_not() -> None:
    clock = Clock(100.0)
    back_off = BackOff(clock=clock)
    assert back_off.failed(at_least=7) == 7
    assert waited(back_off, clock) == 7
    assert back_off.failed(at_least=0.1) == 1


def test_after_a_reset_the_next_attempt_is_due_and_the_first_pause_short() -> None:
    back_off = BackOff(clock=Clock(100.0))
    for _ in range(3):
        back_off.failed()
    back_off.reset()
    assert (back_off.failures, back_off.remaining) == (0, 0)
    assert back_off.failed() == 0.5


def lost(doing: str = "read the offsets of pv.reports") -> int:
    words = "reset by peer"
    with broker_errors(doing):
        raise errors.KafkaConnectionError(words)
    raise AssertionError


def away(since: float, until: float) -> Callable[[float], int]:
    return lambda now: lost() if since <= now < until else 1


def worked(clock: Clock, step: Callable[[float], int]) -> tuple[RetryingWorker, Worker]:
    worker = Worker(clock, step)
    return RetryingWorker(worker, clock=clock, sleep=clock.sleep), worker


def work(retrying: RetryingWorker, clock: Clock) -> None:
    while clock.now < 1_000:
        retrying.step(100)


def test_a_worker_rejoins_after_a_lost_connection() -> None:
    clock = Clock(100.0)
    retrying, worker = worked(clock, away(100, 130))
    assert retrying.step(100) == 0
    assert retrying.readiness() == Readiness(Phase.JOINING), "a stage that is away is not ready"
    assert retrying.lags() == {}
    retrying.report_sizes()
    assert worker.asked == ["step"], "and is asked nothing"
    while retrying.step(100) == 0:
        pass
    assert worker.asked[-2:] == ["rejoin", "step"]
    assert worker.asked.count("rejoin") == worker.asked.count("step") - 1
    # After 0, 0.5, 1.5, 3.5, 7.5 seconds, then every 5: no storm, and soon after it is back.
    assert worker.asked.count("step") == 10
    assert clock.now == pytest.approx(132.5)
    assert retrying.readiness() == Readiness(Phase.ACTIVE)
    assert retrying.lags() == {0: 7}


def test_pauses_are_short_again_after_a_success(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(100.0)
    outages = ((100, 130), (150, 151))
    retrying, _ = worked(clock, lambda now: lost() if any(a <= now < b for a, b in outages) else 1)
    while clock.now < 160:
        clock.now += 0.25
        retrying.step(100)
    pauses = [vars(record)["retry_seconds"] for record in caplog.records]
    assert pauses == [0.5, 1.0, 2.0, 4.0, *[5.0] * 5, 0.5, 1.0]


def test_a_wait_is_no_longer_than_a_step_may_take() -> None:
    clock = Clock(100.0)
    retrying, _ = worked(clock, away(100, 130))
    retrying.step(100)
    before = clock.now
    retrying.step(40)
    assert clock.now == pytest.approx(before + 0.04), "other stages share the thread"


def test_after_a_minute_of_nothing_else_the_same_line_ends_it() -> None:
    clock = Clock(100.0)
    retrying, _ = worked(clock, away(100, 1e9))
    line = "^read the offsets of pv.reports: KafkaConnectionError: reset by peer$"
    with pytest.raises(BrokerError, match=line):
        work(retrying, clock)
    assert GIVE_UP_SECONDS < clock.now - 100 < GIVE_UP_SECONDS + 6


def test_a_group_that_is_joined_in_vain_is_no_success() -> None:
    clock = Clock(100.0)
    calls: list[float] = []

    def every_other(now: float) -> int:
        clock.now += 5
        calls.append(now)
        return lost() if len(calls) % 2 else 0  # a poll says nothing of a broker that is away

    retrying, worker = worked(clock, every_other)
    worker.phase = Phase.JOINING
    with pytest.raises(BrokerUnavailable):
        work(retrying, clock)
    assert clock.now - 100 < GIVE_UP_SECONDS + 20


@pytest.mark.parametrize("phase", [Phase.ACTIVE, Phase.RESTORING])
def test_failures_with_good_work_between_end_nothing(phase: Phase) -> None:
    # Active: work is done between. Restoring: nothing is to be seen of it, but it went on for long.
    clock = Clock(100.0)
    apart = 20 if phase is Phase.ACTIVE else GIVE_UP_SECONDS + 20
    failed = [clock.now]

    def step(now: float) -> int:
        clock.now += 1
        if now - failed[-1] < apart:
            return 0
        failed.append(now)
        return lost()

    retrying, worker = worked(clock, step)
    worker.phase = phase
    while len(failed) < 20:
        retrying.step(100)


@pytest.mark.parametrize(
    "error",
    [
        errors.TopicAuthorizationFailedError("x"),
        errors.SaslAuthenticationFailedError("x"),
        errors.OffsetOutOfRangeError("x"),
        errors.UnsupportedVersionError("x"),
        StateError("the database"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_no_attempt_can_mend_ends_it_at_once(error: Exception) -> None:
    def step(now: float) -> int:
        with broker_errors("read"):
            raise error

    retrying, worker = worked(Clock(100.0), step)
    with pytest.raises(TocsinError) as raised:
        retrying.step(100)
    assert not isinstance(raised.value, BrokerUnavailable)
    assert worker.asked == ["step"]


def test_what_is_not_known_to_be_done_is_not_done() -> None:
    clock = Clock(100.0)
    retrying, worker = worked(clock, away(100, 110))
    assert not retrying.drained({})
    assert not retrying.drained({})
    while retrying.step(100) == 0:
        pass
    assert retrying.drained({})
    assert "rejoin" in worker.asked


@pytest.mark.parametrize(
    ("complaint", "again"),
    [
        ("[Errno 111] Connection refused", True),
        ("RequestTimedOutError: Request timed out after 9998 ms", True),
        ("SaslAuthenticationFailedError: invalid credentials", False),
        ("certificate has expired", False),
        ("Hostname mismatch, certificate is not valid for 'kafka'", False),
    ],
)
def test_a_connection_that_failed_is_tried_again_unless_its_reason_is_known(
    complaint: str, again: bool
) -> None:
    assert (connecting_failed(complaint) is BrokerUnavailable) == again
