"""A call in a thread of its own, for what may hang: it can be waited for, and given up."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["BackgroundTask"]

T = TypeVar("T")


class BackgroundTask(Generic[T]):
    """A call under way.

    Parameters
    ----------
    name
        Of its thread.
    call
        What to do.
    undo
        What to do with its result should it come after the task was given up.
    """

    def __init__(
        self, name: str, call: Callable[[], T], undo: Callable[[T], None] = lambda result: None
    ) -> None:
        self._call, self._undo = call, undo
        self._result: list[T] = []
        self._error: BaseException | None = None
        self._given_up = False
        self._lock = threading.Lock()
        self._ended = threading.Event()
        # A daemon: what hangs must not keep a process from its end.
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait for so long at most; return whether it has ended."""
        return self._ended.wait(max(seconds, 0.0))

    def result(self) -> T:
        """Return what the call returned, or raise what it raised; it must have ended."""
        if self._error is not None:
            raise self._error
        return self._result[0]

    def give_up(self) -> None:
        """Want no result any more: one that is there is undone now, one that comes later then."""
        with self._lock:
            self._given_up = True
            late, self._result = self._result, []
        for one in late:
            self._undo(one)

    def _run(self) -> None:
        try:
            made = [self._call()]
        except BaseException as error:
            self._error, made = error, []
        with self._lock:
            if not self._given_up:
                self._result, made = made, []
        for one in made:
            self._undo(one)
        self._ended.set()
