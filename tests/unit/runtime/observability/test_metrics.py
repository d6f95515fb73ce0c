"""Metrics: scraped values equal the observed events; names, labels and documents agree."""

import json
import math
import re
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.core import Metric

from schemas.errors import RejectCode
from schemas.rejected import Rejected
from streams.runtime.broker.transactions import ProducerFenced, ProducerUnusable, TransactionAborted
from streams.runtime.observability.metrics import Metrics
from streams.runtime.observability.observer import (
    SILENT,
    DetectorSize,
    EvaluationEvent,
    Observer,
    Observers,
    observed,
)
from streams.runtime.observability.readiness import Phase, Readiness
from streams.runtime.state.case_store import StoreSize
from streams.runtime.wire.batches import Batch, ReportTimes
from streams.runtime.wire.rerouting import Rerouted
from tests.support.work import Work, changes, raw, stuck, watched

OPERATIONS = Path(__file__).parents[4] / "docs" / "operate"
LABELS = {"stage", "partition", "outcome", "reason", "standing", "report", "scope"}
LABELS |= {"kind", "grade", "category", "rule", "version", "python", "le"}


def scraped(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    """Return every sample by name and label values."""
    return {
        (sample.name.removeprefix("tocsin_"), tuple(sample.labels.values())): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, *labels: str) -> float:
    return scraped(metrics).get((name, labels), math.nan)


def exposed() -> dict[str, Metric]:
    """Return every metric by its scraped name."""
    metrics = Metrics(["mhra"])
    work(metrics)
    return {
        f"{one.name}_total" if one.type == "counter" else f"{one.name}_info"
        if one.type == "info" else one.name: one
        for one in metrics.registry.collect()
    }  # fmt: skip


def work(metrics: Metrics) -> None:
    """Report every kind of event at least once."""
    done = Work()
    batch, counted, rejected = done.count([raw(case) for case in range(20)] + [b"{"])
    metrics.batch_counted(batch, counted, rejected, 0.5)
    metrics.delta_published(batch, 0.7)
    delta = done.apply(batch, counted, ReportTimes(1, 2).headers())
    metrics.delta_applied(delta)
    evaluation = EvaluationEvent([delta], done.evaluate(), full=True, seconds=0.1)
    metrics.evaluation_finished(evaluation)
    metrics.alerts_published(evaluation, 0.9)
    metrics.transaction_ended("cases", "committed")
    metrics.loop_iteration()
    metrics.stage_status("cases", stuck(), {3: 5})
    metrics.store_sizes({3: StoreSize(1, 2, 3)}, 8)
    metrics.detector_size(DetectorSize.of(done.detector))
    metrics.notice_lags({0: 1})
    notice_only = EvaluationEvent([], [], full=False, seconds=0.1, notices=1, last_notice=batch)
    metrics.alerts_published(notice_only, 0.1)


def test_a_new_process_shows_zeros_to_count_from() -> None:
    metrics = Metrics(["mhra", "mine"])
    for name, labels in (
        ("rejects_total", tuple(RejectCode)),
        ("safety_alerts_total", ("LOT_CLUSTER", "UNVERIFIED_FATAL", "FOLLOW_UP_OVERDUE")),
        ("alert_rules_fired_total", ("mhra", "mine")),
        ("deltas_total", ("counted", "repeated")),
        ("reports_total", ("first", "replaced", "repeated", "stale", "conflicting")),
        ("reports_total", ("linked", "repeated_link")),
    ):
        for label in labels:
            assert value(metrics, name, label) == 0
    for kind in ("new", "strengthened", "weakened", "update", "retraction", "closed"):
        for grade in ("alarm", "screening"):
            assert value(metrics, "alerts_total", kind, grade) == 0
    assert value(metrics, "transactions_total", "detect", "fenced") == 0
    assert math.isnan(value(metrics, "lag_messages", "cases", "0"))


def test_batches_are_counted_by_what_became_of_them() -> None:
    metrics, done = Metrics(), Work()
    first = done.count([raw(1), raw(2), raw(3), b"{", b"[]"])
    metrics.batch_counted(*first, 0.5)
    again = done.count([raw(1), raw(2, day=4, version=2), raw(3, day=9, version=2, reactions=())])
    metrics.batch_counted(*again, 1.5)
    assert value(metrics, "messages_read_total", "3") == 8
    assert value(metrics, "reports_total", "first") == 3
    assert value(metrics, "reports_total", "repeated") == 1
    assert value(metrics, "reports_total", "replaced") == 2
    assert value(metrics, "rejects_total", "not_json") == 2
    assert changes(first[1]) == (3, 0)
    assert changes(again[1]) == (1, 2)
    assert value(metrics, "retractions_total") == 2
    assert value(metrics, "population_change_cases", "counted") == 2
    assert value(metrics, "population_change_cases", "no_reaction") == 1
    assert value(metrics, "batch_seconds_sum", "cases") == 2
    metrics.stage_status("cases", Readiness(Phase.ACTIVE), {3: 0})
    days = (date(2024, 3, 9) - date(1970, 1, 1)).days
    assert value(metrics, "watermark_timestamp_seconds", "3") == days * 86_400
    late = done.count([raw(4)])
    metrics.batch_counted(*late, 0.1)
    metrics.stage_status("cases", Readiness(Phase.ACTIVE), {3: 0})
    assert value(metrics, "watermark_timestamp_seconds", "3") == days * 86_400


def test_re_routed_messages_are_read_and_counted_by_the_partition_they_came_to() -> None:
    metrics, done = Metrics(), Work()
    batch, counted, rejected = done.count([raw(1)])
    copies = [Rerouted(1, b"C1", b"{}", [("rerouted-from", b"pv.reports[3]@5")], -1)] * 4
    metrics.batch_counted(batch, replace(counted, rerouted=copies), rejected, 0.1)
    metrics.batch_counted(*done.count([raw(2)]), 0.1)
    assert value(metrics, "reports_rerouted_total", "3") == 4
    assert value(metrics, "messages_read_total", "3") == 6
    assert value(metrics, "reports_total", "first") == 2


def test_alerts_are_counted_by_kind_and_rule_and_their_reports_waiting_is_timed() -> None:
    metrics, done = Metrics(["mhra", "ic"]), Work()
    now = time.time() * 1000
    times = [ReportTimes(int(now - 9_000), int(now - 4_000)), ReportTimes(0, int(now + 60_000))]
    deltas = []
    for start, each in zip((0, 10), times, strict=True):
        batch, counted, _ = done.count([raw(case) for case in range(start, start + 10)])
        deltas.append(done.apply(batch, counted, each.headers()))
    repeated = done.apply(batch, counted, times[0].headers())
    batch, counted, _ = done.count([raw(case) for case in range(20, 22)])
    without = done.apply(batch, counted)
    assert (without.fresh, repeated.fresh) == (True, False)
    alerts = done.evaluate()
    assert {alert.kind.value for alert in alerts} == {"new"}
    deltas += [without, repeated]
    for delta in deltas:
        metrics.delta_applied(delta)
    metrics.alerts_published(EvaluationEvent(deltas, alerts, full=False, seconds=0.5), 2.5)
    metrics.alerts_published(EvaluationEvent(deltas, [], full=True, seconds=0.25), 1.5)
    assert value(metrics, "alerts_total", "new", "alarm") == len(alerts) > 0
    for rule in ("mhra", "ic"):
        fired = sum(rule in alert.rules_fired for alert in alerts)
        assert value(metrics, "alert_rules_fired_total", rule) == fired
    assert value(metrics, "deltas_total", "counted") == 3
    assert value(metrics, "deltas_total", "repeated") == 1
    # No latency without alerts or without timestamps; a sender's clock ahead of ours gives 0 s.
    assert value(metrics, "report_to_alert_seconds_count", "newest") == 2
    assert value(metrics, "report_to_alert_seconds_sum", "newest") == pytest.approx(4, abs=0.9)
    waited = value(metrics, "report_to_alert_seconds_sum", "oldest")
    assert waited == pytest.approx(9 + time.time(), abs=1.9)
    assert value(metrics, "evaluation_seconds_sum", "touched") == 0.5
    assert value(metrics, "evaluation_seconds_sum", "full") == 0.25
    assert value(metrics, "poll_to_publish_seconds_sum", "detect") == 4


def test_safety_alerts_are_counted_by_category_and_notices_by_number() -> None:
    metrics, done = Metrics(), Work()
    dead = watched(1, seriousness=("death",))
    batch, counted, _ = done.count([dead])
    delta = done.apply(batch, counted)
    safety_alerts = done.detector.safety_alerts(done.detector.watermark)
    assert [alert.category.value for alert in safety_alerts] == ["FATAL_CASE"]
    fields = {"full": False, "seconds": 0.25, "safety_alerts": safety_alerts}
    metrics.alerts_published(EvaluationEvent([delta], [], **fields), 0.5)
    at = Batch("pv.notices", 2, 5, 6)
    alone = EvaluationEvent([], [], **fields, notices=3, last_notice=at)
    metrics.alerts_published(alone, 0.5)
    assert alone.name == "pv.notices[2]@5"
    assert value(metrics, "safety_alerts_total", "FATAL_CASE") == 2
    assert value(metrics, "safety_alerts_total", "LOT_CLUSTER") == 0
    assert value(metrics, "alerts_total", "new", "alarm") == 0
    assert value(metrics, "notices_total") == 3
    assert value(metrics, "evaluation_seconds_count", "touched") == 1
    assert value(metrics, "evaluation_seconds_count", "notices") == 1
    metrics.notice_lags({2: 7, 3: None})
    assert value(metrics, "notice_lag_messages", "2") == 7
    metrics.notice_lags({})
    assert math.isnan(value(metrics, "notice_lag_messages", "2"))
    for code in RejectCode:
        assert value(metrics, "rejects_total", code.value) == 0
        metrics.notices_rejected(
            [Rejected(source="pv.notices[0]", position=1, reason="any", raw=b"", code=code)]
        )
        assert value(metrics, "rejects_total", code.value) == 1


def test_what_moved_elsewhere_is_shown_no_longer() -> None:
    metrics, done = Metrics(), Work()
    metrics.batch_counted(*done.count([raw(1)]), 0.1)
    size = StoreSize(10, 20, 30)
    metrics.stage_status("cases", Readiness(Phase.RESTORING, 0.5), {3: 7, 5: None})
    metrics.store_sizes({3: size, 5: size}, 8)
    assert value(metrics, "ready", "cases") == 0
    assert value(metrics, "restore_progress_ratio", "cases") == 0.5
    assert value(metrics, "partitions_held", "cases") == 2
    assert value(metrics, "lag_messages", "cases", "3") == 7
    assert math.isnan(value(metrics, "lag_messages", "cases", "5"))
    metrics.stage_status("detect", Readiness(Phase.ACTIVE), {0: 1})
    metrics.stage_status("cases", Readiness(Phase.ACTIVE), {5: 2})
    metrics.store_sizes({5: size}, 8)
    assert value(metrics, "ready", "cases") == 1
    assert {key for key in scraped(metrics) if "3" in key[1]} == {
        ("messages_read_total", ("3",)),
        ("messages_read_created", ("3",)),
        ("reports_rerouted_total", ("3",)),
        ("reports_rerouted_created", ("3",)),
    }
    assert value(metrics, "state_cases", "5") == 30
    assert value(metrics, "lag_messages", "detect", "0") == 1
    metrics.stage_status("cases", Readiness(Phase.JOINING), {})
    assert value(metrics, "restore_progress_ratio", "cases") == 0


def test_a_detector_that_stands_by_holds_nothing() -> None:
    metrics, done = Metrics(), Work()
    batch, counted, _ = done.count([raw(case) for case in range(5)])
    done.apply(batch, counted)
    metrics.detector_size(DetectorSize.of(done.detector))
    assert value(metrics, "detector_cases") == 5
    assert value(metrics, "detector_pairs") == 2
    assert value(metrics, "detector_names", "drugs") == 2
    assert value(metrics, "evaluated_day_timestamp_seconds") == counted.delta.watermark * 86_400
    metrics.detector_size(DetectorSize.of(None))
    for name in ("detector_cases", "detector_pairs", "evaluated_day_timestamp_seconds"):
        assert value(metrics, name) == 0


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "committed"),
        (TransactionAborted("x"), "aborted"),
        (ProducerFenced("x"), "fenced"),
        (ProducerUnusable("x"), "unknown"),
        (ZeroDivisionError(), None),  # of the body: nobody knows the transaction's end
    ],
)
def test_transactions_are_counted_by_how_they_end(
    error: Exception | None, outcome: str | None
) -> None:
    outcomes: list[tuple[str, str]] = []
    iterations: list[int] = []

    class Listener(Observer):
        def transaction_ended(self, stage: str, outcome: str) -> None:
            outcomes.append((stage, outcome))

        def loop_iteration(self) -> None:
            iterations.append(1)

    def body() -> None:
        with observed(Observers([SILENT, Listener()]), "cases"):
            if error is not None:
                raise error

    if error is None:
        body()
    else:
        with pytest.raises(type(error)):
            body()
    assert outcomes == ([] if outcome is None else [("cases", outcome)])
    assert iterations == [1], "an attempt to publish is a sign of life"


