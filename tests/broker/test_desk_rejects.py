"""Rejects on the desk, from a real Kafka: grouped, dry run, and redriven once by a typed count."""

import html
import re
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from schemas.rejected import Rejected
from streams.console.operations.rejects import KafkaRejects
from streams.runtime.broker.clients import make_producer
from streams.runtime.broker.topics import create_topics
from streams.runtime.settings import Settings
from streams.runtime.wire.rejects import reject_record
from tests.broker.support.notices import line, notice
from tests.broker.support.processes import records
from tests.support.desk import Site

pytestmark = pytest.mark.broker

PAGE = "/desk/operations/rejected"
RULE = "notice: must be known"


def _publish(settings: Settings, reason: str, *values: bytes) -> None:
    with closing(make_producer(settings)) as producer:
        for at, raw in enumerate(values):
            rejected = Rejected(source=f"{reason[:6]}.jsonl", position=at, reason=reason, raw=raw)
            value, key, headers = reject_record(rejected)
            topic = f"{settings.topic_prefix}rejected"
            producer.send(topic, value, key, headers=list(headers.items()))
        producer.flush()


def _fields(browser: TestClient) -> dict[str, str]:
    page = browser.get(PAGE, params={"rule": RULE}).text
    found = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in found}


def test_rejects_of_a_rule_are_redriven_once(settings: Settings, tmp_path: Path) -> None:
    settings = settings.model_copy(update={"partitions": 1, "state_dir": tmp_path / "state"})
    create_topics(settings)
    wanted = [line(notice(at, f"SUBJECT-{at}")) for at in range(3)]
    _publish(settings, f"{RULE}; got 1", *wanted)
    _publish(settings, "must be JSON; got x", b"x")
    browser = Site.of(tmp_path, [], rejects=KafkaRejects(settings)).browser()
    page = html.unescape(browser.get(PAGE).text)
    assert "4 messages could not be read" in page
    fields = _fields(browser)
    assert fields["n"] == "3"
    assert records(settings, "notices") == []
    assert browser.post(PAGE, data=fields | {"typed": "4"}).status_code == 422
    answer = browser.post(PAGE, data=fields | {"typed": "3"})
    assert answer.headers["location"] == f"{PAGE}?redriven=3"
    assert sorted(record.value for record in records(settings, "notices")) == sorted(wanted)
    assert "1 message could not be read" in browser.get(PAGE).text
    assert browser.post(PAGE, data=fields | {"typed": "3"}).status_code == 409
    assert len(records(settings, "notices")) == 3
