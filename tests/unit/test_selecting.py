"""The selector answers as Python's does, and never writes out a socket to say that it has none."""

import selectors
import socket
from collections.abc import Iterator

import pytest
from kafka.net.compat import KafkaNetClient

from streams.runtime.selecting import Selector


class Silent(socket.socket):
    def __repr__(self) -> str:
        raise AssertionError


@pytest.fixture
def selector() -> Iterator[Selector]:
    with Selector() as made:
        yield made


def test_a_registered_socket_has_the_key_it_was_given(selector: Selector) -> None:
    with Silent() as one, Silent() as other:
        key = selector.register(one, selectors.EVENT_READ, "first")
        assert selector.get_key(one) == key
        changed = selector.modify(one, selectors.EVENT_WRITE, "second")
        assert selector.get_key(one) == changed != key
        with pytest.raises(KeyError):
            selector.get_key(other)
        selector.unregister(one)
        with pytest.raises(KeyError):
            selector.get_key(one)


def test_a_closed_socket_and_a_closed_selector_are_what_they_are_to_python() -> None:
    for kind in (selectors.DefaultSelector, Selector):
        selector, one, never = kind(), socket.socket(), socket.socket()
        key = selector.register(one, selectors.EVENT_READ)
        one.close()
        never.close()
        assert selector.get_key(one) == key  # by identity: it has no number any more
        with pytest.raises(ValueError, match="Invalid file"):
            selector.get_key(never)
        selector.close()
        with pytest.raises(RuntimeError, match="Selector is closed"):
            selector.get_key(one)


def test_the_client_of_kafka_python_takes_it() -> None:
    net = KafkaNetClient(bootstrap_servers="127.0.0.1:1", selector=Selector)
    try:
        assert type(net._net._selector) is Selector
    finally:
        net.close()
