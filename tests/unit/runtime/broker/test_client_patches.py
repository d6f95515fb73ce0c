"""Errors of the library are raised as soon as they are known; a slow task is none."""

import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kafka import KafkaProducer, errors
from kafka.future import Future
from kafka.net import KafkaNetClient

from schemas.errors import BrokerError
from streams.runtime.broker.client_patches import NetClient, Producer
from streams.runtime.broker.clients import make_admin
from streams.runtime.settings import Settings


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


API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE = 18, 17, 36
WRONG_PASSWORD = 58
REQUEST = struct.Struct(">hhi")  # api, version, correlation


def text(content: bytes) -> bytes:
    return struct.pack(">h", len(content)) + content


class SuspiciousBroker:
    """Answers as a Kafka with passwords; its answer to one is its last, and says that it is wrong.

    The answer and the end of the connection come in one packet, as those of a broker may.
    """

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                self._answer_until_the_password(connection)

    def _answer_until_the_password(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while size := connection.recv(4, socket.MSG_WAITALL):
            request = connection.recv(*struct.unpack(">i", size), socket.MSG_WAITALL)
            api, version, correlation = REQUEST.unpack_from(request)
            if api == API_VERSIONS:
                answer = self._versions(version)
            elif api == SASL_HANDSHAKE:
                answer = struct.pack(">hi", 0, 1) + text(b"PLAIN")
            else:
                assert api == SASL_AUTHENTICATE
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
                answer = struct.pack(">h", WRONG_PASSWORD) + text(b"wrong") + struct.pack(">i", 0)
            connection.sendall(struct.pack(">ii", len(answer) + 4, correlation) + answer)
            if api == SASL_AUTHENTICATE:
                return

    def _versions(self, version: int) -> bytes:
        known = ((API_VERSIONS, 0), (SASL_HANDSHAKE, 1), (SASL_AUTHENTICATE, 0))
        keys = b"".join(struct.pack(">hhh", api, 0, most) for api, most in known)
        unsupported = 35 if version else 0
        return struct.pack(">hi", unsupported, len(known)) + keys


@pytest.fixture
def broker() -> Iterator[SuspiciousBroker]:
    broker = SuspiciousBroker()
    yield broker
    broker.close()


@pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning")  # kafka-python leaves it so
def test_a_wrong_password_is_said_although_the_connection_ends_with_the_answer(
    broker: SuspiciousBroker,
) -> None:
    settings = Settings.load(
        bootstrap=f"127.0.0.1:{broker.port}",
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_username="u",
        sasl_password="p",
        connect_timeout_ms=500,
    )
    with pytest.raises(BrokerError, match="the broker refused the user name or password"):
        make_admin(settings)


@pytest.mark.parametrize(("kind", "warnings"), [(KafkaNetClient, 1), (NetClient, 0)])
def test_a_task_that_waits_is_not_reported_as_slow(
    kind: type[Any],
    warnings: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def slow_lookup(*_: object) -> list[Any]:
        time.sleep(0.11)  # the library's threshold is 0.1 s
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow_lookup)
    client = kind(bootstrap_servers="broker.invalid:9092")
    try:
        with (
            caplog.at_level(logging.WARNING, "kafka.net.selector"),
            pytest.raises(errors.KafkaError),
        ):
            client.get_broker_version(timeout_ms=150)
        assert sum("threshold" in message for message in caplog.messages) >= warnings
        assert warnings or "threshold" not in caplog.text
    finally:
        client.close()
