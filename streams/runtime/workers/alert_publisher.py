"""Publishes alerts with the state of their signals and the input offset; and rejected notices."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.alert import Alert
from schemas.cloud_event import cloud_event_headers, rules_change_headers
from schemas.prior import PriorRefit
from schemas.rejected import Rejected
from schemas.rules_change import RulesChange
from schemas.safety_alert import SafetyAlert
from streams.runtime.background import BackgroundTask
from streams.runtime.broker.clients import TopicPartition
from streams.runtime.broker.topics import topic_name
from streams.runtime.broker.transactions import ProducerUnusable, TransactionAborted, transaction
from streams.runtime.observability.observer import Observer, observed
from streams.runtime.settings import Settings
from streams.runtime.wire.alerts import AnyAlert, encode_alert
from streams.runtime.wire.rejects import reject_record
from streams.runtime.workers.detector_session import EvaluationResult

__all__ = [
    "AlertPublisher",
    "PublishedEvaluation",
    "publish_alerts",
    "publish_rejected",
    "publish_rules_change",
]

_ALERTS = 10_000  # per transaction: readers wait for its end, and a broker ends it after a minute
_LOG = logging.getLogger(__name__)
_ABANDON_SECONDS = 2.0  # wait for alerts that are being published when a partition is revoked


def publish_alerts(
    settings: Settings,
    producer: Any,
    alerts: Sequence[Alert],
    safety_alerts: Sequence[SafetyAlert],
    *,
    offset: tuple[TopicPartition, int],
    refits: Sequence[PriorRefit],
    headers: Mapping[str, bytes] | None,
    metadata: Any,
    observer: Observer,
) -> None:
    """Publish alerts with the state of their signals; with the last of them, the offset.

    A new prior is published with the first alerts computed with it. After a crash in between, a
    restart knows alerts published without the offset from the state of their signals.

    Safety alerts are published with the offset. A restart evaluates them before it counts more
    deltas: an alert on a case that is not counted again yet would be retracted.

    Parameters
    ----------
    safety_alerts
        Few, of the same evaluation.
    offset
        Partition of the deltas, and the next offset after those of the evaluation.
    headers
        Headers of every record on `pv.alerts`, in addition to those of a CloudEvent.
    metadata
        Group metadata of the publishing member; the broker refuses a member that was removed.
    """
    topic_partition, next_offset = offset
    to_alerts, to_signals = (topic_name(settings, name) for name in ("alerts", "signals"))
    for part, last in _parts(alerts):
        due: list[AnyAlert] = [*part, *(safety_alerts if last else ())]
        with (
            observed(observer, "detect"),
            transaction(
                producer,
                offsets={topic_partition: next_offset} if last else None,
                group_metadata=metadata,
            ) as out,
        ):
            for refit in refits:
                priors = topic_name(settings, "priors")
                out.send(priors, refit.model_dump_json().encode(), partition=0)
            refits = ()
            for alert in due:
                key, value = alert.signal_key.encode(), encode_alert(alert)
                event = cloud_event_headers(alert, source=f"/tocsin/{to_alerts}")
                out.send(to_alerts, value, key, headers={**event, **(headers or {})})
                out.send(to_signals, value, key, headers=event)


def publish_rules_change(settings: Settings, producer: Any, change: RulesChange) -> None:
    """Publish the rules from now on, and the change to subscribers, in one transaction.

    The first rules are no change: they are published on `pv.rules` alone.
    """
    to_alerts = topic_name(settings, "alerts")
    value = change.model_dump_json().encode()
    headers = rules_change_headers(change, source=f"/tocsin/{to_alerts}")
    with transaction(producer) as out:
        out.send(topic_name(settings, "rules"), value, partition=0, headers=headers)
        if change.previous is not None:
            out.send(to_alerts, value, b"rules", headers=headers)
    _LOG.info("%s", change.sentence)


def publish_rejected(
    settings: Settings, producer: Any, rejected: Sequence[Rejected], observer: Observer
) -> None:
    """Publish notices that cannot be read, in a transaction of their own.

    Without an offset: a reader of the notices reads the rejects at its start.
    """
    topic = topic_name(settings, "rejected")
    with observed(observer, "detect"), transaction(producer) as out:
        for reject in rejected:
            value, key, headers = reject_record(reject)
            out.send(topic, value, key, headers=headers)


def _parts(alerts: Sequence[Alert]) -> Iterator[tuple[Sequence[Alert], bool]]:
    """Split into parts for one transaction each, with whether it is the last; at least one."""
    for start in range(0, max(len(alerts), 1), _ALERTS):
        yield alerts[start : start + _ALERTS], start + _ALERTS >= len(alerts)


@dataclass(frozen=True, slots=True)
class PublishedEvaluation:
    """An evaluation whose alerts are published.

    Attributes
    ----------
    next_offset
        Of the deltas, after those that were evaluated.
    ended
        Monotonic time of the last commit [s].
    """

    result: EvaluationResult
    next_offset: int
    ended: float


class AlertPublisher:
    """Publishes the evaluations of one detector in a background thread, one at a time."""

    def __init__(self) -> None:
        self._task: BackgroundTask[PublishedEvaluation] | None = None

    def send(self, result: EvaluationResult, next_offset: int, publish: Callable[[], None]) -> None:
        """Begin to publish an evaluation; `settle` the previous one first.

        Parameters
        ----------
        publish
            Publishes it, within bounded time; called in another thread.
        """

        def call() -> PublishedEvaluation:
            publish()
            return PublishedEvaluation(result, next_offset, time.monotonic())

        self._task = BackgroundTask("tocsin-publish", call)

    @property
    def ended(self) -> bool:
        """Return whether publishing has ended; `settle` returns the outcome."""
        return self._task is not None and self._task.wait(0.0)

    def settle(self) -> PublishedEvaluation | None:
        """Wait until the evaluation that was sent is published; return it, `None` without one.

        Raises
        ------
        TransactionAborted, ProducerUnusable
            If it is not published, or that is not known.
        """
        if (task := self._task) is None:
            return None
        task.wait(threading.TIMEOUT_MAX)
        self._task = None
        return task.result()

    def abandon(self) -> PublishedEvaluation | None:
        """Wait shortly for the evaluation that was sent; return it if it is published.

        Else it is left to the next active detector, whose producer ends its transaction.
        """
        task, self._task = self._task, None
        if task is None:
            return None
        if not task.wait(_ABANDON_SECONDS):
            task.give_up()
            _LOG.warning("the partition is released while its alerts are being published")
            return None
        try:
            return task.result()
        except (TransactionAborted, ProducerUnusable) as error:
            _LOG.warning(
                "the partition is released; its alerts are not published",
                extra={"error": str(error)},
            )
            return None
