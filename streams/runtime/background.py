"""Calls in daemon threads, for whatever may hang: wait for so long, then give up."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import wait as wait_for
from contextlib import suppress
from typing import Generic, TypeVar

__all__ = ["BackgroundTask"]

T = TypeVar("T")


class BackgroundTask(Generic[T]):
    """A call that runs in a thread of its own.

    Parameters
    ----------
    name
        Of the thread.
    call
        Called once.
    undo
        Called with the result if the task has been given up: a client, say, must then be closed.
    """

    def __init__(
        self, name: str, call: Callable[[], T], undo: Callable[[T], None] = lambda result: None
    ) -> None:
        self._call, self._undo = call, undo
        self._future: Future[T] = Future()
        # A daemon, unlike a thread of an executor: a call that hangs must not keep the process up.
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait for at most so many seconds; return whether the call has ended."""
        return bool(wait_for([self._future], max(seconds, 0.0)).done)

    def result(self) -> T:
        """Return what the call returned, or raise what it raised; it must have ended."""
        return self._future.result(0)

    def give_up(self) -> None:
        """Undo the result: now if the call has ended, else as soon as it does."""
        if not self._future.cancel() and self._future.exception() is None:
            self._undo(self._future.result())

    def _run(self) -> None:
        # The future stays pending while the call runs, so that it can be cancelled until it ends.
        try:
            result = self._call()
        except BaseException as error:
            with suppress(InvalidStateError):  # given up
                self._future.set_exception(error)
            return
        try:
            self._future.set_result(result)
        except InvalidStateError:  # given up
            self._undo(result)
