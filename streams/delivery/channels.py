"""Delivery attempts on the channels: webhooks, Kafka topics and folders."""

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from schemas.errors import BrokerError, InputError
from schemas.subscription import Folder, OwnTopic, Webhook
from streams.delivery.digests import markdown_of
from streams.delivery.outbox import Outbox
from streams.delivery.sending.parallel_senders import ParallelSenders
from streams.delivery.sending.send_schedule import Attempt, SendOutcome
from streams.delivery.sending.signing_keys import signing_keys
from streams.delivery.sending.webhook import WebhookSender
from streams.delivery.subscription_status import Due
from streams.runtime.broker.topic_writer import TopicWriter
from streams.runtime.owner_only import owner_only_file, owner_only_folder

__all__ = ["ALERT_ID", "ChannelSender", "Delivery", "deliver"]

ALERT_ID = "alert_id"
"""Header of a record on a subscriber's topic, the same at every attempt."""
_SLICE_SECONDS = 1.0  # s: a wait for attempts ends then, since other messages may be due


class ChannelSender:
    """Sends one due message on the channel of its subscription; threads may share it.

    Parameters
    ----------
    webhooks, topics
        Senders to webhooks and to Kafka.
    key
        The installation's secret.
    """

    def __init__(self, webhooks: WebhookSender, topics: TopicWriter, *, key: bytes) -> None:
        self._webhooks, self._topics, self._key = webhooks, topics, key
        self._writing = threading.Lock()  # the writer replaces its client after an error

    def send(self, due: Due, now: datetime) -> Attempt:
        """Make one attempt; an error becomes its outcome and detail."""
        channel = due.subscription.goes_to
        try:
            if isinstance(channel, Webhook):
                keys = signing_keys(due.subscription, key=self._key)
                return self._webhooks.send(channel.url, keys, due.alert_id, due.body, now)
            if isinstance(channel, OwnTopic):
                return self._to_topic(channel, due)
            if isinstance(channel, Folder):
                return _to_folder(Path(channel.path), due)
        except InputError as error:
            return Attempt(SendOutcome.REFUSED, str(error))
        return Attempt(SendOutcome.REFUSED, "a stream is read by its subscriber")

    def _to_topic(self, channel: OwnTopic, due: Due) -> Attempt:
        self._topics.require_foreign(channel.topic)
        # The key in the copy, since the true one may name a lot. A digest has no signal key.
        key = json.loads(due.body).get("signal_key", due.subscription.subscription_id)
        headers = {ALERT_ID: due.alert_id.encode()}
        try:
            with self._writing:
                self._topics.write(channel.topic, key, due.body.encode(), headers)
        except BrokerError as error:
            return Attempt(SendOutcome.FAILED, str(error))
        return Attempt(SendOutcome.DELIVERED, channel.topic)


def _to_folder(folder: Path, due: Due) -> Attempt:
    """Write a message as JSON and as Markdown, each file atomically."""
    name = f"{due.number:08}-{due.alert_id[:32].replace('/', '_')}"
    try:
        if not folder.exists():  # the mode of an existing one is its reader's
            owner_only_folder(folder)
        for suffix, text in ((".md", markdown_of(json.loads(due.body))), (".json", due.body)):
            part = folder / f".{name}{suffix}.part"
            owner_only_file(part)
            with part.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            part.rename(folder / f"{name}{suffix}")
    except OSError as error:
        return Attempt(SendOutcome.FAILED, f"{type(error).__name__}: {error.strerror}")
    return Attempt(SendOutcome.DELIVERED, str(folder))


class Delivery:
    """Sends what is due in an outbox: side by side, each outcome recorded as it ends.

    Parameters
    ----------
    now
        Clock time of attempts and of their records.
    """

    def __init__(
        self, outbox: Outbox, senders: ParallelSenders, now: Callable[[], datetime]
    ) -> None:
        self._outbox, self._senders, self._now = outbox, senders, now
        self._ended = dict.fromkeys(SendOutcome, 0)

    @property
    def ended(self) -> Mapping[SendOutcome, int]:
        """The number of attempts by outcome."""
        return self._ended

    def run(self, seconds: float | None = None) -> bool:
        """Send until nothing is due and nothing is being sent, or some seconds are over.

        Returns whether nothing is being sent any more.
        """
        end = None if seconds is None else time.monotonic() + seconds
        self._outbox.release(self._now())
        while True:
            now = self._now()
            self._senders.start(self._outbox.due(now), now)
            left = _SLICE_SECONDS if end is None else min(_SLICE_SECONDS, end - time.monotonic())
            if not self._senders.busy or left <= 0:
                return not self._senders.busy
            ended = self._senders.finished(left)
            if ended:
                self._outbox.record_all(ended, self._now())
            for _, attempt in ended:
                self._ended[attempt.outcome] += 1


def deliver(
    outbox: Outbox,
    send: Callable[[Due, datetime], Attempt],
    now: Callable[[], datetime],
) -> Mapping[SendOutcome, int]:
    """Attempt every due message; return the number of attempts by outcome."""
    with ParallelSenders(send) as senders:
        delivery = Delivery(outbox, senders, now)
        delivery.run()
    return delivery.ended
