"""What the settings ask for is opened, told of every turn, and closed again."""

import json
import logging
import time
from collections.abc import Mapping
from urllib.request import urlopen

import pytest

from streams.runtime.observability import setup as watching_module
from streams.runtime.observability.observer import Observer
from streams.runtime.observability.readiness import Phase, Readiness
from streams.runtime.observability.setup import StatusPoller, watching
from streams.runtime.settings import Settings
from tests.support.clock import Clock


class Worker:
    stage = "cases"

    def __init__(self) -> None:
        self.asked = 0
        self.asked_sizes = 0

    def readiness(self) -> Readiness:
        self.asked += 1
        return Readiness(Phase.ACTIVE)

    def lags(self) -> Mapping[int, int | None]:
        return {0: 7}

    def sizes(self) -> None:
        self.asked_sizes += 1


def test_every_turn_counts_and_workers_are_asked_now_and_then(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", clock)
    turns: list[float] = []

    class Listener(Observer):
        def turned(self) -> None:
            turns.append(clock())

    watch, worker = StatusPoller(Listener()), Worker()
    for _ in range(300):  # a turn takes 0.1 s: 30 s in all
        watch.turned([worker])
        clock.sleep(0.1)
    assert len(turns) == 300
    assert worker.asked == pytest.approx(30, abs=3)
    assert worker.asked_sizes == 3


def test_what_workers_say_is_served(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(metrics_bind="127.0.0.1:0")
    with caplog.at_level(logging.INFO), watching(settings, ["cases"], ["mhra"]) as watch:
        address = caplog.messages[-1].removeprefix("metrics and health on ")
        assert address.startswith("http://127.0.0.1:")
        watch.turned([Worker()])
        with urlopen(f"{address}/health/ready", timeout=5) as answer:
            assert json.load(answer)["stages"] == {"cases": {"status": "active"}}
        with urlopen(f"{address}/metrics", timeout=5) as answer:
            page = answer.read().decode()
    assert 'tocsin_lag_messages{partition="0",stage="cases"} 7.0' in page
    assert 'tocsin_alert_rules_fired_total{rule="mhra"} 0.0' in page


def test_unless_asked_for_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Metrics", "HealthServer", "Journal", "serving"):
        monkeypatch.setattr(watching_module, name, None)
    with watching(Settings(), ["cases", "detect"]) as watch:
        worker = Worker()
        watch.turned([worker])
        assert dict(watch.observer.publishing(None)) == {}  # type: ignore[arg-type]
