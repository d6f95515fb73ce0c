"""Calls in the background: their result, their error, and what is undone once they are given up."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from streams.runtime.background import BackgroundTask


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Holds a call until it is set, at the latest at the end of the test."""
    gate = threading.Event()
    yield gate
    gate.set()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_result_is_that_of_the_call_in_a_daemon_thread() -> None:
    task = BackgroundTask("of its own", threading.current_thread)
    assert task.wait(10)
    thread = task.result()
    assert (thread.name, thread.daemon) == ("of its own", True)


def test_a_call_that_hangs_is_waited_for_no_longer_than_asked(gate: threading.Event) -> None:
    task = BackgroundTask("t", gate.wait)
    for seconds in (-1.0, 0.0, 0.02):
        began = time.monotonic()
        assert not task.wait(seconds)
        assert time.monotonic() - began < 5
    gate.set()
    assert task.wait(10)
    assert task.result()


@pytest.mark.parametrize("error", [ValueError("refused"), KeyboardInterrupt("refused")])
def test_what_the_call_raises_is_raised_by_its_result(error: BaseException) -> None:
    def call() -> None:
        raise error

    task = BackgroundTask("t", call)
    assert task.wait(10)
    with pytest.raises(type(error), match="refused"):
        task.result()


def test_a_result_that_comes_after_it_was_given_up_is_undone(gate: threading.Event) -> None:
    undone: list[int] = []

    def call() -> int:
        gate.wait()
        return 7

    task = BackgroundTask("t", call, undone.append)
    task.give_up()
    assert undone == []
    gate.set()
    until(lambda: undone == [7])


def test_a_result_that_is_there_is_undone_when_it_is_given_up() -> None:
    undone: list[int] = []
    task = BackgroundTask("t", lambda: 7, undone.append)
    assert task.wait(10)
    assert undone == []
    task.give_up()
    assert undone == [7]


@pytest.mark.parametrize("late", [False, True])
def test_a_call_that_fails_leaves_nothing_to_undo(gate: threading.Event, late: bool) -> None:
    undone: list[None] = []

    def call() -> None:
        gate.wait()
        msg = "refused"
        raise ValueError(msg)

    task = BackgroundTask("to be given up", call, undone.append)
    if late:
        task.give_up()
        gate.set()
        until(lambda: all(one.name != "to be given up" for one in threading.enumerate()))
    else:
        gate.set()
        assert task.wait(10)
        task.give_up()
    assert undone == []
