"""Limits on connections: unfinished requests, unread responses and their number."""

import asyncio
import resource
from collections.abc import Callable

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = [
    "STALLED_SECONDS",
    "UNFINISHED_SECONDS",
    "connection_limit",
    "guarded_protocol",
    "raise_descriptor_limit",
]

UNFINISHED_SECONDS = 10.0
"""Time for a whole request, its body included, before its connection is closed [s]."""
STALLED_SECONDS = 30.0
"""Time in which a reader must read some of a response that waits for it [s]."""
_MOST_CONNECTIONS = 2_000
_LEAST_CONNECTIONS = 16
# File descriptors that are not connections: 40 threads of requests with two SQLite files of three
# each, the feed, Kafka, logs and libraries.
_RESERVED_DESCRIPTORS = 400
_MOST_DESCRIPTORS = 65_536  # beyond, the soft limit is left as it is


def raise_descriptor_limit() -> int:
    """Raise the soft limit of file descriptors to the hard one; return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft if soft != resource.RLIM_INFINITY else _MOST_DESCRIPTORS


def connection_limit(descriptors: int) -> int:
    """Return the number of connections that leaves descriptors for everything else.

    >>> connection_limit(1024)
    624
    """
    return max(_LEAST_CONNECTIONS, min(_MOST_CONNECTIONS, descriptors - _RESERVED_DESCRIPTORS))


def guarded_protocol(
    most: int,
    *,
    unfinished_seconds: float = UNFINISHED_SECONDS,
    stalled_seconds: float = STALLED_SECONDS,
) -> type[H11Protocol]:
    """Return uvicorn's protocol with limits, for one server.

    A new connection beyond the limit replaces the oldest one without a complete request, so that
    half-open connections only displace each other; if every connection has one, it is refused.

    Parameters
    ----------
    most
        Connections at the same time.
    unfinished_seconds, stalled_seconds
        As `UNFINISHED_SECONDS` and `STALLED_SECONDS`.
    """
    unfinished: dict[H11Protocol, Callable[[], None]] = {}  # the oldest first

    class GuardedProtocol(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None
        _stalled: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._begin()
            if len(self.connections) > most:
                next(iter(unfinished.values()))()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._check()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._check()

        def connection_lost(self, exc: Exception | None) -> None:
            self._finish()
            self.resume_writing()
            super().connection_lost(exc)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._stalled = self.loop.call_later(stalled_seconds, self._drop)

        def resume_writing(self) -> None:
            if self._stalled is not None:
                self._stalled.cancel()
                self._stalled = None
            super().resume_writing()

        def _check(self) -> None:
            """Start or stop the deadline, by whether a request is complete and not yet answered."""
            complete = self.cycle is not None and not self.cycle.more_body
            if complete and not self.cycle.response_complete:
                self._finish()
            elif self._deadline is None:
                self._begin()

        def _begin(self) -> None:
            unfinished[self] = self._drop
            self._deadline = self.loop.call_later(unfinished_seconds, self._drop)

        def _finish(self) -> None:
            unfinished.pop(self, None)
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _drop(self) -> None:
            """Close the connection now, without waiting for its peer."""
            self._finish()
            self.connections.discard(self)
            self.transport.abort()

    return GuardedProtocol
