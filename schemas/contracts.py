"""Public message contracts with their direction, version and JSON Schema."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from schemas.alert import Alert
from schemas.audit_anchor import AuditAnchor
from schemas.base import Message
from schemas.decision import AuditEntry
from schemas.digest import Digest, UrgentOverflow
from schemas.link import CaseLink
from schemas.notice import Notice
from schemas.prior import PriorRefit
from schemas.rejected import Rejected
from schemas.release import ReleaseMarker
from schemas.report import Report
from schemas.rules_change import RulesChange
from schemas.safety_alert import SafetyAlert
from schemas.subscription import Subscription
from schemas.suppressed import Suppressed

__all__ = ["CONTRACTS", "Contract", "Direction", "contract_of", "json_schema"]


class Direction(StrEnum):
    """Direction of a contract, which decides which schema changes are additive."""

    INPUT = "input"  # written by others, read by Tocsin
    OUTPUT = "output"  # written by Tocsin, read by others, including records written years ago


@dataclass(frozen=True)
class Contract:
    """One message exchanged with other systems.

    Attributes
    ----------
    name
        As `tocsin schema` has it.
    version
        Of its schema; changes are additive within a major number.
    """

    name: str
    model: type[Message]
    direction: Direction
    version: str = "1.0"

    @property
    def uri(self) -> str:
        """Name of the schema: its `$id`, and the `dataschema` of events that follow it.

        >>> contract_of(Alert).uri
        'urn:tocsin:schema:alert:1.0'
        """
        return f"urn:tocsin:schema:{self.name}:{self.version}"


CONTRACTS = {
    contract.name: contract
    for contract in (
        Contract("report", Report, Direction.INPUT),
        Contract("link", CaseLink, Direction.INPUT),
        Contract("release-marker", ReleaseMarker, Direction.INPUT),
        Contract("notice", Notice, Direction.INPUT),
        Contract("subscription", Subscription, Direction.INPUT),
        Contract("alert", Alert, Direction.OUTPUT),
        Contract("safety-alert", SafetyAlert, Direction.OUTPUT),
        Contract("rules-change", RulesChange, Direction.OUTPUT),
        Contract("suppressed", Suppressed, Direction.OUTPUT),
        Contract("rejected", Rejected, Direction.OUTPUT),
        Contract("prior", PriorRefit, Direction.OUTPUT),
        Contract("decision", AuditEntry, Direction.OUTPUT),
        Contract("audit-anchor", AuditAnchor, Direction.OUTPUT),
        Contract("digest", Digest, Direction.OUTPUT),
        Contract("urgent-overflow", UrgentOverflow, Direction.OUTPUT),
    )
}
"""Contracts by name. `pv.deltas` and `pv.cases` are internal topics without a contract."""

_BY_MODEL = {contract.model: contract for contract in CONTRACTS.values()}


def contract_of(model: type[Message]) -> Contract:
    """Return the contract with this model as its schema."""
    return _BY_MODEL[model]


def json_schema(contract: Contract) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a contract.

    An input schema forbids unknown fields. An output schema allows them, so that a reader that
    validates against today's schema still accepts later messages with additional fields.

    >>> "additionalProperties" in json_schema(CONTRACTS["report"])
    True
    >>> "additionalProperties" in json_schema(CONTRACTS["alert"])
    False
    """
    schema = contract.model.model_json_schema(by_alias=True)
    if contract.direction is Direction.OUTPUT:
        for part in (schema, *schema.get("$defs", {}).values()):
            if part.get("additionalProperties") is False:
                del part["additionalProperties"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": contract.uri,
        **schema,
    }
