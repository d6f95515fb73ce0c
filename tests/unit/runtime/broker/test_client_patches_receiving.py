"""What is received: all of it, in large pieces, and the last words of a connection."""

import importlib.util
import logging
import socket
import ssl
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from kafka.errors import KafkaConnectionError
from kafka.net import transport as library
from kafka.net.transport import KafkaSSLTransport, KafkaTCPTransport

from streams.runtime.broker import client_patches
from streams.runtime.broker.client_patches import PIECE, receive, receive_large_pieces

Pair = tuple["Counted", socket.socket]


class Counted:
    """A socket that counts how often it is asked."""

    def __init__(self, plain: socket.socket) -> None:
        self.plain = plain
        self.asked = 0

    def recv(self, size: int) -> bytes:
        self.asked += 1
        return self.plain.recv(size)


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    for each in (ours, theirs):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
        each.setblocking(False)
    yield Counted(ours), theirs
    ours.close()
    theirs.close()


def _transport(of: type[Any], sock: object) -> Any:
    made = of.__new__(of)
    made._sock = sock
    made.host = "broker"
    return made


def _unchanged() -> ModuleType:
    """Load the library's module anew, as nobody has changed it."""
    spec = importlib.util.find_spec(library.__name__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logger = logging.getLogger("kafka.net.transport")
    before, logger.disabled = logger.disabled, True
    yield
    logger.disabled = before


def _all(sock: Counted, sender: socket.socket, data: bytes, transport: Any) -> bytes:
    """Send data as fast as they are received."""
    received, left = b"", memoryview(data)
    while len(received) < len(data):
        if left:
            left = left[sender.send(left) :]
        got, error = transport._sock_recv()
        assert error is None
        received += got
    return received


def test_all_is_received_as_the_library_does_in_fewer_pieces(pair: Pair) -> None:
    receive_large_pieces()
    sock, sender = pair
    data = bytes(range(256)) * 4 * 3333
    unchanged = _unchanged().KafkaTCPTransport
    assert unchanged._sock_recv is not receive
    assert _all(sock, sender, data, _transport(unchanged, sock)) == data
    by_library, sock.asked = sock.asked, 0
    assert _all(sock, sender, data, _transport(KafkaTCPTransport, sock)) == data
    assert sock.asked * 4 < by_library


@pytest.mark.parametrize("of", [KafkaTCPTransport, KafkaSSLTransport])
def test_what_comes_with_the_end_is_received_and_then_the_end(of: type[Any], pair: Pair) -> None:
    receive_large_pieces()
    sock, sender = pair
    sender.send(b"wrong password")
    sender.close()
    transport = _transport(of, sock)
    assert transport._sock_recv() == (b"wrong password", None)
    nothing, error = transport._sock_recv()
    assert nothing == b""
    assert isinstance(error, KafkaConnectionError)


@pytest.mark.parametrize("of", [KafkaTCPTransport, KafkaSSLTransport])
def test_nothing_yet_is_no_error(of: type[Any], pair: Pair) -> None:
    assert receive(_transport(of, pair[0])) == (b"", None)


class Pieces:
    """A socket that gives these pieces, or fails of them."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.left = list(pieces)

    def recv(self, size: int) -> bytes:
        piece = self.left.pop(0)
        if isinstance(piece, Exception):
            raise piece
        return piece


def test_what_is_deciphered_is_received_to_its_end() -> None:
    more = ssl.SSLWantReadError()
    transport = _transport(KafkaSSLTransport, Pieces(b"aa", b"bb", more, b"c", more, more))
    assert receive(transport) == (b"aabb", None)
    assert receive(transport) == (b"c", None)
    assert receive(transport) == (b"", None)


def test_a_failing_socket_is_an_error_once_what_came_is_received() -> None:
    reset = OSError("reset")
    transport = _transport(KafkaTCPTransport, Pieces(b"x" * PIECE, reset, reset))
    assert receive(transport) == (b"x" * PIECE, None)
    nothing, error = receive(transport)
    assert (nothing, isinstance(error, KafkaConnectionError)) == (b"", True)
    assert "reset" in str(error)


def test_every_client_receives_so() -> None:
    receive_large_pieces()
    assert KafkaTCPTransport._sock_recv is client_patches.receive
    assert KafkaSSLTransport._sock_recv is client_patches.receive
