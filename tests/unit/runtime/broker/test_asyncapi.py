"""docs/asyncapi.json: valid by AsyncAPI's own schema, whole, and true of what is sent."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from referencing import Registry
from referencing.jsonschema import DRAFT7

from schemas.alert import Alert
from schemas.cloud_event import cloud_event_headers
from schemas.rejected import Rejected
from streams.runtime.broker.asyncapi import asyncapi_document
from streams.runtime.broker.topics import TOPICS
from streams.runtime.wire.rejects import StoredReject, marker_record, reject_record
from tests.golden.files import ASYNCAPI

TESTS = Path(__file__).resolve().parents[3]
STATE = {"deltas", "cases"}  # between our own stages; no contract


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads(ASYNCAPI.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def official() -> dict[str, Any]:
    packed = (TESTS / "golden" / "asyncapi-3.0.0.json.gz").read_bytes()
    return json.loads(gzip.decompress(packed))


@pytest.fixture(scope="module")
def alert() -> Alert:
    line = (TESTS / "replay" / "golden" / "alerts.jsonl").read_text().splitlines()[0]
    return Alert.model_validate_json(json.dumps({**json.loads(line), "code_version": "1"}))


def _errors(document: dict[str, Any], place: str, value: Any) -> list[str]:
    """Check a value against a schema of the document, with its references."""
    registry = Registry().with_resource("urn:doc", DRAFT7.create_resource(document))
    validator = Draft7Validator({"$ref": f"urn:doc#{place}"}, registry=registry)
    return [error.message for error in validator.iter_errors(value)]


def _texts(headers: dict[str, bytes]) -> dict[str, str]:
    return {name: value.decode() for name, value in headers.items()}


def test_it_is_valid_by_the_schema_of_asyncapi(
    document: dict[str, Any], official: dict[str, Any]
) -> None:
    assert document["asyncapi"] == "3.0.0"
    assert [error.message for error in Draft7Validator(official).iter_errors(document)] == []


@pytest.mark.parametrize(
    "path",
    [
        ("info", "title"),
        ("channels", "alerts", "bindings"),
        ("operations", "send-alerts", "action"),
    ],
    ids=".".join,
)
def test_that_schema_finds_what_is_wrong(
    path: tuple[str, ...], document: dict[str, Any], official: dict[str, Any]
) -> None:
    broken = json.loads(json.dumps(document))
    part = broken
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = 7
    assert not Draft7Validator(official).is_valid(broken)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list):
        for part in value:
            yield from _references(part)


def test_every_reference_leads_somewhere_within_it(document: dict[str, Any]) -> None:
    found = set(_references(document))
    assert len(found) > 40
    for reference in found:
        part: Any = document
        assert reference.startswith("#/")
        for name in reference[2:].split("/"):
            part = part[name]
        assert isinstance(part, dict)


def test_every_topic_that_others_touch_is_a_channel(document: dict[str, Any]) -> None:
    topics = {topic.name: topic for topic in TOPICS if topic.name not in STATE}
    assert set(document["channels"]) == set(topics)
    for name, channel in document["channels"].items():
        topic = topics[name]
        assert channel["address"] == f"pv.{name}"
        assert f"Key: {topic.key};" in channel["description"]
        configured = channel["bindings"]["kafka"]["topicConfiguration"]
        assert ",".join(configured["cleanup.policy"]) == topic.config["cleanup.policy"]
        assert configured.get("retention.ms", -1) == int(topic.config.get("retention.ms", -1))
    acts = {name.split("-", 1)[1]: it["action"] for name, it in document["operations"].items()}
    assert {name for name, action in acts.items() if action == "receive"} == {"reports", "notices"}
    assert set(acts) == set(topics)


def test_another_prefix_is_another_address() -> None:
    channels = asyncapi_document("eu.")["channels"]
    assert channels["alerts"]["address"] == "eu.alerts"


def test_an_alert_and_its_headers_are_as_it_says(document: dict[str, Any], alert: Alert) -> None:
    value = alert.model_dump(mode="json")
    place = "/components/schemas/alert"
    assert _errors(document, place, value) == []
    assert _errors(document, place, {**value, "of_tomorrow": 1}) == []
    assert _errors(document, place, {**value, "revision": 0}) != []
    assert _errors(document, place, {**value, "kind": "nonsense"}) != []

    headers = _texts(cloud_event_headers(alert, source="/tocsin/pv.alerts"))
    message = document["components"]["messages"]["alert"]
    place = "/components/messages/alert/headers"
    assert _errors(document, place, headers) == []
    assert set(headers) <= set(message["headers"]["properties"])
    for name in message["headers"]["required"]:
        assert _errors(document, place, {k: v for k, v in headers.items() if k != name}) != []
    assert _errors(document, place, {**headers, "ce_type": "tocsin.signal.nonsense"}) != []


def test_a_reject_and_its_mark_have_the_headers_it_says(document: dict[str, Any]) -> None:
    rejected = Rejected(source="pv.reports[3]", position=17, reason="r", raw=b"x", key=b"k")
    _, _, headers = reject_record(rejected)
    assert _errors(document, "/components/messages/rejected/headers", _texts(headers)) == []
    redriven = rejected.model_copy(update={"first": "pv.reports[3]@1", "attempts": 1})
    _, _, headers = reject_record(redriven)
    known = document["components"]["messages"]["rejected"]["headers"]["properties"]
    assert set(headers) <= set(known)
    stored = StoredReject(rejected, 1, "0" * 64, datetime(2024, 1, 1, tzinfo=UTC))
    _, headers = marker_record(stored, "mended")
    assert _errors(document, "/components/messages/redriven/headers", _texts(headers)) == []
