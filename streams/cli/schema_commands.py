"""`tocsin schema`: the contracts as JSON Schema, AsyncAPI and OpenAPI documents."""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from schemas.contracts import CONTRACTS, json_schema
from streams.runtime.broker.asyncapi import asyncapi_document

__all__ = ["SchemaName", "register"]


class SchemaName(StrEnum):
    """Messages and interfaces with a published schema."""

    REPORT = "report"
    LINK = "link"
    RELEASE_MARKER = "release-marker"
    NOTICE = "notice"
    SUBSCRIPTION = "subscription"
    ALERT = "alert"
    SAFETY_ALERT = "safety-alert"
    RULES_CHANGE = "rules-change"
    SUPPRESSED = "suppressed"
    REJECTED = "rejected"
    PRIOR = "prior"
    DECISION = "decision"
    AUDIT_ANCHOR = "audit-anchor"
    DIGEST = "digest"
    URGENT_OVERFLOW = "urgent-overflow"
    ASYNCAPI = "asyncapi"
    OPENAPI = "openapi"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("schema")(schema)


def schema(
    name: Annotated[
        SchemaName,
        typer.Argument(
            metavar="NAME",
            help="A message; or asyncapi for all topics, openapi for the HTTP API.",
            case_sensitive=False,
        ),
    ],
) -> None:
    """Print the JSON Schema of a message, all topics as AsyncAPI 3.0, or the API as OpenAPI 3.1.

    For their guarantees and how they may change, see docs/consume/contract.md.
    """
    if name is SchemaName.ASYNCAPI:
        found = asyncapi_document()
    elif name is SchemaName.OPENAPI:
        found = _openapi()
    else:
        found = json_schema(CONTRACTS[name.value])
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))


def _openapi() -> dict[str, Any]:
    from streams.delivery.api.application import make_application

    return make_application().openapi()
