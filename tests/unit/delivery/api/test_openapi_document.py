"""The OpenAPI document is valid, types every response and names its operations."""

import json
import re

from openapi_spec_validator import validate

from streams.delivery.api.application import make_application

DOCUMENT = make_application().openapi()
OPERATIONS = [operation for methods in DOCUMENT["paths"].values() for operation in methods.values()]


def test_the_document_is_valid() -> None:
    validate(DOCUMENT)


def test_operations_have_readable_ids() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS]
    assert len(set(ids)) == len(ids)
    assert [name for name in ids if not re.fullmatch(r"[a-z]+(_[a-z]+)+", name)] == []
    assert {"list_signals", "list_alerts", "stream_alerts", "create_subscription"} <= set(ids)


def test_alerts_are_typed_wherever_they_are_sent() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    alert = {"$ref": "#/components/schemas/AlertCopy"}
    assert schemas["SignalPage"]["properties"]["signals"]["items"]["allOf"] == [alert]
    assert schemas["SignalAnswer"]["properties"]["signal"]["allOf"] == [alert]
    assert schemas["Revisions"]["properties"]["alerts"]["items"]["allOf"] == [alert]
    assert schemas["Digest"]["properties"]["alerts"]["items"] == alert
    responses = DOCUMENT["paths"]["/v1/alerts/{alert_id}"]["get"]["responses"]
    assert responses["200"]["content"]["application/json"]["schema"]["allOf"] == [alert]


def test_the_stream_declares_its_events() -> None:
    responses = DOCUMENT["paths"]["/v1/subscriptions/{name}/events"]["get"]["responses"]
    ((media_type, content),) = responses["200"]["content"].items()
    assert media_type == "text/event-stream"
    items = content["schema"]["contentSchema"]["items"]
    assert items == {"$ref": "#/components/schemas/StreamEvent"}
    data = DOCUMENT["components"]["schemas"]["StreamEvent"]["properties"]["data"]
    assert data["contentSchema"] == {"$ref": "#/components/schemas/SubscriptionMessage"}


def test_a_webhook_declares_what_it_receives() -> None:
    received = DOCUMENT["webhooks"]["alert"]["post"]
    body = received["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/SubscriptionMessage"}
    assert {one["name"] for one in received["parameters"]} == {
        "webhook-id", "webhook-timestamp", "webhook-signature",
    }  # fmt: skip


def test_every_reference_leads_to_a_schema() -> None:
    text = json.dumps(DOCUMENT)
    named = set(re.findall(r"#/components/schemas/([^\"]+)", text))
    assert named <= set(DOCUMENT["components"]["schemas"])
    assert "ProblemDetails" in named
