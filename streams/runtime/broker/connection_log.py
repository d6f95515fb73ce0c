"""Whether any broker is reached, as the client's log tells it; and of that log no more than helps.

While its broker is away, a consumer's `poll` returns nothing and says nothing. kafka-python goes on
trying, which is right, and writes some ten lines a second of it. Here they become one at the
beginning, one a minute, and one when a broker answers again.
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
_AGAIN_SECONDS = 60.0  # from one line of what lasts to the next


class ConnectionLog(logging.Filter):
    """A filter of a handler through which the log of all clients of this process passes.

    What one broker of several does is told as seldom, and ends no readiness.

    Parameters
    ----------
    clock
        Seconds that only rise.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()  # every client has a thread of its own
        self._made: WeakSet[Any] = WeakSet()
        self._heard = False
        self._since: float | None = None  # no broker is reached
        self._why = ""
        # When a line was last let through: of one connection (False), of no broker at all (True).
        self._said: dict[bool, float] = {}
        self._held = 0  # lines since
        self._told = False  # whether a line said that no broker is reached

    def hear(self) -> None:
        """From now on let the client speak: before, the error of a failing attempt says it all."""
        with self._lock:
            self._heard = True

    def away(self) -> str | None:
        """Say why no broker is reached and for how long; `None` while one is."""
        with self._lock:
            if self._since is None or self._reached():
                return None
            return f"no broker for {self._clock() - self._since:.0f} s: {self._why}"

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is written; one that stands for many is changed to say so."""
        if record.name.partition(".")[0] != "kafka":
            return True
        with self._lock:
            if record.name == _CONNECTION and record.levelno == logging.INFO:
                # `listening` asks for them: nobody else did.
                return record.msg == _CONNECTED and self._connected(record)
            if record.levelno < logging.WARNING:
                return self._heard
            return self._heard and self._trouble(record)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Have the client say when it has connected, which it does on a level that is off."""
        logger = logging.getLogger(_CONNECTION)
        before = logger.level
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.setLevel(before)

    def _reached(self) -> bool:
        return any(connection.connected for connection in self._made)

    def _connected(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            self._made.add(record.args[0])
        if self._since is None:
            return False
        seconds, self._since = self._clock() - self._since, None
        record.msg, record.args = f"a broker answers again, after {seconds:.0f} s", ()
        told, self._told = self._told, False
        return told

    def _trouble(self, record: logging.LogRecord) -> bool:
        reached = self._reached()
        if reached and not record.name.startswith("kafka.net."):
            return True  # of a group, a topic: no connection is to blame
        now = self._clock()
        self._why = shorten(record.getMessage())
        begins = self._since is None and not reached
        if begins:
            self._since = now
        none = self._since is not None
        if none in self._said and now - self._said[none] < _AGAIN_SECONDS:
            self._held += 1
            return False
        what = "no broker is reached" if none else "a connection failed"
        if self._since is not None and not begins:
            what += f" for {now - self._since:.0f} s"
        held = f" ({self._held} more lines in between)" if self._held else ""
        record.msg, record.args, record.exc_info = f"{what}: {self._why}{held}", (), None
        self._said[none], self._held, self._told = now, 0, none
        return True
