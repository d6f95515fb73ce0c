"""Prometheus metrics of one process, in a registry of its own: names, units and labels.

Base units: seconds and bytes; any other unit is part of the name. Labels have few and known values:
partitions, stages, outcomes, rules. Never a drug, an event or a case.
docs/operate/metrics-and-alerts.md explains each metric to operators; a test compares it with this
module.
"""

import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

from schemas.alert import AlertKind, SignalGrade
from schemas.errors import RejectCode
from schemas.rejected import Rejected
from schemas.safety_alert import AlertCategory
from streams.runtime.embedded.case_stage import CountedBatch
from streams.runtime.observability.observer import Applied, DetectorSize, EvaluationEvent, Observer
from streams.runtime.observability.readiness import Phase, Readiness
from streams.runtime.state.case_store import StoreSize
from streams.runtime.wire.batches import Batch

__all__ = ["Metrics"]

_DAY = 86_400
_STAGES = ("link", "cases", "detect")
_OUTCOMES = ("committed", "aborted", "fenced", "unknown")
_MESSAGES = ("first", "replaced", "repeated", "stale", "conflicting", "linked", "repeated_link")
# Buckets [s]: a batch of one report takes a millisecond, one of 10,000 a second, a retry a minute.
_WORK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
# Buckets [s]: from far below the target of one second to an hour, for a backlog after an outage.
_WAIT = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3_600)


