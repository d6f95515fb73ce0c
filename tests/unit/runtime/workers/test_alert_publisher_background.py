"""Alerts that are being published: their outcome, and a partition released meanwhile."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from streams.runtime.broker.transactions import TransactionAborted
from streams.runtime.workers import alert_publisher
from streams.runtime.workers.alert_publisher import AlertPublisher

RESULT: Any = object()


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
    publisher = AlertPublisher()
    assert not publisher.ended
    assert publisher.settle() is None
    assert publisher.abandon() is None


def test_an_evaluation_is_returned_once_it_is_published() -> None:
    publisher, published = AlertPublisher(), []
    publisher.send(RESULT, 7, lambda: published.append(threading.current_thread()))
    found = publisher.settle()
    assert found is not None
    assert (found.result, found.next_offset) == (RESULT, 7)
    assert published != [threading.current_thread()]
    assert publisher.settle() is None


def test_a_transaction_that_hangs_has_not_ended(hanging: Callable[[], None]) -> None:
    publisher = AlertPublisher()
    publisher.send(RESULT, 7, hanging)
    assert not publisher.ended


def test_a_failure_has_ended_and_is_raised_once() -> None:
    publisher = AlertPublisher()
    publisher.send(RESULT, 7, aborted)
    while not publisher.ended:
        pass
    with pytest.raises(TransactionAborted, match="nothing is published"):
        publisher.settle()
    assert publisher.settle() is None


def test_a_released_partition_waits_for_its_alerts() -> None:
    publisher, begun = AlertPublisher(), threading.Event()
    publisher.send(RESULT, 7, lambda: (begun.wait(), None)[1])
    threading.Timer(0.1, begun.set).start()
    left = publisher.abandon()
    assert left is not None
    assert left.next_offset == 7


def test_a_partition_is_released_whatever_its_alerts_do(
    hanging: Callable[[], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(alert_publisher, "_ABANDON_SECONDS", 0.05)
    for publish, said in ((hanging, "being published"), (aborted, "not published")):
        publisher = AlertPublisher()
        publisher.send(RESULT, 7, publish)
        assert publisher.abandon() is None
        assert said in caplog.messages[-1]
        assert publisher.settle() is None
