"""Configured observers are opened, receive every loop iteration, and are closed again."""

import json
import logging
import time
from collections.abc import Mapping
from urllib.request import urlopen

import pytest

from streams.runtime.observability import setup as watching_module
from streams.runtime.observability.observer import Observer
from streams.runtime.observability.readiness import Phase, Readiness
from streams.runtime.observability.setup import StatusPoller, open_observers
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

    def report_sizes(self) -> None:
        self.asked_sizes += 1


def test_every_iteration_is_recorded_and_workers_are_polled_at_intervals(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", clock)
    iterations: list[float] = []

    class Listener(Observer):
        def loop_iteration(self) -> None:
            iterations.append(clock())

    watch, worker = StatusPoller(Listener()), Worker()
    for _ in range(300):  # one iteration takes 0.1 s: 30 s in all
        watch.poll([worker])
        clock.sleep(0.1)
    assert len(iterations) == 300
    assert worker.asked == pytest.approx(30, abs=3)
    assert worker.asked_sizes == 3


def test_the_status_of_workers_is_served(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(metrics_bind="127.0.0.1:0")
    with caplog.at_level(logging.INFO), open_observers(settings, ["cases"], ["mhra"]) as watch:
        address = caplog.messages[-1].removeprefix("metrics and health on ")
        assert address.startswith("http://127.0.0.1:")
        watch.poll([Worker()])
        with urlopen(f"{address}/health/ready", timeout=5) as answer:
            assert json.load(answer)["stages"] == {"cases": {"status": "active"}}
        with urlopen(f"{address}/metrics", timeout=5) as answer:
            page = answer.read().decode()
    assert 'tocsin_lag_messages{partition="0",stage="cases"} 7.0' in page
    assert 'tocsin_alert_rules_fired_total{rule="mhra"} 0.0' in page


def test_without_settings_nothing_is_observed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Metrics", "HealthServer", "Journal", "serving"):
        monkeypatch.setattr(watching_module, name, None)
    with open_observers(Settings(), ["cases", "detect"]) as watch:
        worker = Worker()
        watch.poll([worker])
        assert dict(watch.observer.delta_publishing(None)) == {}  # type: ignore[arg-type]
