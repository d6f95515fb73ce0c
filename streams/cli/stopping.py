"""Graceful stop of long-running commands on Ctrl-C or SIGTERM."""

import signal
import time
from types import FrameType

__all__ = ["StopSignal"]

_SLICE = 0.2  # s; Python resumes a sleep after a signal, so waits sleep in slices


class StopSignal:
    """Turns the first Ctrl-C or SIGTERM into a flag; a second one interrupts at once."""

    def __init__(self) -> None:
        self._asked = False
        self._before = {
            number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)
        }

    def close(self) -> None:
        """Restore the previous signal handlers."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def asked(self) -> bool:
        """Return whether a stop was requested."""
        return self._asked

    def wait(self, seconds: float) -> None:
        """Sleep for some seconds, or until a stop is requested."""
        end = time.monotonic() + seconds
        while not self._asked and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE))

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
