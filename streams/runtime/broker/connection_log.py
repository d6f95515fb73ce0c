"""Detect from kafka-python's log whether any broker is reachable, and rate-limit that log.

While the broker is unreachable, a consumer's `poll` returns nothing and raises nothing.
kafka-python keeps reconnecting, as it should, and logs some ten lines a second. This filter writes
one line at the beginning, one a minute, and one when a broker answers again.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

from streams.runtime.broker.errors import shorten

__all__ = ["ConnectionLog"]

_CONNECTION = "kafka.net.connection"
_CONNECTED = "%s: Connected"  # its first argument is the connection
_REPEAT_SECONDS = 60.0  # interval between log lines while a failure lasts


class ConnectionLog(logging.Filter):
    """Logging filter for the log of all Kafka clients of this process.

    Failures of one broker among several are rate-limited likewise, and do not affect readiness.

    Parameters
    ----------
    clock
        Monotonic clock [s].
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()  # every client has a thread of its own
        self._connections: WeakSet[Any] = WeakSet()
        self._reporting = False
        self._since: float | None = None  # when the last broker became unreachable
        self._why = ""
        # Time of the last line written, by whether no broker at all was reachable.
        self._written_at: dict[bool, float] = {}
        self._suppressed = 0  # lines since then
        self._reported = False  # whether a line reported that no broker is reachable

    def report_warnings(self) -> None:
        """Start to write the clients' warnings; while connecting, the error replaces them."""
        with self._lock:
            self._reporting = True

    def unreachable_reason(self) -> str | None:
        """Return why no broker is reachable, and since when; `None` while one is."""
        with self._lock:
            if self._since is None or self._reached():
                return None
            return f"no broker for {self._clock() - self._since:.0f} s: {self._why}"

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write a record; add the number of suppressed lines to its message."""
        if record.name.partition(".")[0] != "kafka":
            return True
        with self._lock:
            if record.name == _CONNECTION and record.levelno == logging.INFO:
                # Enabled by `capturing` for this filter only: not to be written.
                return record.msg == _CONNECTED and self._connected(record)
            if record.levelno < logging.WARNING:
                return self._reporting
            return self._reporting and self._failed(record)

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Enable the client's INFO records about connections, which its logger drops by default."""
        logger = logging.getLogger(_CONNECTION)
        before = logger.level
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.setLevel(before)

    def _reached(self) -> bool:
        return any(connection.connected for connection in self._connections)

    def _connected(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            self._connections.add(record.args[0])
        if self._since is None:
            return False
        seconds, self._since = self._clock() - self._since, None
        record.msg, record.args = f"a broker answers again, after {seconds:.0f} s", ()
        reported, self._reported = self._reported, False
        return reported

    def _failed(self, record: logging.LogRecord) -> bool:
        reached = self._reached()
        if reached and not record.name.startswith("kafka.net."):
            return True  # about a group or topic: the connections work
        now = self._clock()
        self._why = shorten(record.getMessage())
        begins = self._since is None and not reached
        if begins:
            self._since = now
        none = self._since is not None
        if none in self._written_at and now - self._written_at[none] < _REPEAT_SECONDS:
            self._suppressed += 1
            return False
        what = "no broker is reached" if none else "a connection failed"
        if self._since is not None and not begins:
            what += f" for {now - self._since:.0f} s"
        suppressed = f" ({self._suppressed} more lines in between)" if self._suppressed else ""
        record.msg, record.args, record.exc_info = f"{what}: {self._why}{suppressed}", (), None
        self._written_at[none], self._suppressed, self._reported = now, 0, none
        return True
