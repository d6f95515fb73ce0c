"""The selector answers as Python's does, writes out no socket, and a slow step is no trouble."""

import logging
import selectors
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kafka.net.compat import KafkaNetClient

from streams.runtime.broker.client_patches import NetClient, Selector


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


@pytest.mark.parametrize(("kind", "warnings"), [(KafkaNetClient, 1), (NetClient, 0)])
def test_a_step_that_waits_for_a_busy_thread_is_no_trouble(
    kind: type[Any], warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def step() -> str:
        time.sleep(0.11)  # the library's threshold is 0.1 s
        return "done"

    net = kind(bootstrap_servers="127.0.0.1:1")
    try:
        with caplog.at_level(logging.WARNING, "kafka.net.selector"):
            assert net._net.run(step) == "done"
        assert len([one for one in caplog.messages if "threshold" in one]) == warnings
    finally:
        net.close()


def test_our_client_has_our_selector() -> None:
    net = NetClient(bootstrap_servers="127.0.0.1:1")
    try:
        assert type(net._net._selector) is Selector
    finally:
        net.close()