def test_several_observers_receive_every_event_and_merge_their_headers() -> None:
    received: list[str] = []

    class Named(Observer):
        def __init__(self, name: str) -> None:
            self.name = name

        def delta_publishing(self, batch: Batch) -> dict[str, bytes]:
            return {self.name: b"delta"}

        def evaluation_finished(self, evaluation: EvaluationEvent) -> dict[str, bytes]:
            return {self.name: b"alert"}

    def receive(name: str) -> Any:
        return lambda self, *args, **kwargs: received.append(f"{self.name} {name}")

    silent = {"delta_publishing", "evaluation_finished"}
    names = {name for name in vars(Observer) if not name.startswith("_")} - silent
    for name in names:
        setattr(Named, name, receive(name))
    both = Observers([Named("a"), Named("b")])
    nothing: Any = None
    for name in names:
        count = getattr(Observer, name).__code__.co_argcount - 1
        assert getattr(both, name)(*[nothing] * count) is None
    assert sorted(received) == sorted(f"{who} {name}" for who in "ab" for name in names)
    assert both.delta_publishing(nothing) == {"a": b"delta", "b": b"delta"}
    assert both.evaluation_finished(nothing) == {"a": b"alert", "b": b"alert"}
    assert dict(SILENT.delta_publishing(nothing)) == dict(SILENT.evaluation_finished(nothing)) == {}
    assert names | silent <= vars(Observers).keys(), "an event would be lost"


