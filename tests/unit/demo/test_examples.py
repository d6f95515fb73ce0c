"""Every example of a contract is valid by its model, and by the documents that show it."""

import json
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from schemas.alert import Alert
from schemas.base import Message
from schemas.report import Report
from schemas.safety_alert import SafetyAlert
from streams.delivery.api.application import make_application
from streams.demo.examples import contract_example
from streams.runtime.broker.asyncapi import asyncapi_document

MODELS: dict[str, type[Message]] = {
    "report": Report,
    "follow_up": Report,
    "nullification": Report,
    "alert": Alert,
    "retraction": Alert,
    "safety_alert": SafetyAlert,
}


@pytest.mark.parametrize("name", MODELS)
def test_an_example_is_a_message(name: str) -> None:
    message = MODELS[name].model_validate_json(json.dumps(contract_example(name)))
    assert isinstance(message, MODELS[name])


def test_the_examples_of_asyncapi_are_valid() -> None:
    document = asyncapi_document()
    shown = []
    for message in document["components"]["messages"].values():
        for example in message.get("examples", ()):
            shown.append(example["name"])
            schema: dict[str, Any] = {**message["payload"], "components": document["components"]}
            Draft7Validator(schema).validate(example["payload"])
            if "headers" in message:
                Draft7Validator(message["headers"]).validate(example["headers"])
    assert set(shown) == set(MODELS)


def test_the_examples_of_openapi_are_valid() -> None:
    document = make_application().openapi()
    webhook = document["webhooks"]["alert"]["post"]["requestBody"]
    shown = document["paths"]["/v1/alerts/{alert_id}"]["get"]["responses"]["200"]
    for place in (webhook, shown):
        content = place["content"]["application/json"]
        assert set(content["examples"]) == {"alert", "retraction", "safety_alert"}
        for example in content["examples"].values():
            schema = {**content["schema"], "components": document["components"]}
            Draft202012Validator(schema).validate(example["value"])
