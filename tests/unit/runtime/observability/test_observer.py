"""Several observers as one, and how a transaction ended."""

import inspect
from typing import Any

import pytest

from streams.runtime.broker.transactions import (
    ProducerFenced,
    ProducerUnusable,
    TransactionAborted,
)
from streams.runtime.observability.observer import SILENT, Observer, Observers, observed

EVENTS = sorted(
    name for name, _ in inspect.getmembers(Observer, inspect.isfunction) if name[0] != "_"
)


class Recorder(Observer):
    """Records every event; returns a header for events that may add some."""

    def __init__(self, name: str) -> None:
        self.seen: list[tuple[Any, ...]] = []
        for event in EVENTS:
            setattr(self, event, self._keep(event, name))

    def _keep(self, event: str, name: str) -> Any:
        def keep(*arguments: Any) -> dict[str, bytes]:
            self.seen.append((event, *arguments))
            return {name: event.encode()}

        return keep


@pytest.mark.parametrize("event", EVENTS)
def test_every_observer_receives_every_event(event: str) -> None:
    both = Recorder("one"), Recorder("two")
    arguments = [object() for _ in inspect.signature(getattr(SILENT, event)).parameters]
    answer = getattr(Observers(both), event)(*arguments)
    for recorder in both:
        assert recorder.seen == [(event, *arguments)]
    if event in ("delta_publishing", "evaluation_finished"):
        assert answer == {"one": event.encode(), "two": event.encode()}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "committed"),
        (ProducerFenced, "fenced"),
        (ProducerUnusable, "unknown"),
        (TransactionAborted, "aborted"),
    ],
)
def test_a_transaction_ends_in_one_way(error: type[Exception] | None, outcome: str) -> None:
    seen = Recorder("one")
    if error is None:
        with observed(seen, "cases"):
            pass
    else:
        with pytest.raises(error), observed(seen, "cases"):
            raise error
    assert seen.seen == [("loop_iteration",), ("transaction_ended", "cases", outcome)]


def test_another_error_is_no_outcome_of_a_transaction() -> None:
    seen = Recorder("one")
    with pytest.raises(ZeroDivisionError), observed(seen, "cases"):
        raise ZeroDivisionError
    assert seen.seen == [("loop_iteration",)]