def test_names_and_labels_are_those_of_prometheus() -> None:
    for name, metric in exposed().items():
        assert re.fullmatch(r"(tocsin|process)_[a-z_]+", name)
        assert metric.documentation
        assert not re.search(r"(_ms|_milliseconds|_minutes|_kb|_mb|_percent)(_|$)", name)
        for sample in metric.samples:
            assert sample.labels.keys() <= LABELS, name
            for text in sample.labels.values():
                assert "drug" not in text or text == "drugs"
                assert not re.match("C[0-9]", text)


def test_every_metric_is_documented_as_it_is() -> None:
    text = (OPERATIONS / "metrics-and-alerts.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|(.*?)\| (.+) \|$", text, re.MULTILINE)
    for name, metric in exposed().items():  # every label value is initialised
        row = next(row for found, *_, row in rows if found == name)
        for label in ("outcome", "reason", "kind", "report", "scope"):
            values = {sample.labels.get(label) for sample in metric.samples} - {None}
            assert values <= set(re.findall(r"`(\w+)`", row)), name
    documented = {
        name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels, _ in rows
    }
    assert len(documented) == len(rows)
    there = {
        name: (
            {"info": "gauge"}.get(metric.type, metric.type),
            {label for sample in metric.samples for label in sample.labels} - {"le"},
        )
        for name, metric in exposed().items()
    }
    assert documented == there


