"""The stages run to their end inside the test's own process, where they can be made to crash."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from detectors.rules import load_rules
from streams.core.counting.windows import WindowSpec
from streams.runtime.settings import Settings
from streams.runtime.workers import alert_publisher
from streams.runtime.workers.case_worker import CaseWorker
from streams.runtime.workers.detect_worker import DetectWorker
from tests.broker.support.processes import as_counts

MHRA_IC = ("--rules", "mhra,ic", "--screening", "none")
"""Options of a command for the rules of `detector`."""


class Crash(BaseException):
    """Simulated end of the process."""


@contextmanager
def at_work(settings: Settings, worker: Any) -> Iterator[Any]:
    """Run until drained, and close."""
    with closing(worker):
        ends = worker.ends()
        while not worker.drained(ends):
            worker.step(100)
        yield worker


def count_all(settings: Settings) -> None:
    with at_work(settings, CaseWorker(settings)):
        pass


def detector(settings: Settings) -> DetectWorker:
    return DetectWorker(settings, [WindowSpec.parse("cumulative")], load_rules(["mhra", "ic"]))


def detect_all(settings: Settings) -> Any:
    with at_work(settings, detector(settings)) as worker:
        return as_counts(worker.counts())


@contextmanager
def publishing_cut_off(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let transactions hold three alerts each; the block has to crash after a part of them."""
    monkeypatch.setattr(alert_publisher, "_ALERTS", 3)
    transaction = alert_publisher.transaction
    begun = []

    def crash_in_between(*arguments: Any, **options: Any) -> Any:
        begun.append(1)
        if len(begun) == 5:  # the first two commit the rules, and where the detector begins
            raise Crash
        return transaction(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(alert_publisher, "transaction", crash_in_between)
        with pytest.raises(Crash):
            yield
