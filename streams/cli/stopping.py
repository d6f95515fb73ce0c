"""How commands that run on are told to stop."""

import signal
import time
from types import FrameType

__all__ = ["StopSignal"]

_SLICE = 0.2  # seconds; a sleep goes on after a signal, so it is taken in slices


class StopSignal:
    """Turns the first Ctrl-C or SIGTERM into a question that loops ask between batches."""

    def __init__(self) -> None:
        self._asked = False
        self._before = {
            number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)
        }

    def close(self) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def asked(self) -> bool:
        """Whether somebody asked to stop."""
        return self._asked

    def wait(self, seconds: float) -> None:
        """Sleep, but no longer than until somebody asks to stop."""
        end = time.monotonic() + seconds
        while not self._asked and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE))

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
