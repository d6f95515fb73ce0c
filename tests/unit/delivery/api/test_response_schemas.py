"""Alerts in responses are as the schema of their tier describes them, field by field."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from detectors.rules import load_rules
from schemas.alert import Alert
from schemas.contracts import contract_of, json_schema
from schemas.safety_alert import SafetyAlert
from schemas.subscription import Tier
from streams.delivery.alert_sources import AnyAlert
from streams.delivery.api.application import make_application
from streams.delivery.api.response_schemas import ref
from streams.delivery.api.service import Service
from streams.demo import background
from tests.support.alerts import copies_of, signal
from tests.support.api_server import Connect, feed, signal_path, token_of
from tests.support.assessments import SDR
from tests.support.replays import founding_case, replayed

DOCUMENT = make_application().openapi()
SCHEMAS = DOCUMENT["components"]["schemas"]
PREFIX = {Tier.AUTHORITY: "", Tier.CONSUMER: "Consumer", Tier.PUBLIC: "Public"}


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({**ref(name), "components": DOCUMENT["components"]})


def undeclared(value: Any, schema: dict[str, Any]) -> list[str]:
    """Return the fields of a value that its schema does not name, at any depth."""
    if "$ref" in schema:
        return undeclared(value, SCHEMAS[schema["$ref"].rpartition("/")[2]])
    if isinstance(value, list):
        return [name for part in value for name in undeclared(part, schema.get("items", {}))]
    if not isinstance(value, dict):
        return []
    for choice in schema.get("anyOf", ()):
        if "$ref" in choice:
            return undeclared(value, choice)
    if "properties" not in schema:
        return []
    properties = schema["properties"]
    return [
        *(name for name in value if name not in properties),
        *(f"{name}.{below}" for name, part in value.items() if name in properties
          for below in undeclared(part, properties[name])),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def alerts() -> list[AnyAlert]:
    reports, notices = founding_case()
    rules = load_rules(["mhra", "ic"])
    return replayed([*background(), *reports], rules=rules, notices=notices).published


@pytest.mark.parametrize("tier", Tier)
def test_a_copy_has_the_fields_that_the_schema_of_its_tier_declares(
    alerts: list[AnyAlert], tier: Tier
) -> None:
    models = set()
    for copy in copies_of(tier, *alerts):
        model = SafetyAlert if "category" in copy else Alert
        name = f"{PREFIX[tier]}{model.__name__}"
        validator(name).validate(copy)
        validator("SubscriptionMessage").validate(copy)
        assert undeclared(copy, SCHEMAS[name]) == []
        if tier is not Tier.PUBLIC:
            assert set(copy) == set(SCHEMAS[name]["properties"])
        models.add(model)
    assert models == {Alert, SafetyAlert}


def test_the_copy_of_one_tier_is_not_that_of_a_higher_one(alerts: list[AnyAlert]) -> None:
    first = next(alert for alert in alerts if isinstance(alert, Alert))
    consumer, public = (copies_of(tier, first)[0] for tier in (Tier.CONSUMER, Tier.PUBLIC))
    assert not validator("Alert").is_valid(consumer)
    assert not validator("ConsumerAlert").is_valid(public)
    assert not validator("PublicAlert").is_valid(consumer)


def test_alerts_have_the_schema_of_their_contract() -> None:
    for model in (Alert, SafetyAlert):
        contract = json_schema(contract_of(model))
        same = json.loads(json.dumps(contract).replace("#/$defs/", "#/components/schemas/"))
        assert SCHEMAS[model.__name__] == {
            name: value for name, value in same.items() if not name.startswith("$")
        }


def test_an_event_of_a_stream_is_as_declared(service: Service, connect: Connect) -> None:
    whole = connect(token_of(service))
    whole.post("/v1/subscriptions", json={"subscription_id": "s"})
    feed(service, [signal(drug="zinc")])
    event: dict[str, str] = {}
    with whole.stream("GET", "/v1/subscriptions/s/events", timeout=20) as answer:
        for line in answer.iter_lines():
            if not line and event:
                break
            name, _, value = line.partition(": ")
            event[name] = value
    validator("StreamEvent").validate(event)
    assert set(event) == set(SCHEMAS["StreamEvent"]["properties"])
    validator("SubscriptionMessage").validate(json.loads(event["data"]))


def test_a_logged_decision_is_as_declared(service: Service, connect: Connect) -> None:
    whole = connect(token_of(service))
    path = signal_path(SDR.signal_key)
    logged = whole.post(f"{path}/decisions", json={"to": "under_triage", "assignee": "ann"}).json()
    (shown,) = whole.get(path).json()["decisions"]
    assert shown == logged["entry"]
    validator("AuditEntry").validate(shown)
    assert undeclared(shown, SCHEMAS["AuditEntry"]) == []


def test_responses_allow_further_fields_and_requests_do_not() -> None:
    open_schemas = {name for name in SCHEMAS if "additionalProperties" not in SCHEMAS[name]}
    assert {"Alert", "Context", "ConsumerAlert", "CaseLine", "ProblemDetails"} <= open_schemas
    for name in ("AskedSubscription", "Filters", "NewDecision", "NewVerification"):
        assert SCHEMAS[name]["additionalProperties"] is False
