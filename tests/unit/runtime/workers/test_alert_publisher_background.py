"""What becomes of alerts that are on their way."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from streams.runtime.broker.transactions import TransactionAborted
from streams.runtime.workers import alert_publisher
from streams.runtime.workers.alert_publisher import AlertPublisher

LOOK: Any = object()


@pytest.fixture
def hanging() -> Iterator[Callable[[], None]]:
    """A transaction that ends with the test."""
    end = threading.Event()
    yield lambda: (end.wait(), None)[1]
    end.set()


def aborted() -> None:
    msg = "nothing is published"
    raise TransactionAborted(msg)


def test_nothing_is_under_way_at_first() -> None:
    outlet = AlertPublisher()
    assert not outlet.ended
    assert outlet.settle() is None
    assert outlet.leave() is None


def test_what_is_sent_is_told_once_it_is_out() -> None:
    outlet, published = AlertPublisher(), []
    outlet.send(LOOK, 7, lambda: published.append(threading.current_thread()))
    found = outlet.settle()
    assert found is not None
    assert (found.look, found.following) == (LOOK, 7)
    assert published != [threading.current_thread()]
    assert outlet.settle() is None


def test_nobody_waits_for_what_hangs(hanging: Callable[[], None]) -> None:
    outlet = AlertPublisher()
    outlet.send(LOOK, 7, hanging)
    assert not outlet.ended


def test_what_fails_has_ended_and_says_why_once() -> None:
    outlet = AlertPublisher()
    outlet.send(LOOK, 7, aborted)
    while not outlet.ended:
        pass
    with pytest.raises(TransactionAborted, match="nothing is published"):
        outlet.settle()
    assert outlet.settle() is None


def test_a_partition_that_is_given_up_waits_for_its_alerts() -> None:
    outlet, begun = AlertPublisher(), threading.Event()
    outlet.send(LOOK, 7, lambda: (begun.wait(), None)[1])
    threading.Timer(0.1, begun.set).start()
    left = outlet.leave()
    assert left is not None
    assert left.following == 7


def test_a_partition_is_given_up_whatever_its_alerts_do(
    hanging: Callable[[], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(alert_publisher, "_PARTING_SECONDS", 0.05)
    for publish, said in ((hanging, "on their way"), (aborted, "nothing is published")):
        outlet = AlertPublisher()
        outlet.send(LOOK, 7, publish)
        assert outlet.leave() is None
        assert said in caplog.messages[-1]
        assert outlet.settle() is None
