"""Alerts onto their topics, with the state of their signals and the offset they were made at.

And notices that cannot be read onto the rejects.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.alert import Alert
from schemas.cloud_event import cloud_event_headers
from schemas.prior import PriorRefit
from schemas.rejected import Rejected
from schemas.safety_alert import SafetyAlert
from streams.runtime.background import BackgroundTask
from streams.runtime.broker.clients import TopicPartition
from streams.runtime.broker.producer import Record
from streams.runtime.broker.topics import topic_name
from streams.runtime.broker.transactions import ProducerUnusable, TransactionAborted, transaction
from streams.runtime.observability.observer import Observer, observed
from streams.runtime.settings import Settings
from streams.runtime.wire.alerts import AnyAlert, encode_alert
from streams.runtime.wire.rejects import reject_record
from streams.runtime.workers.detector_session import EvaluationResult

__all__ = ["AlertPublisher", "PublishedEvaluation", "publish_alerts", "publish_rejected"]

_ALERTS = 10_000  # in one transaction: readers wait for its end, and a broker for a minute at most
_TOGETHER = 100  # the network thread sends the first while the next are encoded
_LOG = logging.getLogger(__name__)
_PARTING_SECONDS = 2.0  # for what is under way when the partition is given up


def publish_alerts(
    settings: Settings,
    producer: Any,
    alerts: Sequence[Alert],
    safety_alerts: Sequence[SafetyAlert],
    *,
    offset: tuple[TopicPartition, int],
    refit: PriorRefit | None,
    headers: Mapping[str, bytes] | None,
    metadata: Any,
    observer: Observer,
) -> None:
    """Publish alerts with the state of their signals; with the last of them, the offset.

    A new prior goes out with the first of the alerts that were computed with it. What was published
    without the offset is known to a restart from the state of the signals.

    Safety alerts go out with the offset. A restart looks at what is watched before it counts on: an
    alert of a case that it has yet to count again would be retracted.

    Parameters
    ----------
    safety_alerts
        Few, of the same evaluation.
    offset
        Partition of the deltas, and the first of it that is in no alert yet.
    headers
        Of every record on `pv.alerts`, beside those that make it a CloudEvent.
    metadata
        Of the member that publishes; the broker refuses one that the group has dropped.
    """
    at, following = offset
    to_alerts, to_signals = (topic_name(settings, name) for name in ("alerts", "signals"))
    for part, last in _parts(alerts):
        due: list[AnyAlert] = [*part, *(safety_alerts if last else ())]
        with (
            observed(observer, "detect"),
            transaction(
                producer,
                offsets={at: following} if last else None,
                group_metadata=metadata,
            ) as out,
        ):
            if refit is not None:
                priors = topic_name(settings, "priors")
                out.send(priors, refit.model_dump_json().encode(), partition=0)
                refit = None
            for start in range(0, len(due), _TOGETHER):
                records = [
                    _record(alert, f"/tocsin/{to_alerts}")
                    for alert in due[start : start + _TOGETHER]
                ]
                out.send_all(to_alerts, records, headers)
                out.send_all(to_signals, records)


def _record(alert: AnyAlert, source: str) -> Record:
    headers = cloud_event_headers(alert, source=source)
    return Record(alert.signal_key.encode(), encode_alert(alert), list(headers.items()))


def publish_rejected(
    settings: Settings, producer: Any, rejected: Sequence[Rejected], observer: Observer
) -> None:
    """Publish notices that cannot be read, in a transaction of their own.

    No offset goes with them: at its start a reader of the notices looks for what is rejected.
    """
    topic = topic_name(settings, "rejected")
    with observed(observer, "detect"), transaction(producer) as out:
        for one in rejected:
            value, key, headers = reject_record(one)
            out.send(topic, value, key, headers=headers)


def _parts(alerts: Sequence[Alert]) -> Iterator[tuple[Sequence[Alert], bool]]:
    """Cut into parts for one transaction each, with whether it is the last; at least one."""
    for start in range(0, max(len(alerts), 1), _ALERTS):
        yield alerts[start : start + _ALERTS], start + _ALERTS >= len(alerts)


@dataclass(frozen=True, slots=True)
class PublishedEvaluation:
    """A look whose alerts are out.

    Attributes
    ----------
    following
        The offset of the deltas after the last one that is in them.
    ended
        When they were, on a clock that only rises.
    """

    look: EvaluationResult
    following: int
    ended: float


class AlertPublisher:
    """The way out of one detector."""

    def __init__(self) -> None:
        self._task: BackgroundTask[PublishedEvaluation] | None = None

    def send(self, look: EvaluationResult, following: int, publish: Callable[[], None]) -> None:
        """Begin to publish what a look gave; `settle` first.

        Parameters
        ----------
        publish
            Publishes it, all or nothing, within a time of its own; called in another thread.
        """

        def call() -> PublishedEvaluation:
            publish()
            return PublishedEvaluation(look, following, time.monotonic())

        self._task = BackgroundTask("tocsin-publish", call)

    @property
    def ended(self) -> bool:
        """Whether something was sent that has ended, well or not: see `settle`."""
        return self._task is not None and self._task.wait(0.0)

    def settle(self) -> PublishedEvaluation | None:
        """Wait for what is under way; return it, or `None` if nothing was.

        Raises
        ------
        TransactionAborted, ProducerUnusable
            If it is not published, or nobody knows.
        """
        if (task := self._task) is None:
            return None
        task.wait(threading.TIMEOUT_MAX)
        self._task = None
        return task.result()

    def leave(self) -> PublishedEvaluation | None:
        """Wait shortly for what is under way, then leave it to the broker; return it if it is out.

        Whoever restores the counts ends it first, and learns from the broker how it ended.
        """
        task, self._task = self._task, None
        if task is None:
            return None
        if not task.wait(_PARTING_SECONDS):
            task.give_up()
            _LOG.warning("the partition is given up while its alerts are on their way")
            return None
        try:
            return task.result()
        except (TransactionAborted, ProducerUnusable) as error:
            _LOG.warning("the partition is given up: %s", error)
            return None
