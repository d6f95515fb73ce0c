"""OpenTelemetry traces; needs the extra `tracing`, and is imported only if traces are configured.

One trace a batch: counted, published as a delta, applied. One trace an evaluation, linked to every
delta that it included: evaluated, its alerts published. `traceparent` is a header on `pv.deltas`
and `pv.alerts`, so a consumer's spans belong to the trace of the alert. Nothing is global: tracing
of other libraries is not affected. The standard variables ``OTEL_...`` apply, including samplers.
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from schemas.rejected import Rejected
from streams.runtime.embedded.case_stage import CountedBatch
from streams.runtime.observability.observer import Applied, EvaluationEvent, Observer
from streams.runtime.wire.batches import Batch

__all__ = ["Tracing", "exporting"]

_NS = 1_000_000_000
_TRACE_CONTEXT = TraceContextTextMapPropagator()


@contextmanager
def exporting(endpoint: str) -> Iterator["Tracing"]:
    """Export spans to an OTLP collector over HTTP, in the background, until the block ends."""
    name = os.environ.get("OTEL_SERVICE_NAME", "tocsin")
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
    try:
        yield Tracing(provider)
    finally:
        provider.shutdown()


class Tracing(Observer):
    """Creates spans from the events of workers.

    Parameters
    ----------
    provider
        Provider of the tracer, which exports the spans.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("tocsin")
        self._counted: dict[int, Span] = {}  # by partition, until the delta is published
        self._publishing: dict[int, Span] = {}
        self._alerts: Span | None = None  # until the alerts are published

    def batch_counted(
        self, batch: Batch, counted: CountedBatch, rejected: Sequence[Rejected], seconds: float
    ) -> None:
        """Create the span of a batch."""
        span = self._begin("count reports", SpanKind.CONSUMER, batch, seconds_ago=seconds)
        span.set_attribute("tocsin.rejected", len(rejected))
        span.set_attribute("tocsin.changes", counted.delta.changes.height)
        span.end()
        self._counted[batch.partition] = span

    def delta_publishing(self, batch: Batch) -> Mapping[str, bytes]:
        """Start the span of a delta."""
        counted = self._counted.pop(batch.partition, None)  # none after a restart
        parent = None if counted is None else trace.set_span_in_context(counted)
        span = self._begin("publish delta", SpanKind.PRODUCER, batch, parent=parent)
        self._publishing[batch.partition] = span
        return _headers(span)

    def delta_published(self, batch: Batch, seconds: float) -> None:
        """End the span of a delta."""
        if span := self._publishing.pop(batch.partition, None):
            span.end()

    def delta_applied(self, delta: Applied) -> None:
        """Create the span of an applied delta, in the trace of its batch."""
        parent = _context(delta)
        span = self._begin(
            "apply delta", SpanKind.CONSUMER, delta.batch, parent=parent, seconds_ago=delta.seconds
        )
        span.set_attribute("tocsin.fresh", delta.fresh)
        span.end()

    def evaluation_finished(self, evaluation: EvaluationEvent) -> Mapping[str, bytes]:
        """Create the span of an evaluation, and start the span of its alerts."""
        contexts = (
            trace.get_current_span(_context(delta)).get_span_context()
            for delta in evaluation.deltas
            if delta.fresh
        )
        span = self._tracer.start_span(
            "evaluate",
            Context(),
            links=[Link(context) for context in contexts if context.is_valid],
            attributes={
                "tocsin.evaluation": evaluation.name,
                "tocsin.deltas": len(evaluation.deltas),
                "tocsin.notices": evaluation.notices,
                "tocsin.full": evaluation.full,
            },
            start_time=time.time_ns() - int(evaluation.seconds * _NS),
        )
        span.end()
        self._alerts = self._tracer.start_span(
            "publish alerts",
            trace.set_span_in_context(span, Context()),
            SpanKind.PRODUCER,
            attributes={"tocsin.alerts": len(evaluation.revisions)},
        )
        return _headers(self._alerts)

    def alerts_published(self, evaluation: EvaluationEvent, seconds: float) -> None:
        """End the span of the alerts."""
        if self._alerts is not None:
            self._alerts.end()
        self._alerts = None

    def _begin(
        self,
        name: str,
        kind: SpanKind,
        batch: Batch,
        *,
        parent: Context | None = None,
        seconds_ago: float = 0.0,
    ) -> Span:
        return self._tracer.start_span(
            name,
            parent or Context(),
            kind,
            attributes={
                "tocsin.batch": str(batch),
                "messaging.system": "kafka",
                "messaging.destination.partition.id": str(batch.partition),
                "messaging.batch.message_count": batch.next_offset - batch.first_offset,
            },
            start_time=time.time_ns() - int(seconds_ago * _NS),
        )


def _headers(span: Span) -> dict[str, bytes]:
    carrier: dict[str, str] = {}
    _TRACE_CONTEXT.inject(carrier, trace.set_span_in_context(span, Context()))
    return {name: value.encode() for name, value in carrier.items()}


def _context(delta: Applied) -> Context:
    """Return the trace context in a delta's headers; an empty one if absent or malformed."""
    names = ("traceparent", "tracestate")
    carrier = {
        name: delta.headers[name].decode(errors="replace")
        for name in names
        if name in delta.headers
    }
    return _TRACE_CONTEXT.extract(carrier, Context())
