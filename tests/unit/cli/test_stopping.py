"""The first signal sets a flag that loops check; the second interrupts at once."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from streams.cli.stopping import StopSignal


@pytest.fixture
def stop() -> Iterator[StopSignal]:
    with closing(StopSignal()) as stopping:
        yield stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_sets_the_flag_and_a_second_one_interrupts(
    stop: StopSignal, number: signal.Signals
) -> None:
    assert not stop.asked()
    os.kill(os.getpid(), number)
    assert stop.asked()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)


def test_a_wait_ends_in_time_or_with_the_signal(stop: StopSignal) -> None:
    began = time.monotonic()
    stop.wait(0.01)
    assert time.monotonic() - began >= 0.01
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
    stop.wait(60)
    assert stop.asked()
    assert time.monotonic() - began < 30


def test_closing_restores_the_signal_handlers() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with closing(StopSignal()):
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
