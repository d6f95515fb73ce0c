"""Traces: spans of the stages, linked by the headers of published records."""

import subprocess
import sys
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from schemas.errors import InputError
from streams.runtime.observability.observer import Applied, EvaluationEvent
from streams.runtime.observability.setup import open_observers
from streams.runtime.observability.tracing import Tracing, exporting
from streams.runtime.settings import Settings
from tests.support.work import Work, raw


class Collector:
    """Collects spans; returns them by name, in the order they ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = Tracing(provider)

    def spans(self, name: str = "") -> list[ReadableSpan]:
        return [one for one in self._exporter.get_finished_spans() if name in ("", one.name)]

    def one(self, name: str) -> Any:
        (span,) = self.spans(name)
        return span


def test_a_batch_is_one_trace_over_two_processes() -> None:
    cases, detector, work = Collector(), Collector(), Work()
    batch, counted, rejected = work.count([raw(1), b"{"])
    cases.tracing.batch_counted(batch, counted, rejected, 2.0)
    headers = cases.tracing.delta_publishing(batch)
    assert [span.name for span in cases.spans()] == ["count reports"]
    cases.tracing.delta_published(batch, 3.0)
    detector.tracing.delta_applied(work.apply(batch, counted, headers))

    count, publish = cases.one("count reports"), cases.one("publish delta")
    apply = detector.one("apply delta")
    assert count.parent is None
    assert publish.parent.span_id == count.context.span_id
    assert apply.parent.span_id == publish.context.span_id
    assert {one.context.trace_id for one in (count, publish, apply)} == {count.context.trace_id}
    assert headers.keys() == {"traceparent"}
    trace, span = f"{publish.context.trace_id:032x}", f"{publish.context.span_id:016x}"
    assert headers["traceparent"].decode().split("-")[:3] == ["00", trace, span]
    for one in (count, publish, apply):
        assert one.attributes["tocsin.batch"] == "pv.reports[3]@100-102"
        assert one.attributes["messaging.batch.message_count"] == 2
    assert count.attributes["tocsin.rejected"] == 1
    assert 1.9e9 < count.end_time - count.start_time < 3e9
    assert 0.2e9 < apply.end_time - apply.start_time < 1e9
    kinds = [one.kind.name for one in (count, publish, apply)]
    assert kinds == ["CONSUMER", "PRODUCER", "CONSUMER"]


def test_an_evaluation_is_linked_to_every_delta_it_took_in() -> None:
    collector, work = Collector(), Work()
    deltas: list[Applied] = []
    for start in (0, 10):
        batch, counted, rejected = work.count([raw(case) for case in range(start, start + 10)])
        collector.tracing.batch_counted(batch, counted, rejected, 0.1)
        headers = collector.tracing.delta_publishing(batch)
        collector.tracing.delta_published(batch, 0.1)
        deltas.append(work.apply(batch, counted, headers))
    deltas.append(work.apply(batch, counted, headers))  # again, and dropped
    evaluation = EvaluationEvent(deltas, work.evaluate(), full=True, seconds=0.5)
    headers = collector.tracing.evaluation_finished(evaluation)
    assert collector.spans("publish alerts") == []
    collector.tracing.alerts_published(evaluation, 0.6)

    evaluate, publish = collector.one("evaluate"), collector.one("publish alerts")
    published = collector.spans("publish delta")
    assert [link.context.span_id for link in evaluate.links] == [
        span.context.span_id for span in published
    ]
    assert evaluate.parent is None
    assert evaluate.context.trace_id not in {span.context.trace_id for span in published}
    assert publish.parent.span_id == evaluate.context.span_id
    assert f"{publish.context.span_id:016x}" in headers["traceparent"].decode()
    assert evaluate.attributes["tocsin.evaluation"] == "pv.deltas[0]@17"
    assert evaluate.attributes["tocsin.deltas"] == 3
    assert publish.attributes["tocsin.alerts"] == len(evaluation.alerts) > 0


def test_what_others_left_in_the_headers_breaks_nothing() -> None:
    collector, work = Collector(), Work()
    batch, counted, _ = work.count([raw(1)])
    for headers in ({}, {"traceparent": b"\xff-nonsense"}, {"tracestate": b"a=b"}):
        delta = work.apply(batch, counted, headers)
        collector.tracing.delta_applied(delta)
        collector.tracing.evaluation_finished(EvaluationEvent([delta], [], full=False, seconds=0.1))
    assert [span.parent for span in collector.spans("apply delta")] == [None] * 3
    assert [span.links for span in collector.spans("evaluate")] == [()] * 3


def test_a_delta_left_over_by_a_crash_begins_a_trace_of_its_own() -> None:
    collector = Collector()
    batch, _, _ = Work().count([raw(1)])
    collector.tracing.delta_publishing(batch)
    collector.tracing.delta_published(batch, 0.1)
    assert collector.one("publish delta").parent is None


def test_spans_hold_nothing_of_a_report() -> None:
    collector, work = Collector(), Work()
    batch, counted, rejected = work.count([raw(case) for case in range(20)] + [b'{"drug": 1'])
    collector.tracing.batch_counted(batch, counted, rejected, 0.1)
    delta = work.apply(batch, counted, collector.tracing.delta_publishing(batch))
    collector.tracing.delta_published(batch, 0.1)
    collector.tracing.delta_applied(delta)
    evaluation = EvaluationEvent([delta], work.evaluate(), full=True, seconds=0.1)
    assert evaluation.alerts
    collector.tracing.evaluation_finished(evaluation)
    collector.tracing.alerts_published(evaluation, 0.1)
    assert len(collector.spans()) == 5
    for span in collector.spans():
        text = span.to_json()
        assert not {word for word in ("drug", "event 1", "C1", "Invalid") if word in text}


def test_a_collector_that_is_away_costs_no_batch(caplog: pytest.LogCaptureFixture) -> None:
    batch, _, _ = Work().count([raw(1)])
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1")
        with exporting("http://127.0.0.1:9/v1/traces") as tracing:
            assert tracing.delta_publishing(batch)
            tracing.delta_published(batch, 0.1)
    assert "Failed to export" in caplog.text


def test_without_the_setting_nothing_of_it_is_imported() -> None:
    code = """
import sys
from streams.runtime.settings import Settings
from streams.runtime.observability.setup import open_observers
import streams.cli
with open_observers(Settings(metrics_bind="127.0.0.1:0", log_format="json"), ["cases"]):
    print(sum(name.startswith("opentelemetry") for name in sys.modules))
with open_observers(Settings(traces_endpoint="http://127.0.0.1:9"), ["cases"]):
    print("opentelemetry.sdk" in sys.modules)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.split() == ["0", "True"]


def test_without_the_extra_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "streams.runtime.observability.tracing", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    settings = Settings(traces_endpoint="http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"^traces_endpoint: pip install 'tocsin\[tracing\]' must"):
        open_observers(settings, ["cases"]).__enter__()
