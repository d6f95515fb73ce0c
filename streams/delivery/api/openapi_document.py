"""OpenAPI document of the API: schemas of bodies and copies, errors, and webhook deliveries."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from streams.delivery.api.response_schemas import components, ref
from streams.demo.examples import contract_example

__all__ = ["openapi_document"]

_OF_FASTAPI = {"HTTPValidationError", "ValidationError"}
"""Schemas of errors that FastAPI declares; the API sends problem details instead."""

_EXAMPLES = {
    name: {"summary": summary, "value": contract_example(name)}
    for name, summary in {
        "alert": "The first revision of a signal, for the authority tier",
        "retraction": "A revision that withdraws it, after cases were nullified",
        "safety_alert": "A safety alert",
    }.items()
}


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application; it is made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, summary=app.summary, routes=app.routes
        )
        for operations in document["paths"].values():
            for operation in operations.values():
                _drop_undeclared(operation["responses"])
        schemas = components(document["components"]["schemas"])
        document["components"]["schemas"] = {
            name: schemas[name] for name in sorted(schemas.keys() - _OF_FASTAPI)
        }
        shown = document["paths"]["/v1/alerts/{alert_id}"]["get"]["responses"]["200"]
        shown["content"]["application/json"]["examples"] = _EXAMPLES
        document["webhooks"] = {"alert": {"post": _delivery()}}
        app.openapi_schema = document
    return app.openapi_schema


def _drop_undeclared(responses: dict[str, Any]) -> None:
    """Drop the 422 that FastAPI adds to every operation with a parameter."""
    content = responses.get("422", {}).get("content", {})
    if "application/json" in content:
        del responses["422"]


def _delivery() -> dict[str, Any]:
    """Return the request that `tocsin deliver` sends to a webhook."""
    signed = {
        "webhook-id": "Id of the alert or digest, the same at every attempt.",
        "webhook-timestamp": "When this attempt was sent [s since 1970].",
        "webhook-signature": "One `v1,` and HMAC-SHA256 in base64 for each key, separated by "
        "spaces, of id, timestamp and body joined by dots.",
    }
    return {
        "operationId": "receive_alert",
        "tags": ["webhooks"],
        "summary": "Receive Alert",
        "description": "What your address receives: verify the signature before you parse. "
        "Another answer than 2xx is attempted again; 410 pauses the subscription.",
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": text,
                "schema": {"type": "string"},
            }
            for name, text in signed.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": ref("SubscriptionMessage"), "examples": _EXAMPLES}
            },
        },
        "responses": {
            "2XX": {"description": "It was received."},
            "410": {"description": "Send no more: the subscription is paused."},
        },
        "security": [],
    }
