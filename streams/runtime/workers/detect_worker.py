"""The detector stage on Kafka: one active, the next member of its group standing by.

Counts are restored from a snapshot and the deltas after it; what was published comes from
`pv.signals`, which is written in the transactions that publish the alerts. So a restart neither
repeats an alert nor forgets one. Notices are read whole at every start.
"""

import logging
import time
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from detectors.gamma_mixture import GammaMixture
from detectors.rules import RuleSet
from schemas.errors import BrokerError
from schemas.rejected import Rejected
from streams.core.counting.windows import WindowSpec
from streams.core.detection.detector import Detector
from streams.core.signals.realert_policy import AlertPolicy
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
from streams.runtime.settings import Settings
from streams.runtime.workers.alert_publisher import (
    AlertPublisher,
    PublishedEvaluation,
    publish_alerts,
    publish_rejected,
)
from streams.runtime.workers.detector_recovery import Restored, restore_detector
from streams.runtime.workers.detector_session import (
    DetectorSession,
    EvaluationResult,
    deltas_deleted,
)
from streams.runtime.workers.group_member import GroupMember, PollStatus
from streams.runtime.workers.snapshot_writer import SnapshotWriter

__all__ = ["DetectWorker", "detect_group"]

_LOG = logging.getLogger(__name__)
_SNAPSHOT_SECONDS = 300.0  # a restart reads at most so much of the deltas again
_RESTORE_SECONDS = 1.0  # between two polls; the group waits for five minutes
_ATTEMPTS = 5  # to publish one batch, before the worker gives up and says so


def detect_group(settings: Settings) -> str:
    """Return the consumer group of the detector stage."""
    return f"{settings.topic_prefix}detect"


