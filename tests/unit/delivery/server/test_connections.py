"""Limits on connections: half-open ones are closed, displace each other, and leave descriptors."""

import asyncio
import os
import resource
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
import uvicorn
from uvicorn.server import ServerState

from streams.delivery.api.application import make_application
from streams.delivery.api.service import Service
from streams.delivery.server.connections import (
    connection_limit,
    guarded_protocol,
    raise_descriptor_limit,
)
from tests.support.api_server import client_of, service_in, serving, token_of

BEGUN = b"GET /v1/health HTTP/1.1\r\nhost: x\r\n"
WHOLE = b"GET /v1/health HTTP/1.1\r\nhost: x\r\n\r\n"
SLOW_BODY = b"POST /v1/subscriptions HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return service_in(tmp_path)


def opened(address: str, text: bytes = b"") -> socket.socket:
    host, _, port = address.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)), timeout=15)
    connection.sendall(text)
    return connection


def ended(connection: socket.socket) -> bytes:
    """Return what a connection sends until it is closed."""
    found = b""
    try:
        while more := connection.recv(65_536):
            found += more
    except ConnectionError:
        pass
    return found


@pytest.mark.parametrize("text", [b"", BEGUN, SLOW_BODY])
def test_an_unfinished_request_is_closed_after_its_time(service: Service, text: bytes) -> None:
    with serving(service, unfinished_seconds=0.5) as address, opened(address, text) as half:
        began = time.monotonic()
        for _ in range(3):  # a trickle does not buy time
            time.sleep(0.1)
            half.sendall(b"x" if text else b"")
        ended(half)
        assert 0.3 < time.monotonic() - began < 3


def test_a_second_request_on_a_connection_has_the_same_time(service: Service) -> None:
    with serving(service, unfinished_seconds=0.5) as address, opened(address, WHOLE) as half:
        assert half.recv(65_536).startswith(b"HTTP/1.1 200")
        half.sendall(BEGUN)
        began = time.monotonic()
        ended(half)
        assert 0.3 < time.monotonic() - began < 3


def test_a_stream_is_not_closed_by_the_time_of_requests(service: Service) -> None:
    token = token_of(service)
    with (
        serving(service, unfinished_seconds=0.3) as address,
        client_of(address, token) as client,
    ):
        client.post("/v1/subscriptions", json={"subscription_id": "s"})
        with client.stream("GET", "/v1/subscriptions/s/events", timeout=5) as answer:
            with pytest.raises(httpx2.ReadTimeout):
                list(answer.iter_lines())  # open, and nothing to send
            assert answer.status_code == 200


def test_half_open_connections_displace_each_other_and_no_request(service: Service) -> None:
    token = token_of(service)
    with (
        serving(service, most_connections=50) as address,
        ExitStack() as stack,
        client_of(address, token) as client,
    ):
        client.post("/v1/subscriptions", json={"subscription_id": "s"})
        stream = client.stream("GET", "/v1/subscriptions/s/events", timeout=10)
        assert stack.enter_context(stream).status_code == 200
        before = len(os.listdir("/proc/self/fd"))
        halves = [stack.enter_context(opened(address, BEGUN)) for _ in range(300)]
        took = []
        for _ in range(20):
            began = time.monotonic()
            with client_of(address, token) as another:
                assert another.get("/v1/health").status_code == 200
            took.append(time.monotonic() - began)
        assert max(took) < 2
        # Both ends are in this process: 300 clients, and at most 50 connections of the server.
        assert len(os.listdir("/proc/self/fd")) - before < 300 + 50 + 30
        assert ended(halves[0]) == b"", "the oldest was closed"
        client.delete("/v1/subscriptions/s")


class Unread(asyncio.Transport):
    """Transport of a connection that was aborted or not."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted


@pytest.mark.parametrize("read", [True, False])
def test_a_response_that_is_not_read_is_given_up(read: bool) -> None:
    async def run() -> bool:
        config = uvicorn.Config(make_application(), lifespan="off")
        protocol = guarded_protocol(10, stalled_seconds=0.05)(config, ServerState(), {})
        transport = Unread()
        protocol.connection_made(transport)
        protocol.pause_writing()
        if read:
            protocol.resume_writing()
        await asyncio.sleep(0.2)
        was_aborted = transport.aborted
        transport.aborted = True
        protocol.connection_lost(ConnectionError())
        return was_aborted

    assert asyncio.run(run()) is not read


def test_the_limit_of_descriptors_is_raised_and_connections_stay_below_it() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
        found = raise_descriptor_limit()
        assert found == min(before[1], 65_536)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == found
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert [connection_limit(n) for n in (256, 1024, 20_000)] == [16, 624, 2000]