def names_in(expressions: str) -> set[str]:
    found = set(re.findall(r"\b(?:tocsin|process)_\w+", expressions))
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in found}


def test_dashboard_and_rules_ask_for_metrics_and_labels_that_exist() -> None:
    there = exposed()
    board = json.loads((OPERATIONS / "grafana.json").read_text(encoding="utf-8"))
    expressions = [
        target["expr"] for panel in board["panels"] for target in panel.get("targets", ())
    ]
    expressions += [one["definition"] for one in board["templating"]["list"][1:]]
    rules = (OPERATIONS / "alert-rules.yml").read_text(encoding="utf-8")
    of_rules = re.findall(r"^ +expr: (.+)$", rules, re.MULTILINE)
    assert len(expressions) > 30
    assert len(of_rules) == rules.count("- alert: ") > 9
    for expression in [*expressions, *of_rules]:
        asked = names_in(expression)
        assert asked, expression
        assert asked <= there.keys(), expression
        labels = {label for name in asked for one in there[name].samples for label in one.labels}
        for selector in re.findall(r"\{(.*?)\}", expression):
            named = set(re.findall(r"(\w+)\s*(?:=~|!=|=)", selector))
            assert named <= labels | {"instance"}, expression
        for group in re.findall(r"\b(?:by|on) \((.*?)\)", expression):
            assert set(group.split(", ")) <= labels | {"instance", "le"}, expression
    shown = set().union(*map(names_in, [*expressions, *of_rules]))  # all there is
    assert {name for name in there if name.startswith("tocsin_")} == {
        name for name in shown if name.startswith("tocsin_")
    }


def test_every_alerting_rule_says_what_to_do() -> None:
    rules = (OPERATIONS / "alert-rules.yml").read_text(encoding="utf-8")
    text = (OPERATIONS / "metrics-and-alerts.md").read_text(encoding="utf-8")
    named = re.findall(r"- alert: (\w+)", rules)
    assert named == re.findall(r"^\| `(Tocsin\w+)` \|", text, re.MULTILINE)
    tested = (OPERATIONS / "alert-rules.test.yml").read_text(encoding="utf-8")
    assert set(named) == set(re.findall(r"alertname: (\w+)", tested))