class Metrics(Observer):
    """The metrics of one process.

    Attributes
    ----------
    registry
        Registry of these metrics only.
    """

    def __init__(self, rules: Iterable[str] = ()) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Info("tocsin_build", "Version of the running program.", registry=registry).info(
            {"version": version("tocsin"), "python": platform.python_version()}
        )

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"tocsin_{name}", about, labels, registry=registry)

        def gauge(name: str, about: str, *labels: str) -> Gauge:
            return Gauge(f"tocsin_{name}", about, labels, registry=registry)

        def histogram(name: str, about: str, buckets: Sequence[float], *labels: str) -> Histogram:
            about = f"{about} [s]"
            return Histogram(f"tocsin_{name}", about, labels, registry=registry, buckets=buckets)

        self._iteration = gauge(
            "loop_turn_timestamp_seconds", "When the loop last completed an iteration."
        )
        self._ready = gauge("ready", "1 if restored and a member of the group, else 0.", "stage")
        self._restore = gauge(
            "restore_progress_ratio", "Restored part of the state, 0 to 1.", "stage"
        )
        self._assigned = gauge("partitions_held", "Partitions assigned to this process.", "stage")
        self._partitions = gauge("report_partitions", "Partitions of the reports, in all.")
        self._lag = gauge(
            "lag_messages", "Offsets of the topic not yet counted.", "stage", "partition"
        )
        self._blocked = gauge(
            "partition_blocked_seconds",
            "Time since a partition was blocked.",
            "partition",
            "reason",
        )
        self._watermark = gauge(
            "watermark_timestamp_seconds", "Latest day of receipt read.", "partition"
        )
        self._evaluated_day = gauge(
            "evaluated_day_timestamp_seconds", "Latest day of receipt the detector counted."
        )
        self._read = counter("messages_read", "Messages read from the reports.", "partition")
        self._rerouted = counter(
            "reports_rerouted", "Messages re-routed to their case's partition.", "partition"
        )
        self._reports = counter("reports", "Readable messages by outcome.", "outcome")
        self._rejects = counter("rejects", "Messages that could not be read.", "reason")
        self._population = gauge(
            "population_change_cases", "Change of the current cases since the start.", "standing"
        )
        self._retractions = counter("retractions", "Cases removed from the counts.")
        self._batch = histogram("batch_seconds", "Counting one batch", _WORK, "stage")
        self._publish = histogram(
            "poll_to_publish_seconds", "From a poll to the commit of its results", _WORK, "stage"
        )
        self._evaluation = histogram(
            "evaluation_seconds", "One evaluation of the counts", _WORK, "scope"
        )
        self._report_to_alert = histogram(
            "report_to_alert_seconds", "From a report's record to its alerts", _WAIT, "report"
        )
        self._transactions = counter("transactions", "Transactions by outcome.", "stage", "outcome")
        self._deltas = counter("deltas", "Deltas the detector read.", "outcome")
        self._alerts = counter("alerts", "Revisions of alerts published.", "kind", "grade")
        self._safety_alerts = counter(
            "safety_alerts", "Revisions of safety alerts published.", "category"
        )
        self._notices = counter("notices", "Notices the detector received.")
        self._notice_lag = gauge(
            "notice_lag_messages", "Offsets of the notices not yet read.", "partition"
        )
        self._fired = counter("alert_rules_fired", "Published revisions a rule fires in.", "rule")
        self._live = gauge("state_live_bytes", "Live data of the case database.", "partition")
        self._memory = gauge("state_memory_bytes", "Memory of the case database.", "partition")
        self._cases = gauge("state_cases", "Cases in the database, an estimate.", "partition")
        self._counted_cases = gauge("detector_cases", "Cases the detector counts.")
        self._pairs = gauge("detector_pairs", "Drug-event pairs with a case, over all windows.")
        self._snapshots = counter("snapshots", "Snapshots of the detector.", "outcome")
        self._snapshot_at = gauge(
            "snapshot_timestamp_seconds", "When the last snapshot was written."
        )
        self._names = gauge("detector_names", "Distinct names the detector knows.", "kind")

        self._watermarks: dict[int, int] = {}
        self._series: dict[tuple[Gauge, str], set[int]] = {}  # partitions with a time series

        for stage in _STAGES:
            for outcome in _OUTCOMES:
                self._transactions.labels(stage, outcome)
        for kind in AlertKind:
            for grade in SignalGrade:
                self._alerts.labels(kind.value, grade.value)
        for metric, values in (
            (self._reports, _MESSAGES),
            (self._rejects, [code.value for code in RejectCode]),
            (self._deltas, ("counted", "repeated")),
            (self._snapshots, ("written", "failed")),
            (self._safety_alerts, [category.value for category in AlertCategory]),
            (self._fired, rules),
        ):
            for value in values:  # initialised to 0: `rate` misses the first increment otherwise
                metric.labels(value)

    def batch_counted(
        self, batch: Batch, counted: CountedBatch, rejected: Sequence[Rejected], seconds: float
    ) -> None:
        """Count messages by outcome."""
        partition = str(batch.partition)
        rerouted = len(counted.rerouted)
        self._read.labels(partition).inc(counted.tally.total() + len(rejected) + rerouted)
        self._rerouted.labels(partition).inc(rerouted)
        for outcome, number in counted.tally.items():
            self._reports.labels(outcome).inc(number)
        for reject in rejected:
            self._rejects.labels(reject.code).inc()
        for category, change in counted.population.items():
            self._population.labels(category).inc(change)
        self._retractions.inc(int((counted.delta.changes["n"] < 0).sum()))
        self._batch.labels("cases").observe(seconds)
        if counted.delta.watermark >= 0:
            known = self._watermarks.get(batch.partition, 0)
            self._watermarks[batch.partition] = max(known, counted.delta.watermark * _DAY)

    def delta_published(self, batch: Batch, seconds: float) -> None:
        """Observe the time since the poll."""
        self._publish.labels("cases").observe(seconds)

    def delta_applied(self, delta: Applied) -> None:
        """Count a delta."""
        self._deltas.labels("counted" if delta.fresh else "repeated").inc()
        self._batch.labels("detect").observe(delta.seconds)

    def alerts_published(self, evaluation: EvaluationEvent, seconds: float) -> None:
        """Count the alerts, and observe the latency from report to alert."""
        scope = "full" if evaluation.full else "touched" if evaluation.deltas else "notices"
        self._evaluation.labels(scope).observe(evaluation.seconds)
        self._publish.labels("detect").observe(seconds)
        self._notices.inc(evaluation.notices)
        for safety_alert in evaluation.safety_alerts:
            self._safety_alerts.labels(safety_alert.category.value).inc()
        for alert in evaluation.alerts:
            self._alerts.labels(alert.kind.value, alert.grade.value).inc()
            for rule in alert.rules_fired:
                self._fired.labels(rule).inc()
        if evaluation.revisions:
            now = time.time() * 1000
            for times in (delta.report_times for delta in evaluation.deltas if delta.fresh):
                if times is not None:
                    # At least 0: the clocks of two machines may differ.
                    for which, sent in times._asdict().items():
                        self._report_to_alert.labels(which).observe(max(now - sent, 0.0) / 1000)

    def notices_rejected(self, rejected: Sequence[Rejected]) -> None:
        """Count rejected notices by reason."""
        for reject in rejected:
            self._rejects.labels(reject.code).inc()

    def transaction_ended(self, stage: str, outcome: str) -> None:
        """Count a transaction."""
        self._transactions.labels(stage, outcome).inc()

    def loop_iteration(self) -> None:
        """Set the time of the iteration."""
        self._iteration.set_to_current_time()

    def stage_status(
        self, stage: str, readiness: Readiness, lags: Mapping[int, int | None]
    ) -> None:
        """Set the readiness of a stage, and the lag of each assigned partition."""
        self._ready.labels(stage).set(readiness.ready)
        restored = readiness.phase is not Phase.JOINING
        self._restore.labels(stage).set(readiness.fraction if restored else 0)
        self._assigned.labels(stage).set(len(lags))
        known = {partition: lag for partition, lag in lags.items() if lag is not None}
        self._set_by_partition(self._lag, known, stage)
        if stage == "cases":
            self._blocked.clear()  # a partition has one reason at a time, and none once unblocked
            for blocked in readiness.blocked:
                self._blocked.labels(str(blocked.partition), blocked.reason).set(blocked.seconds)
            self._watermarks = {
                partition: seconds
                for partition, seconds in self._watermarks.items()
                if partition in lags
            }
            self._set_by_partition(self._watermark, self._watermarks)

    def store_sizes(self, sizes: Mapping[int, StoreSize], partitions: int) -> None:
        """Set the sizes of the databases, by partition."""
        self._partitions.set(partitions)
        self._set_by_partition(self._live, {n: size.live_bytes for n, size in sizes.items()})
        self._set_by_partition(self._memory, {n: size.memory_bytes for n, size in sizes.items()})
        self._set_by_partition(self._cases, {n: size.cases for n, size in sizes.items()})

    def detector_size(self, size: DetectorSize) -> None:
        """Set the sizes of the detector's state; zeros on a standby."""
        self._counted_cases.set(size.cases)
        self._pairs.set(size.pairs)
        for kind in ("drugs", "events", "strata"):
            self._names.labels(kind).set(getattr(size, kind))
        self._evaluated_day.set(max(size.watermark, 0) * _DAY)

    def snapshot_finished(self, outcome: str, seconds: float) -> None:
        """Count a snapshot, and set the time of the last one written."""
        self._snapshots.labels(outcome).inc()
        if outcome == "written":
            self._snapshot_at.set_to_current_time()

    def notice_lags(self, lags: Mapping[int, int | None]) -> None:
        """Set the lag of each partition of the notices; a standby has none."""
        known = {partition: lag for partition, lag in lags.items() if lag is not None}
        self._set_by_partition(self._notice_lag, known)

    def _set_by_partition(self, gauge: Gauge, values: Mapping[int, float], stage: str = "") -> None:
        """Set a gauge by partition; remove the series of partitions that were revoked."""
        labels = (stage,) if stage else ()
        for partition in self._series.get((gauge, stage), set()) - values.keys():
            gauge.remove(*labels, str(partition))
        for partition, value in values.items():
            gauge.labels(*labels, str(partition)).set(value)
        self._series[gauge, stage] = set(values)
