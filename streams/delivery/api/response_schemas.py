"""OpenAPI schemas of alerts in responses: the copies of each tier, and messages of a stream."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, WithJsonSchema
from pydantic.json_schema import models_json_schema

from schemas.alert import Alert
from schemas.context import Context
from schemas.decision import AuditEntry
from schemas.digest import Digest
from schemas.priority import Priority
from schemas.safety_alert import SafetyAlert
from schemas.scrutiny import Burst
from schemas.subscription import Tier
from streams.delivery.api.bodies import BODIES
from streams.delivery.api.problems import ProblemDetails
from streams.delivery.tiers import CONSUMER_HAS, PUBLIC_HAS

__all__ = ["AlertCopy", "LoggedDecision", "components", "ref"]

REF = "#/components/schemas/{model}"


def ref(name: str) -> dict[str, str]:
    """Return a reference to a schema of `components`.

    >>> ref("Alert")
    {'$ref': '#/components/schemas/Alert'}
    """
    return {"$ref": REF.format(model=name)}


# pydantic resolves a plain reference of a field itself, and knows only its own models.
AlertCopy = Annotated[dict[str, Any], WithJsonSchema({"allOf": [ref("AlertCopy")]})]
"""The copy of an alert for a tier: plain JSON, described by the schema of its tier."""
LoggedDecision = Annotated[dict[str, Any], WithJsonSchema({"allOf": [ref("AuditEntry")]})]
"""An entry of the audit log: plain JSON."""

_OUTPUTS: tuple[type[BaseModel], ...] = (Alert, SafetyAlert, Digest, AuditEntry, ProblemDetails)
_BAND = {"type": "string", "description": "Band of a count of cases.", "examples": ["1-10"]}
_OF_THE_PUBLIC: Mapping[str, Any] = {
    "tier": {"type": "string", "const": Tier.PUBLIC.value, "description": "Tier of the copy."},
    "evaluated_in": {
        "type": "string",
        "pattern": "^[0-9]{4}-[0-9]{2}$",
        "description": "Month of the evaluation.",
    },
}
_COPIES = (
    *("Alert", "SafetyAlert", "ConsumerAlert", "ConsumerSafetyAlert"),
    *("PublicAlert", "PublicSafetyAlert"),
)
_COPY = "The copy of a tier below the authority's: some fields are left out."
_MESSAGE_ID = "Id of the alert or digest, the same for ever; `Last-Event-ID` continues after it."


def components(of_routes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schemas of request bodies and of what responses hold, by name.

    What responses hold may have further fields: contracts grow by additions.

    Parameters
    ----------
    of_routes
        The schemas that FastAPI knows from the models of responses.
    """
    _, bodies = models_json_schema([(one, "validation") for one in BODIES], ref_template=REF)
    _, outputs = models_json_schema([(one, "validation") for one in _OUTPUTS], ref_template=REF)
    closed, found = bodies["$defs"], {**of_routes, **outputs["$defs"]}
    for schema in found.values():
        schema.pop("additionalProperties", None)
    found["Digest"]["properties"]["alerts"]["items"] = ref("AlertCopy")
    return {
        **found,
        **_consumer_copies(found),
        **_public_copies(found),
        "AlertCopy": {
            "title": "AlertCopy",
            "description": "An alert as the copy for the tier of the token or subscription. Safety "
            "alerts have a `category`, and copies for the public a `tier`.",
            "anyOf": [ref(name) for name in _COPIES],
        },
        **_stream_schemas(),
        **closed,
    }


def _consumer_copies(whole: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schemas of a consumer's copies: those of the models without what is withheld."""
    copies = {}
    for model, kept in CONSUMER_HAS.items():
        schema = whole[model.__name__]
        copies[f"Consumer{model.__name__}"] = _part(schema, kept, f"Consumer{model.__name__}")
    parts: tuple[tuple[str, str, type[BaseModel]], ...] = (
        ("ConsumerAlert", "context", Context),
        ("ConsumerAlert", "burst", Burst),
        ("ConsumerAlert", "priority", Priority),
        ("ConsumerSafetyAlert", "priority", Priority),
    )
    for name, field, model in parts:
        fields = copies[name]["properties"]
        fields[field] = {
            **fields[field],
            "anyOf": [ref(f"Consumer{model.__name__}"), {"type": "null"}],
        }
    rules = copies["ConsumerAlert"]["properties"]["rules"]
    copies["ConsumerAlert"]["properties"]["rules"] = {
        **rules,
        "items": ref("ConsumerRuleOutcome"),
    }
    return copies


def _public_copies(whole: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schemas of the public's copies: some fields, and bands instead of counts."""
    alert = _part(whole["Alert"], PUBLIC_HAS[Alert], "PublicAlert")
    context = _part(whole["Context"], PUBLIC_HAS[Context], "PublicContext")["properties"]
    own = {
        **_OF_THE_PUBLIC,
        "window": {"type": "string", "description": "Label of the window."},
        "n_observed": _BAND,
        "n_fatal": _BAND,
        "fires": {"type": "boolean", "description": "Whether a rule is on."},
        **{name: whole["Alert"]["properties"][name] for name in ("headline", "sentence")},
    }
    alert["properties"] |= {**context, **own}
    alert["required"] += own
    safety = _part(whole["SafetyAlert"], PUBLIC_HAS[SafetyAlert], "PublicSafetyAlert")
    own = {
        **_OF_THE_PUBLIC,
        "n_patients": _BAND,
        **{name: whole["SafetyAlert"]["properties"][name] for name in ("headline", "sentence")},
    }
    safety["properties"] |= own
    safety["required"] += own
    return {"PublicAlert": alert, "PublicSafetyAlert": safety}


def _part(schema: Mapping[str, Any], kept: Iterable[str], title: str) -> dict[str, Any]:
    names = [name for name in kept if name in schema["properties"]]
    return {
        "title": title,
        "description": f"{schema['description'].splitlines()[0]} {_COPY}",
        "type": "object",
        "properties": {name: schema["properties"][name] for name in names},
        "required": [name for name in names if name in schema.get("required", ())],
    }


def _stream_schemas() -> dict[str, Any]:
    return {
        "SubscriptionMessage": {
            "title": "SubscriptionMessage",
            "description": "A message to a subscriber. Digests have the `category` DIGEST.",
            "anyOf": [ref("AlertCopy"), ref("Digest")],
        },
        "StreamEvent": {
            "title": "StreamEvent",
            "description": "An event of a stream of server-sent events, by its fields.",
            "type": "object",
            "properties": {
                "id": {"type": "string", "description": _MESSAGE_ID},
                "event": {"type": "string", "const": "alert", "description": "Type of the event."},
                "data": {
                    "type": "string",
                    "description": "The message as JSON.",
                    "contentMediaType": "application/json",
                    "contentSchema": ref("SubscriptionMessage"),
                },
            },
            "required": ["id", "event", "data"],
        },
    }
