"""Headers of deltas and alerts: trace context, and timestamps of reports."""

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from detectors.rules import load_rules
from streams.core.counting.windows import WindowSpec
from streams.runtime.broker.topics import create_topics
from streams.runtime.observability.tracing import Tracing
from streams.runtime.settings import Settings
from streams.runtime.wire.batches import ReportTimes
from streams.runtime.wire.deltas import decode_delta
from streams.runtime.workers.case_partition import CasePartition
from streams.runtime.workers.case_worker import CaseWorker
from streams.runtime.workers.detect_worker import DetectWorker
from tests.broker.support.processes import alerts, keyed, records, send, stream

pytestmark = pytest.mark.broker


@pytest.fixture
def one(settings: Settings, tmp_path: Path) -> Settings:
    """Topics with one partition, and a place for the state."""
    chosen = {"partitions": 1, "state_dir": tmp_path / "state", "session_timeout_ms": 6_000}
    settings = settings.model_copy(update=chosen)
    create_topics(settings)
    return settings


def work_off(settings: Settings, worker: CaseWorker | DetectWorker) -> None:
    with closing(worker):
        ends = worker.ends()
        while not worker.drained(ends):
            worker.step(100)


def test_traces_go_from_stage_to_stage_in_the_headers(one: Settings) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    messages, _ = stream(300, seed=12)
    send(one, keyed(messages))
    rules = load_rules(["mhra"])
    work_off(one, CaseWorker(one, Tracing(provider)))
    work_off(
        one, DetectWorker(one, [WindowSpec.parse("cumulative")], rules, observer=Tracing(provider))
    )

    named: dict[str, dict[int, ReadableSpan]] = {}
    for span in spans.get_finished_spans():
        named.setdefault(span.name, {})[span.context.span_id] = span

    def parent_of(record: Any, name: str) -> ReadableSpan:
        """Return the span that published a record."""
        trace, span = dict(record.headers)["traceparent"].decode().split("-")[1:3]
        found = named[name][int(span, 16)]
        assert found.context.trace_id == int(trace, 16)
        return found

    for record in records(one, "deltas"):
        published = parent_of(record, "publish delta")
        delta = decode_delta(record.value)
        batch = f"{one.topic_prefix}reports[0]@{delta.first_offset}-{delta.next_offset}"
        assert published.attributes is not None
        assert published.attributes["tocsin.batch"] == batch
        assert published.parent is not None
        assert named["count reports"][published.parent.span_id].attributes is not None
        (applied,) = (
            span
            for span in named["apply delta"].values()
            if span.parent is not None and span.parent.span_id == published.context.span_id
        )
        assert [
            evaluated
            for evaluated in named["evaluate"].values()
            if published.context.span_id in {link.context.span_id for link in evaluated.links}
        ]
        assert applied.context.trace_id == published.context.trace_id
    assert alerts(one)
    for record in records(one, "alerts"):
        published = parent_of(record, "publish alerts")
        assert published.parent is not None
        assert published.parent.span_id in named["evaluate"]
    assert all("traceparent" not in dict(record.headers) for record in records(one, "signals"))


def test_a_report_that_waits_for_a_restart_is_timed_with_its_waiting(
    one: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, _ = stream(60, seed=13)
    send(one, keyed(messages))

    class Crash(BaseException):
        pass

    def crash(self: CasePartition, *arguments: Any) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(CasePartition, "_send", crash)
        with pytest.raises(Crash):
            work_off(one, CaseWorker(one))
    assert not records(one, "deltas")
    time.sleep(1)
    work_off(one, CaseWorker(one))
    times = [record.timestamp for record in records(one, "reports")]
    told = [ReportTimes.from_headers(dict(record.headers)) for record in records(one, "deltas")]
    assert told[0] == (min(times), max(times))
    assert records(one, "deltas")[0].timestamp > max(times) + 900
