"""One port for those who watch a process: `/metrics`, `/health/live` and `/health/ready`.

live
    The loop has gone round within `LIVE_SECONDS`. If not, the process hangs: end it.
ready
    A broker is reached, and every stage has its state and is a member of its group. If not, wait:
    the body says how far it is.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from schemas.errors import InputError
from streams.runtime.observability.observer import Observer
from streams.runtime.observability.readiness import Phase, Readiness

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["LIVE_SECONDS", "HealthServer", "serving"]

LIVE_SECONDS = 120.0
"""A turn may wait for one transaction (60 s), its abort (15 s) and a new producer (15 s)."""

_REQUEST_SECONDS = 10  # for one request: a client that says nothing holds a thread no longer


class HealthServer(Observer):
    """What the worker's thread says of itself, and the threads that answer requests read.

    Parameters
    ----------
    stages
        Names of the stages that run.
    away
        Says why no broker is reached; `None` while one is.
    live_seconds
        Longest time between two turns of the loop.
    clock
        Seconds that only rise.
    """

    def __init__(
        self,
        stages: Iterable[str],
        *,
        away: Callable[[], str | None] = lambda: None,
        live_seconds: float = LIVE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._away = away
        self._live_seconds = live_seconds
        self._clock = clock
        self._turned_at = clock()
        self._stages = {stage: Readiness(Phase.JOINING, 0.0) for stage in stages}

    def turned(self) -> None:
        """Note that the loop goes round."""
        self._turned_at = self._clock()

    def stands(self, stage: str, readiness: Readiness, lags: Mapping[int, int | None]) -> None:
        """Note how far a stage is."""
        self._stages[stage] = readiness

    def live(self) -> tuple[bool, dict[str, Any]]:
        """Return whether the loop goes round, and the answer that says so."""
        silent = self._clock() - self._turned_at
        live = silent <= self._live_seconds
        return live, {"status": "live" if live else "hangs", "silent_seconds": round(silent, 1)}

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Return whether every stage is ready, and the answer that says what each is."""
        stages = dict(self._stages)
        waited_for = [one for one in stages.values() if not one.ready]
        body: dict[str, Any] = {"status": "ready"}
        if waited_for:
            body = _told(min(waited_for, key=lambda one: one.fraction))
        # A poll says nothing of a broker that is away: a stage that waits for it seems active.
        if why := self._away():
            body = {"status": "disconnected", "why": why}
        body["stages"] = {stage: _told(one) for stage, one in stages.items()}
        return not (waited_for or why), body


def _told(readiness: Readiness) -> dict[str, Any]:
    told: dict[str, Any] = {"status": readiness.phase.value}
    if readiness.phase is Phase.RESTORING:
        # Rounded down: what is not whole must not read as 1.
        told["done"] = int(readiness.fraction * 100) / 100
    if readiness.blocked:
        told["blocked"] = {
            str(one.partition): {"seconds": int(one.seconds), "why": one.why}
            for one in readiness.blocked
        }
    return told


@contextmanager
def serving(
    address: tuple[str, int], registry: CollectorRegistry, health: HealthServer
) -> Iterator[tuple[str, int]]:
    """Answer requests in threads of their own; yield the address that was bound.

    Parameters
    ----------
    address
        Host and port; port 0 takes any that is free.

    Raises
    ------
    InputError
        If the address cannot be bound: another process has it, or it is not of this machine.
    """
    try:
        kind = _Server6 if ":" in address[0] else _Server
        server = make_server(*address, _application(registry, health), kind, _Quiet)
    except OSError as error:
        got = f"{address[0]}:{address[1]}: {error.strerror or error}"
        msg = f"metrics_bind: must be an address of this machine that is free; got {got}"
        raise InputError(msg) from error
    thread = threading.Thread(target=server.serve_forever, name="tocsin-health", daemon=True)
    thread.start()
    try:
        yield address[0], server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up, or never asks, is no news of this process."""


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    timeout = _REQUEST_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Write no line for a request: one comes every few seconds."""


def _application(registry: CollectorRegistry, health: HealthServer) -> "WSGIApplication":
    metrics = make_wsgi_app(registry)
    answers = {"/health/live": health.live, "/health/ready": health.ready}

    def application(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            page: Iterable[bytes] = metrics(environ, start)
            return page
        if path not in answers:
            known = ["/metrics", *answers]
            return _json(start, HTTPStatus.NOT_FOUND, {"status": "no such page", "pages": known})
        well, body = answers[path]()
        return _json(start, HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE, body)

    return application


def _json(start: "StartResponse", status: HTTPStatus, body: Mapping[str, Any]) -> list[bytes]:
    content = json.dumps(body).encode() + b"\n"
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(content))),
        ("Cache-Control", "no-store"),
    ]
    start(f"{status.value} {status.phrase}", headers)
    return [content]
