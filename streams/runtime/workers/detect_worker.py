"""Detector stage on Kafka: one active member of its group, the others on standby.

Counts are restored from a snapshot and the deltas after it, the state of signals from `pv.signals`,
which is written in the transactions that publish the alerts. So a restart neither repeats nor loses
an alert. Notices are read from the first one at every start.
"""

import logging
import time
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from detectors.rules import RuleSet
from schemas.errors import BrokerError
from schemas.rejected import Rejected
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.core.detection.rules_in_force import rules_of
from streams.runtime.broker.clients import TopicPartition, make_producer
from streams.runtime.broker.errors import OffsetOutOfRangeError, broker_errors
from streams.runtime.broker.membership import join_group
from streams.runtime.broker.topic_reader import end_offsets
from streams.runtime.broker.topics import topic_name
from streams.runtime.broker.transactions import (
    ProducerUnusable,
    TransactionAborted,
    discard,
    may_have_moved,
)
from streams.runtime.observability.observer import SILENT, DetectorSize, Observer
from streams.runtime.observability.readiness import Phase, Readiness
from streams.runtime.observability.readiness_log import ReadinessLog
from streams.runtime.settings import Settings
from streams.runtime.workers.alert_publisher import (
    AlertPublisher,
    PublishedEvaluation,
    publish_alerts,
    publish_rejected,
    publish_rules_change,
)
from streams.runtime.workers.detector_recovery import Restored, RulesGuard, restore_detector
from streams.runtime.workers.detector_session import (
    DetectorSession,
    EvaluationResult,
    deltas_deleted,
)
from streams.runtime.workers.group_member import GroupMember, PollStatus
from streams.runtime.workers.snapshot_writer import SnapshotWriter

__all__ = ["DetectWorker", "detect_group"]

_LOG = logging.getLogger(__name__)
_SNAPSHOT_SECONDS = 300.0  # interval of snapshots: a restart counts the deltas since the last one
_RESTORE_SECONDS = 1.0  # restoring between two polls; the group waits for five minutes
_RULES_SECONDS = 15.0  # between two readings of the published rules by a standby: few records
_ATTEMPTS = 5  # attempts to publish one evaluation, before the worker gives up


def detect_group(settings: Settings) -> str:
    """Return the consumer group of the detector stage."""
    return f"{settings.topic_prefix}detect"


