"""Metrics of failures: blocked partitions, failed snapshots."""

import time
from pathlib import Path

from streams.runtime.observability.metrics import Metrics
from streams.runtime.observability.readiness import Phase, Readiness
from tests.support.work import stuck

DOCUMENT = Path(__file__).parents[4] / "docs" / "operate" / "metrics-and-alerts.md"


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"tocsin_{name}", labels)


def series(metrics: Metrics, name: str) -> list[tuple[dict[str, str], float]]:
    return [
        (dict(sample.labels), sample.value)
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == f"tocsin_{name}"
    ]


def test_a_blocked_partition_has_a_series_as_long_as_it_is_blocked() -> None:
    metrics = Metrics()
    documented = DOCUMENT.read_text(encoding="utf-8").split("`tocsin_partition_blocked_seconds`")[1]
    for reason in ("no_answer", "failing", "takeover"):
        assert f"`{reason}`" in documented.splitlines()[0]
        metrics.stage_status("cases", stuck(3, reason), {3: 5, 4: 0})
        metrics.stage_status("detect", Readiness(Phase.ACTIVE), {0: 5})
        found = series(metrics, "partition_blocked_seconds")
        assert found == [({"partition": "3", "reason": reason}, 7.0)]
        assert value(metrics, "ready", stage="cases") == 0
    metrics.stage_status("cases", Readiness(Phase.ACTIVE), {3: 0, 4: 0})
    assert series(metrics, "partition_blocked_seconds") == []
    assert value(metrics, "ready", stage="cases") == 1


def test_snapshots_are_counted_and_the_last_good_one_is_dated() -> None:
    metrics, before = Metrics(), time.time()
    assert value(metrics, "snapshots_total", outcome="written") == 0, "a rate needs a zero"
    metrics.snapshot_finished("failed", 1.0)
    assert value(metrics, "snapshots_total", outcome="failed") == 1
    assert value(metrics, "snapshot_timestamp_seconds") == 0
    metrics.snapshot_finished("written", 1.0)
    assert value(metrics, "snapshots_total", outcome="written") == 1
    assert (value(metrics, "snapshot_timestamp_seconds") or 0) >= before