class DetectWorker:
    """Reads `pv.deltas` and `pv.notices`, publishes alerts and the state of signals.

    Parameters
    ----------
    settings
        How to reach the broker, and where the snapshot is.
    windows, rules, policy, prior, refit_every
        As of `streams.core.detection.detector.Detector`.
    observer
        Hears what the worker does.
    """

    stage = "detect"

    def __init__(
        self,
        settings: Settings,
        windows: Iterable[WindowSpec],
        rules: RuleSet,
        *,
        policy: AlertPolicy | None = None,
        prior: GammaMixture | None = None,
        refit_every: int | None = None,
        observer: Observer = SILENT,
    ) -> None:
        self._settings = settings
        self._observer = observer
        self._make_detector = partial(
            Detector,
            list(windows),
            rules,
            topic=topic_name(settings, "reports"),
            policy=policy,
            prior=prior,
            refit_every=refit_every,
        )
        self._make_detector()  # what it refuses, it refuses before a broker is asked
        self._topic = topic_name(settings, "deltas")
        self._at = TopicPartition(self._topic, 0)
        self._snapshot = Path(settings.state_dir) / "detect"
        self._snapshots = SnapshotWriter(self._snapshot, self._topic, observer)
        self._snapshot_due = 0.0
        self._producer: Any = None
        self._restoring: Generator[float, None, Restored] | None = None
        self._fraction = 0.0  # of the restoring that is done
        self._published: int | None = None  # offset up to which counts and alerts agree
        self._outlet = AlertPublisher()
        self._failures = 0  # since a batch was published
        self._looking: DetectorSession | None = None  # None while standing by
        self._notice_ends: dict[int, int] = {}  # asked for together with those of the reports
        self.tally: Counter[str] = Counter()
        self._group = GroupMember(
            partial(join_group, settings, detect_group(settings), self._topic),
            revoke=lambda revoked: self.stand_by(),
            release=self.stand_by,
            reading=lambda: () if self._looking is None else (self._at,),
            required=self._at,
        )

    @property
    def detector(self) -> Detector | None:
        """The detector at work; `None` while standing by."""
        return None if self._looking is None else self._looking.detector

    def step(self, timeout_ms: int) -> int:
        """Poll once, count and publish the alerts when they are due; return the number of deltas.

        Raises
        ------
        BrokerError
            If publishing failed for good, or the broker refused.
        StateError
            If the deltas are not those of the snapshot, or one is missing; or a notice.
        """
        self._snapshots.look()
        if (looking := self._looking) is not None and looking.held:  # until the next look
            timeout_ms = min(timeout_ms, int(looking.patience * 1000) + 1)
        with broker_errors(f"read {self._topic}"):
            try:
                polled = self._group.poll(timeout_ms)
            except OffsetOutOfRangeError as error:
                raise deltas_deleted(self._at) from error
            if polled.status is not PollStatus.ASSIGNED:
                return 0
            records = polled.records.get(self._at, ())
            try:
                if self._looking is None:
                    self._restore()
                    return 0
                self._work(self._looking, records)
                if self._outlet.ended:
                    self._settle(self._looking)
            except (TransactionAborted, ProducerUnusable) as error:
                self._begin_again(error)
            return len(records)

    def readiness(self) -> Readiness:
        """Return what the worker is doing, as of its last step."""
        if not self._group.joined:
            return Readiness(Phase.JOINING)
        if self._looking is not None:
            return Readiness(Phase.ACTIVE)
        if self._group.is_active:
            return Readiness(Phase.RESTORING, self._fraction)
        return Readiness(Phase.STANDBY)

    def lags(self) -> dict[int, int | None]:
        """Return the deltas to count, by partition held: offsets; `None` until it is known."""
        if not self._group.is_active:
            return {}
        consumer = self._group.consumer
        end = consumer.highwater(self._at)
        return {0: None if end is None else max(end - consumer.position(self._at), 0)}

    def sizes(self) -> None:
        """Tell the observer what the detector holds."""
        self._observer.detector(DetectorSize.of(self.detector))
        self._observer.notices({} if self._looking is None else self._looking.notices.lags())

    def drained(self, ends: dict[int, int]) -> bool:
        """Whether everything up to these offsets of the reports is counted and published.

        And the notices that were there when it was asked for them, or when it began.
        """
        looking = self._looking
        if looking is None or self._published is None or looking.held:
            return False
        counted = looking.detector.offsets
        return looking.notices.reached(self._notice_ends) and all(
            counted.get(partition, 0) >= end for partition, end in ends.items()
        )

    def ends(self) -> dict[int, int]:
        """Return the end offset of every partition of the reports, now."""
        self._notice_ends = end_offsets(self._group.consumer, topic_name(self._settings, "notices"))
        return self._report_ends()

    def counts(self) -> pl.DataFrame | None:
        """Return the counts of every window; `None` while standing by."""
        return None if self.detector is None else self.detector.all_counts()

    def stand_by(self) -> None:
        """Give up the counts; they are restored if the partition comes back."""
        if self._restoring is not None:
            self._restoring.close()
        self._restoring = None
        self._fraction = 0.0
        self._note(self._outlet.leave())
        if self._producer is not None:
            discard(self._producer)
        self._producer = None
        self._published = None
        if self._looking is not None:
            self._looking.close()
        self._looking = None

    def close(self) -> None:
        """Publish the alerts that are due, write a snapshot and leave the group."""
        try:
            if (looking := self._looking) is not None:
                try:
                    if looking.held:
                        self._evaluate(looking)
                    self._settle(looking)
                except (TransactionAborted, ProducerUnusable) as error:
                    _LOG.warning("left to the next start: %s", error)
            # Not after a batch that broke off: its counts are ahead of what is published.
            self._snapshots.finish(self.detector, self._published)
        finally:
            self._group.close()

    def rejoin(self) -> None:
        """Stand by, and join the group anew."""
        self._group.rejoin()

    def _begin_again(self, error: TransactionAborted | ProducerUnusable) -> None:
        """Restore, since the counts are ahead of what is published."""
        self._failures += 1
        if self._failures == _ATTEMPTS:
            msg = f"publish alerts: gave up after {_ATTEMPTS} attempts: {error}"
            raise BrokerError(msg) from error
        _LOG.warning("restoring after: %s", error)
        self.stand_by()
        self._group.consumer.pause(self._at)
        if may_have_moved(error):
            # Another member may be active by now; the group knows.
            self._group.rejoin_after_fencing()

    def _restore(self) -> None:
        """Restore for a while; a group drops a member that does not poll for long."""
        if self._restoring is None and self._snapshots.busy:
            return  # until the snapshot to restore from is in its place
        if self._restoring is None:
            # First the producer: it ends what a predecessor had open, one way or the other.
            self._producer = make_producer(self._settings, f"{self._topic}-detect")
            self._restoring = restore_detector(
                self._settings,
                self._group.consumer,
                self._at,
                self._make_detector(),
                self._snapshot,
                self._set_aside,
            )
        pause = time.monotonic() + _RESTORE_SECONDS
        try:
            while time.monotonic() < pause:
                self._fraction = next(self._restoring)
        except StopIteration as done:
            self._restoring = None
            self._begin(done.value)
        else:
            _LOG.info("%s", self.readiness())

    def _begin(self, restored: Restored) -> None:
        looking = DetectorSession(restored.detector, restored.notices, self._at, self._observer)
        try:
            if restored.first:
                # From now on it is known how far the alerts are published, if a batch breaks off.
                self._publish(None, restored.next_offset, self._group.membership.metadata)
        except BaseException:
            looking.close()
            raise
        self._group.consumer.seek(self._at, restored.next_offset)
        self._group.consumer.resume(self._at)
        self._looking = looking
        self._published = restored.next_offset
        self._snapshot_due = time.monotonic() + _SNAPSHOT_SECONDS
        _LOG.info(
            "detecting from offset %d, %d signals known", restored.next_offset, restored.signals
        )

    def _report_ends(self) -> dict[int, int]:
        return end_offsets(self._group.consumer, topic_name(self._settings, "reports"))

    def _work(self, looking: DetectorSession, records: Sequence[Any]) -> None:
        if records:
            self._published = None
        looking.hear(records, self._group.membership.polled_at)
        looking.notices.poll()
        looking.catch_up(self._report_ends)
        if looking.held and not looking.wait():
            self._evaluate(looking)

    def _evaluate(self, looking: DetectorSession) -> None:
        """Look, while the alerts of the look before go out; then begin to publish those of this."""
        self._published = None  # until it is; else what a look found would be lost on closing
        following: int = self._group.consumer.position(self._at)
        look = looking.look()
        self._settle(looking)
        self._published = None
        headers = self._observer.evaluated(look.evaluation)
        # The metadata are read here: the worker's thread changes them.
        publish = partial(self._publish, look, following, self._group.membership.metadata, headers)
        self._outlet.send(look, following, publish)
        is_due = time.monotonic() > self._snapshot_due
        if look.alone or is_due:
            self._settle(looking)
        if is_due:
            self._write_snapshot(looking.detector, following)

    def _settle(self, looking: DetectorSession) -> None:
        """Wait until the alerts that are on their way are out, if any are; raise if they fail."""
        published = self._outlet.settle()
        self._note(published)
        if published is None:
            return
        if not looking.held:  # else the counts may be further
            self._published = published.following
        if published.look.alone:
            looking.published(published.look)

    def _note(self, published: PublishedEvaluation | None) -> None:
        if published is not None:
            look = published.look
            self._observer.alerted(look.evaluation, published.ended - look.began)
            self.tally.update(look.tally())
            self._failures = 0

    def _publish(
        self,
        look: EvaluationResult | None,
        following: int,
        metadata: Any,
        headers: Mapping[str, bytes] | None = None,
    ) -> None:
        if look is not None and not look.is_to_publish:
            return
        publish_alerts(
            self._settings,
            self._producer,
            look.evaluation.alerts if look else (),
            look.evaluation.safety_alerts if look else (),
            offset=(self._at, following),
            refit=look.refit if look else None,
            headers=headers,
            metadata=metadata,
            observer=self._observer,
        )

    def _set_aside(self, rejected: Sequence[Rejected]) -> None:
        if self._looking is not None:
            self._settle(self._looking)  # one transaction at a time
        publish_rejected(self._settings, self._producer, rejected, self._observer)
        self._observer.set_aside(rejected)
        self.tally["rejected"] += len(rejected)

    def _write_snapshot(self, detector: Detector, next_offset: int) -> None:
        self._snapshots.begin(detector, next_offset)
        self._snapshot_due = time.monotonic() + _SNAPSHOT_SECONDS
