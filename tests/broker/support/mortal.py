"""Workers that kill themselves with SIGKILL at the worst moments, and are restarted."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.runtime.settings import Settings
from tests.broker.support import processes
from tests.broker.support.processes import Running

DYING = """
import os, signal
from pathlib import Path
from pkgutil import resolve_name
import streams.cli
owner, _, name = {place!r}.rpartition(".")
owner = resolve_name(owner)
original = getattr(owner, name)
def dying(self, *arguments, **options):
    armed = Path({trigger!r}).exists()
    if {when!r} == "after" or not armed:
        returned = original(self, *arguments, **options)
    if armed:
        os.kill(os.getpid(), signal.SIGKILL)
    return returned
setattr(owner, name, dying)
streams.cli.main()
"""
PLACES = (
    ("streams.runtime.broker.transactions.Transaction.send", "after"),
    ("streams.runtime.broker.transactions.Transaction.wait_for_acknowledgements", "after"),
    ("kafka.KafkaProducer.commit_transaction", "after"),
)


class Mortal:
    """A `tocsin run` that is restarted whenever it kills itself, at a moment of a transaction.

    Parameters
    ----------
    stage, options
        What it runs.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        patched: pytest.MonkeyPatch,
        stage: str,
        ready: str,
        *options: object,
    ) -> None:
        self._settings = settings.model_copy(update={"group_instance_id": f"the-{stage}"})
        self._folder = folder / stage
        self._patched = patched
        self._command = ("run", "--stage", stage, *options)
        self._ready = ready
        self._deaths = 0
        self._running = self._start()

    def dies_of(self, cause: Callable[[], None]) -> None:
        """Let a call kill the worker, then restart it."""
        self._trigger.touch()
        cause()
        assert self._running.process.wait(60) == -9, self._running.text()
        self._deaths += 1
        self._running = self._start()

    def stop(self) -> None:
        self._running.stop()

    def kill(self) -> None:
        self._running.kill()

    @property
    def _trigger(self) -> Path:
        return self._folder / f"die-{self._deaths}"

    def _start(self) -> Running:
        place, when = PLACES[self._deaths % len(PLACES)]
        code = DYING.format(place=place, when=when, trigger=str(self._trigger))
        with self._patched.context() as patched:
            patched.setattr(processes, "COMMAND", (sys.executable, "-W", "ignore", "-c", code))
            running = Running(self._settings, self._folder, *self._command)
        running.says(self._ready, seconds=60)
        return running
