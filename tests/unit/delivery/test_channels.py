"""Attempts on each channel: webhook, topic and folder; a stream is refused."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from schemas.errors import BrokerError, InputError
from schemas.subscription import Folder, OwnTopic, Stream
from streams.delivery.channels import ALERT_ID, ChannelSender
from streams.delivery.sending.send_schedule import Attempt, SendOutcome
from streams.delivery.sending.webhook import WebhookSender
from streams.delivery.subscription_status import Due
from streams.runtime.broker.topic_writer import TopicWriter
from streams.runtime.settings import Settings
from tests.support.alerts import KEY, NOW, SECRET, signal, subscription

ALERT = signal()
DELIVERED = SendOutcome.DELIVERED


class Webhooks:
    """Webhook sender that records its arguments."""

    def __init__(self) -> None:
        self.posted: list[tuple[Any, ...]] = []

    def send(self, *arguments: Any) -> Attempt:
        self.posted.append(arguments)
        return Attempt(DELIVERED, "204")


class Topics(TopicWriter):
    """Topic writer whose broker may be unavailable."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.written: list[tuple[str, str, bytes, Mapping[str, bytes] | None]] = []
        self.away = False

    def write(
        self, topic: str, key: str, value: bytes, headers: Mapping[str, bytes] | None = None
    ) -> None:
        if self.away:
            msg = "write to pmda: no broker"
            raise BrokerError(msg)
        self.written.append((topic, key, value, headers))


@pytest.fixture
def webhooks() -> Webhooks:
    return Webhooks()


@pytest.fixture
def topics() -> Topics:
    return Topics()


@pytest.fixture
def sender(webhooks: Webhooks, topics: Topics) -> ChannelSender:
    return ChannelSender(cast(WebhookSender, webhooks), topics, key=KEY)


def due(channel: Any = None, body: str | None = None) -> Due:
    fields = {} if channel is None else {"channel": channel, "url": None, "secrets": ()}
    asked = subscription().model_copy(update=fields)
    return Due(7, asked, ALERT.alert_id, body or ALERT.model_dump_json())


def test_a_webhook_is_posted_to_signed_with_its_keys(
    sender: ChannelSender, webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", SECRET)
    sent = due()
    assert sender.send(sent, NOW).outcome is DELIVERED
    (posted,) = webhooks.posted
    assert posted == ("https://receiver.example/hook", [SECRET], sent.alert_id, sent.body, NOW)


def test_a_webhook_without_its_key_is_refused_and_says_why(
    sender: ChannelSender, webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOK", raising=False)
    attempt = sender.send(due(), NOW)
    assert attempt.outcome is SendOutcome.REFUSED
    assert "HOOK" in attempt.detail
    assert webhooks.posted == []


def test_a_topic_gets_a_record_under_the_key_of_the_copy(
    sender: ChannelSender, topics: Topics
) -> None:
    sent = due(OwnTopic(topic="pmda"), body='{"signal_key": "LOT_CLUSTER|code"}')
    assert sender.send(sent, NOW) == Attempt(DELIVERED, "pmda")
    headers = {ALERT_ID: ALERT.alert_id.encode()}
    assert topics.written == [("pmda", "LOT_CLUSTER|code", sent.body.encode(), headers)]
    sender.send(due(OwnTopic(topic="pmda"), body='{"digest_id": "d"}'), NOW)
    assert topics.written[1][1] == "s", "a digest has no key of its own"


def test_a_failed_write_to_a_topic_is_retried_and_a_topic_of_tocsin_is_refused(
    sender: ChannelSender, topics: Topics
) -> None:
    topics.away = True
    attempt = sender.send(due(OwnTopic(topic="pmda")), NOW)
    assert attempt == Attempt(SendOutcome.FAILED, "write to pmda: no broker")
    for ours in ("pv.reports", "__consumer_offsets"):
        attempt = sender.send(due(OwnTopic(topic=ours)), NOW)
        assert attempt.outcome is SendOutcome.REFUSED
        assert "must be one of the subscriber's" in attempt.detail


def test_a_folder_gets_two_complete_files(sender: ChannelSender, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out"
    assert sender.send(due(Folder(path=str(folder))), NOW) == Attempt(DELIVERED, str(folder))
    markdown, data = sorted(folder.iterdir(), key=lambda path: path.suffix, reverse=True)
    assert (markdown.suffix, data.suffix) == (".md", ".json")
    assert json.loads(data.read_text())["alert_id"] == ALERT.alert_id
    assert ALERT.sentence in markdown.read_text()
    assert data.name.startswith("00000007-")


def test_a_failed_write_to_a_folder_is_retried(sender: ChannelSender, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    attempt = sender.send(due(Folder(path=str(tmp_path / "file" / "out"))), NOW)
    assert attempt.outcome is SendOutcome.FAILED
    assert attempt.detail.startswith("FileExistsError: ")


def test_a_stream_is_not_sent(sender: ChannelSender) -> None:
    attempt = sender.send(due(Stream()), NOW)
    assert attempt == Attempt(SendOutcome.REFUSED, "a stream is read by its subscriber")


def test_a_topic_of_tocsin_is_refused_in_a_subscription(topics: Topics) -> None:
    topics.require_foreign("pmda")
    with pytest.raises(InputError, match="which has other readers"):
        topics.require_foreign("pv.alerts")
