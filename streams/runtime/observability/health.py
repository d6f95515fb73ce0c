"""HTTP endpoints for monitoring a process: `/metrics`, `/health/live` and `/health/ready`.

live
    The loop completed an iteration within `LIVE_SECONDS`. If not, the process hangs: restart it.
ready
    A broker is reachable, and every stage has its state and is a member of its group. If not,
    wait: the body shows the progress.
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
"""One iteration may wait for a transaction (60 s), its abort (15 s) and a new producer (15 s)."""

_REQUEST_SECONDS = 10  # timeout of a request, so that a silent client frees its thread


class HealthServer(Observer):
    """Liveness and readiness: set by the worker's thread, read by the threads of the HTTP server.

    Parameters
    ----------
    stages
        Names of the stages that run.
    unreachable_reason
        Returns why no broker is reachable; `None` while one is.
    live_seconds
        Longest time between two iterations of the loop [s].
    clock
        Monotonic clock [s].
    """

    def __init__(
        self,
        stages: Iterable[str],
        *,
        unreachable_reason: Callable[[], str | None] = lambda: None,
        live_seconds: float = LIVE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._unreachable_reason = unreachable_reason
        self._live_seconds = live_seconds
        self._clock = clock
        self._iteration_at = clock()
        self._stages = {stage: Readiness(Phase.JOINING, 0.0) for stage in stages}

    def loop_iteration(self) -> None:
        """Record the time of the iteration."""
        self._iteration_at = self._clock()

    def stage_status(
        self, stage: str, readiness: Readiness, lags: Mapping[int, int | None]
    ) -> None:
        """Record the readiness of a stage."""
        self._stages[stage] = readiness

    def live(self) -> tuple[bool, dict[str, Any]]:
        """Return whether the loop runs, and the body of the response."""
        silent = self._clock() - self._iteration_at
        live = silent <= self._live_seconds
        return live, {"status": "live" if live else "hangs", "silent_seconds": round(silent, 1)}

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Return whether every stage is ready, and the body of the response, stage by stage."""
        stages = dict(self._stages)
        unready = [readiness for readiness in stages.values() if not readiness.ready]
        body: dict[str, Any] = {"status": "ready"}
        if unready:
            body = _as_json(min(unready, key=lambda readiness: readiness.fraction))
        # A poll raises nothing while the broker is unreachable: the stage would seem active.
        if why := self._unreachable_reason():
            body = {"status": "disconnected", "why": why}
        body["stages"] = {stage: _as_json(readiness) for stage, readiness in stages.items()}
        return not (unready or why), body


def _as_json(readiness: Readiness) -> dict[str, Any]:
    body: dict[str, Any] = {"status": readiness.phase.value}
    if readiness.phase is Phase.RESTORING:
        # Rounded down: 1 means complete.
        body["done"] = int(readiness.fraction * 100) / 100
    if readiness.why:
        body["why"] = readiness.why
    if readiness.blocked:
        body["blocked"] = {
            str(blocked.partition): {"seconds": int(blocked.seconds), "why": blocked.why}
            for blocked in readiness.blocked
        }
    return body


@contextmanager
def serving(
    address: tuple[str, int], registry: CollectorRegistry, health: HealthServer
) -> Iterator[tuple[str, int]]:
    """Serve HTTP requests in background threads; yield the bound address.

    Parameters
    ----------
    address
        Host and port; port 0 binds any free port.

    Raises
    ------
    InputError
        If the address cannot be bound: another process uses it, or this machine does not have it.
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
        """Ignore clients that disconnect or send no request: this process is not at fault."""


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    timeout = _REQUEST_SECONDS

    def log_message(self, format: str, *args: Any) -> None:
        """Log no requests: probes arrive every few seconds."""


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
        healthy, body = answers[path]()
        return _json(start, HTTPStatus.OK if healthy else HTTPStatus.SERVICE_UNAVAILABLE, body)

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
