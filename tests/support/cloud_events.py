"""Parse a record with an independent reader: the `cloudevents` library."""

from collections.abc import Iterable
from typing import Any

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from cloudevents.core.v1.event import CloudEvent


def read_event(
    headers: Iterable[tuple[str, bytes]], key: bytes, value: bytes
) -> tuple[dict[str, Any], Any]:
    """Return the attributes of an event and its data; raises if it is no CloudEvent 1.0."""
    found = list(headers)
    by_name = dict(found)
    assert len(by_name) == len(found), "a header stands once"
    assert all(name == name.lower() for name in by_name)
    event = from_binary_event(KafkaMessage(headers=by_name, key=key, value=value))
    assert isinstance(event, CloudEvent)
    return dict(event.get_attributes()), event.get_data()
