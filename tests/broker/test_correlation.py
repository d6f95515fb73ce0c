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
def one_partition(settings: Settings, tmp_path: Path) -> Settings:
    """Settings of topics with one partition, and a state directory."""
    chosen = {"partitions": 1, "state_dir": tmp_path / "state", "session_timeout_ms": 6_000}
    settings = settings.model_copy(update=chosen)
    create_topics(settings)
    return settings


def work_off(settings: Settings, worker: CaseWorker | DetectWorker) -> None:
    with closing(worker):
        ends = worker.ends()
        while not worker.drained(ends):
            worker.step(100)


def test_trace_headers_connect_the_stages(one_partition: Settings) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    messages, _ = stream(300, seed=12)
    send(one_partition, keyed(messages))
    rules = load_rules(["mhra"])
    work_off(one_partition, CaseWorker(one_partition, Tracing(provider)))
    work_off(
        one_partition,
        DetectWorker(
            one_partition, [WindowSpec.parse("cumulative")], rules, observer=Tracing(provider)
        ),
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

    for record in records(one_partition, "deltas"):
        published = parent_of(record, "publish delta")
        delta = decode_delta(record.value)
        batch = f"{one_partition.topic_prefix}reports[0]@{delta.first_offset}-{delta.next_offset}"
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
    assert alerts(one_partition)
    for record in records(one_partition, "alerts"):
        published = parent_of(record, "publish alerts")
        assert published.parent is not None
        assert published.parent.span_id in named["evaluate"]
    assert all(
        "traceparent" not in dict(record.headers) for record in records(one_partition, "signals")
    )


def test_latency_includes_the_wait_for_a_restart(
    one_partition: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, _ = stream(60, seed=13)
    send(one_partition, keyed(messages))

    class Crash(BaseException):
        pass

    def crash(self: CasePartition, *arguments: Any) -> None:
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(CasePartition, "_send", crash)
        with pytest.raises(Crash):
            work_off(one_partition, CaseWorker(one_partition))
    assert not records(one_partition, "deltas")
    time.sleep(1)
    work_off(one_partition, CaseWorker(one_partition))
    times = [record.timestamp for record in records(one_partition, "reports")]
    times_of_deltas = [
        ReportTimes.from_headers(dict(record.headers))
        for record in records(one_partition, "deltas")
    ]
    assert times_of_deltas[0] == (min(times), max(times))
    assert records(one_partition, "deltas")[0].timestamp > max(times) + 900