class DetectWorker:
    """Consumes `pv.deltas` and `pv.notices`, publishes alerts and the state of signals.

    Parameters
    ----------
    settings
        How to reach the broker, and the folder of the snapshot.
    windows, rules, options
        See `streams.core.detection.detector.Detector`; `options` are its other arguments by name.
    change_rules
        Whether rules other than those of the published signals are meant: see `RulesGuard`.
    observer
        Receives the events of the worker.
    """

    stage = "detect"

    def __init__(
        self,
        settings: Settings,
        windows: Iterable[WindowSpec],
        rules: RuleSet,
        *,
        change_rules: bool = False,
        observer: Observer = SILENT,
        **options: Any,
    ) -> None:
        self._settings = settings
        self._observer = observer
        self._make_detector = partial(
            Detector,
            list(windows),
            rules,
            topic=topic_name(settings, "reports"),
            **options,
        )
        # A first one, to refuse wrong arguments before connecting.
        self._guard = RulesGuard(settings, rules_of(self._make_detector()), change_rules)
        self._differs: str | None = None  # of a standby: why it may not publish
        self._rules_due = 0.0  # monotonic time to read the published rules again
        self._topic = topic_name(settings, "deltas")
        self._input = TopicPartition(self._topic, 0)
        self._snapshot = Path(settings.state_dir) / "detect"
        self._snapshots = SnapshotWriter(self._snapshot, self._topic, observer)
        self._snapshot_due = 0.0
        self._producer: Any = None
        self._restoring: Generator[float, None, Restored] | None = None
        self._fraction = 0.0  # of the restoring that is done
        self._progress = ReadinessLog(self.stage)
        self._published: int | None = None  # next offset, if all that is counted is published
        self._publisher = AlertPublisher()
        self._failures = 0  # since an evaluation was published
        self._session: DetectorSession | None = None  # None on standby
        self._notice_ends: dict[int, int] = {}  # as of the last call of `ends`
        self.tally: Counter[str] = Counter()
        self._group = GroupMember(
            partial(join_group, settings, detect_group(settings), self._topic),
            revoke=lambda revoked: self.stand_by(),
            release=self.stand_by,
            reading=lambda: () if self._session is None else (self._input,),
            required=self._input,
        )

    @property
    def detector(self) -> Detector | None:
        """Return the active detector; `None` on standby."""
        return None if self._session is None else self._session.detector

    def step(self, timeout_ms: int) -> int:
        """Poll once, evaluate and publish when that is due; return the number of deltas.

        Raises
        ------
        BrokerError
            If publishing failed for good, or the broker refused.
        StateError
            If the deltas are not those of the snapshot, or one is missing; or a notice.
        """
        self._snapshots.collect()
        if (session := self._session) is not None and session.is_pending:
            timeout_ms = min(timeout_ms, int(session.poll_seconds * 1000) + 1)
        with broker_errors(f"read {self._topic}"):
            try:
                polled = self._group.poll(timeout_ms)
            except OffsetOutOfRangeError as error:
                raise deltas_deleted(self._input) from error
            if polled.status is not PollStatus.ASSIGNED:
                self._compare_rules()
                return 0
            records = polled.records.get(self._input, ())
            try:
                if self._session is None:
                    self._restore()
                    return 0
                self._work(self._session, records)
                if self._publisher.ended:
                    self._settle(self._session)
            except (TransactionAborted, ProducerUnusable) as error:
                self._restart(error)
            return len(records)

    def readiness(self) -> Readiness:
        """Return the phase of the worker as of its last step."""
        if not self._group.joined:
            return Readiness(Phase.JOINING)
        if self._session is not None:
            return Readiness(Phase.ACTIVE)
        if self._group.is_active:
            return Readiness(Phase.RESTORING, self._fraction)
        return Readiness(Phase.STANDBY, why=self._differs)

    def lags(self) -> dict[int, int | None]:
        """Return the lag of the assigned partition [offsets]; `None` until it is known."""
        if not self._group.is_active:
            return {}
        consumer = self._group.consumer
        end = consumer.highwater(self._input)
        return {0: None if end is None else max(end - consumer.position(self._input), 0)}

    def report_sizes(self) -> None:
        """Report the detector's size to the observer, and the lag of the notices."""
        self._observer.detector_size(DetectorSize.of(self.detector))
        self._observer.notice_lags({} if self._session is None else self._session.notices.lags())

    def drained(self, ends: dict[int, int]) -> bool:
        """Return whether the reports up to these offsets are counted and their alerts published.

        Likewise the notices up to the offsets of the last call of `ends`, or of the start.
        """
        session = self._session
        if session is None or self._published is None or session.is_pending:
            return False
        counted = session.detector.offsets
        return session.notices.reached(self._notice_ends) and all(
            counted.get(partition, 0) >= end for partition, end in ends.items()
        )

    def ends(self) -> dict[int, int]:
        """Return the end offset of every partition of the reports, now."""
        self._notice_ends = end_offsets(self._group.consumer, topic_name(self._settings, "notices"))
        return self._report_ends()

    def counts(self) -> pl.DataFrame | None:
        """Return the counts of every window; `None` on standby."""
        return None if self.detector is None else self.detector.all_counts()

    def stand_by(self) -> None:
        """Drop the counts; they are restored when the partition is assigned again."""
        if self._restoring is not None:
            self._restoring.close()
        self._restoring = None
        self._fraction = 0.0
        self._record(self._publisher.abandon())
        if self._producer is not None:
            discard(self._producer)
        self._producer = None
        self._published = None
        if self._session is not None:
            self._session.close()
        self._session = None

    def close(self) -> None:
        """Evaluate and publish what is pending, write a snapshot and leave the group."""
        try:
            if (session := self._session) is not None:
                try:
                    if session.is_pending:
                        self._evaluate(session)
                    self._settle(session)
                except (TransactionAborted, ProducerUnusable) as error:
                    _LOG.warning(
                        "alerts not published; they are left to the next start",
                        extra={"error": str(error)},
                    )
            # Without a snapshot after a failure: the counts are ahead of the published alerts.
            self._snapshots.finish(self.detector, self._published)
        finally:
            self._group.close()

    def rejoin(self) -> None:
        """Become a standby, and rejoin the group."""
        self._group.rejoin()

    def _compare_rules(self) -> None:
        """Compare the rules of a standby with those published, from time to time."""
        if not self._group.joined or time.monotonic() < self._rules_due:
            return
        self._differs = self._guard.difference(self._guard.published())
        self._rules_due = time.monotonic() + _RULES_SECONDS

    def _restart(self, error: TransactionAborted | ProducerUnusable) -> None:
        """Become a standby, so that the next step restores: the counts are ahead of the alerts."""
        self._failures += 1
        if self._failures == _ATTEMPTS:
            msg = f"publish alerts: gave up after {_ATTEMPTS} attempts: {error}"
            raise BrokerError(msg) from error
        _LOG.warning("restoring after an error", extra={"error": str(error)})
        self.stand_by()
        self._group.consumer.pause(self._input)
        if may_have_moved(error):
            # Another member may be active: rejoin to find out.
            self._group.rejoin_after_fencing()

    def _restore(self) -> None:
        """Continue to restore for a while, then return to poll the group."""
        if self._restoring is None and self._snapshots.busy:
            return  # the snapshot to restore from is still being written
        if self._restoring is None:
            # The producer first: it commits or aborts an open transaction of its predecessor.
            self._producer = make_producer(self._settings, f"{self._topic}-detect")
            self._restoring = restore_detector(
                self._settings,
                self._group.consumer,
                self._input,
                self._make_detector(),
                self._snapshot,
                self._set_aside,
                self._guard,
            )
        deadline = time.monotonic() + _RESTORE_SECONDS
        try:
            while time.monotonic() < deadline:
                self._fraction = next(self._restoring)
        except StopIteration as done:
            self._restoring = None
            self._begin(done.value)
        else:
            self._progress.log(self.readiness())

    def _begin(self, restored: Restored) -> None:
        session = DetectorSession(restored.detector, restored.notices, self._input, self._observer)
        try:
            if restored.rules is not None:
                publish_rules_change(self._settings, self._producer, restored.rules)
            if restored.first:
                # After a failure from now on, a committed offset says what is published.
                self._publish(None, restored.next_offset, self._group.membership.metadata)
        except BaseException:
            session.close()
            raise
        self._group.consumer.seek(self._input, restored.next_offset)
        self._group.consumer.resume(self._input)
        self._session = session
        self._published = restored.next_offset
        self._snapshot_due = time.monotonic() + _SNAPSHOT_SECONDS
        _LOG.info(
            "detecting from offset %d, %d signals known", restored.next_offset, restored.signals
        )

    def _report_ends(self) -> dict[int, int]:
        return end_offsets(self._group.consumer, topic_name(self._settings, "reports"))

    def _work(self, session: DetectorSession, records: Sequence[Any]) -> None:
        if records:
            self._published = None
        session.receive(records, self._group.membership.polled_at)
        session.notices.poll()
        session.catch_up(self._report_ends)
        if session.is_pending and not session.wait():
            self._evaluate(session)

    def _evaluate(self, session: DetectorSession) -> None:
        """Evaluate while the previous evaluation's alerts are still being published.

        Then start publishing the new ones.
        """
        self._published = None  # until then: a snapshot that `close` wrote would lose the alerts
        next_offset: int = self._group.consumer.position(self._input)
        result = session.evaluate()
        self._settle(session)
        self._published = None
        headers = self._observer.evaluation_finished(result.evaluation)
        # The metadata are read here: the worker's thread changes them.
        metadata = self._group.membership.metadata
        publish = partial(self._publish, result, next_offset, metadata, headers)
        self._publisher.send(result, next_offset, publish)
        is_due = time.monotonic() > self._snapshot_due
        if result.alone or is_due:
            self._settle(session)
        if is_due:
            self._write_snapshot(session.detector, next_offset)

    def _settle(self, session: DetectorSession) -> None:
        """Wait until the last evaluation is published, if there is one; raise if that fails."""
        published = self._publisher.settle()
        self._record(published)
        if published is None:
            return
        if not session.is_pending:  # else the counts may be ahead
            self._published = published.next_offset
        if published.result.alone:
            session.published(published.result)

    def _record(self, published: PublishedEvaluation | None) -> None:
        if published is not None:
            result = published.result
            self._observer.alerts_published(result.evaluation, published.ended - result.began)
            self.tally.update(result.tally())
            self._failures = 0

    def _publish(
        self,
        result: EvaluationResult | None,
        next_offset: int,
        metadata: Any,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        if result is not None and not result.is_to_publish:
            return
        publish_alerts(
            self._settings,
            self._producer,
            result.evaluation.alerts if result else (),
            result.evaluation.safety_alerts if result else (),
            offset=(self._input, next_offset),
            refits=result.refits if result else (),
            headers=headers,
            metadata=metadata,
            observer=self._observer,
        )

    def _set_aside(self, rejected: Sequence[Rejected]) -> None:
        if self._session is not None:
            self._settle(self._session)  # one transaction at a time
        publish_rejected(self._settings, self._producer, rejected, self._observer)
        self._observer.notices_rejected(rejected)
        self.tally["rejected"] += len(rejected)

    def _write_snapshot(self, detector: Detector, next_offset: int) -> None:
        self._snapshots.begin(detector, next_offset)
        self._snapshot_due = time.monotonic() + _SNAPSHOT_SECONDS
