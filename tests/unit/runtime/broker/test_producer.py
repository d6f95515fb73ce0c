"""A record that has failed already raises where it is sent."""

from typing import Any

import pytest
from kafka import KafkaProducer, errors
from kafka.future import Future

from streams.runtime.broker.producer import Producer


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What reached the library's own `send`."""
    reached: list[Any] = []

    def send(_: object, *record: Any, **more: Any) -> Any:
        reached.append((record, more))
        future = Future()
        if record[0] == "pv.secret":
            future.failure(errors.TopicAuthorizationFailedError({"pv.secret"}))
        return future

    monkeypatch.setattr(KafkaProducer, "send", send)
    return reached


class Offline(Producer):
    """A producer that was never connected, and need not be closed."""

    def __init__(self) -> None: ...

    def __del__(self) -> None: ...


def test_a_topic_that_is_refused_raises_at_its_first_record(sent: list[Any]) -> None:
    with pytest.raises(errors.TopicAuthorizationFailedError):
        Offline().send("pv.secret", b"value", b"key")
    assert len(sent) == 1


def test_a_record_that_may_yet_arrive_has_a_future(sent: list[Any]) -> None:
    future = Offline().send("pv.alerts", b"value", b"key", headers=[("n", b"1")], partition=2)
    assert not future.is_done
    assert sent == [(("pv.alerts", b"value", b"key"), {"headers": [("n", b"1")], "partition": 2})]
