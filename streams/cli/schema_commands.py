"""`tocsin schema`: the contracts, as JSON Schema and as one AsyncAPI document."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from schemas.contracts import CONTRACTS, json_schema
from streams.runtime.asyncapi import asyncapi_document

__all__ = ["SchemaName", "register"]


class SchemaName(StrEnum):
    """What has a published schema."""

    REPORT = "report"
    LINK = "link"
    NOTICE = "notice"
    SUBSCRIPTION = "subscription"
    ALERT = "alert"
    SAFETY_ALERT = "safety-alert"
    SUPPRESSED = "suppressed"
    REJECTED = "rejected"
    PRIOR = "prior"
    DECISION = "decision"
    ASYNCAPI = "asyncapi"


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("schema")(schema)


def schema(
    name: Annotated[
        SchemaName,
        typer.Argument(help="Which message; asyncapi for all topics.", case_sensitive=False),
    ],
) -> None:
    """Print the JSON Schema of a message, or all topics as an AsyncAPI 3.0 document.

    What they promise, and how they may change: docs/contract.md.
    """
    found = (
        asyncapi_document() if name is SchemaName.ASYNCAPI else json_schema(CONTRACTS[name.value])
    )
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
