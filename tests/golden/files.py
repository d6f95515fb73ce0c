"""The contracts as they were when they were last looked at, and what has changed since."""

import json
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

from schemas.alert import Alert
from schemas.contracts import CONTRACTS, Direction, json_schema
from schemas.safety_alert import AlertCategory, SafetyAlert, SafetyAlertKind
from schemas.subscription import Tier
from streams.delivery.tier_copies import dated_copies
from streams.delivery.tiers import Copy
from streams.demo import examples
from streams.exports.fixtures import contract_examples
from streams.runtime.broker.asyncapi import asyncapi_document
from tests.support.schema_changes import changes

__all__ = ["ASYNCAPI", "EXAMPLES", "breaking_changes", "copy_schemas", "golden_file", "texts"]

_ROOT = Path(__file__).resolve().parents[2]
_ALERTS = _ROOT / "tests" / "replay" / "golden" / "alerts.jsonl"
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
EXAMPLES = _ROOT / "streams" / "demo" / examples.EXAMPLES_FILE
ASYNCAPI = _ROOT / "docs" / "asyncapi.json"


def golden_file(name: str) -> Path:
    """Return the file of a contract."""
    return Path(__file__).parent / "schemas" / f"{name}.json"


def copy_schemas() -> dict[str, dict[str, Any]]:
    """Return the fields of what lower tiers get of an alert, which no model says."""
    line = json.loads(_ALERTS.read_text(encoding="utf-8").splitlines()[0])
    samples: dict[str, Alert | SafetyAlert] = {
        "alert": Alert.model_validate_json(json.dumps({**line, "code_version": "1"})),
        "safety-alert": SafetyAlert(
            category=AlertCategory.LOT_CLUSTER, alert_id="a", signal_key="LOT_CLUSTER|EX117",
            revision=1, kind=SafetyAlertKind.NEW, urgent=True, reason="r", sentence="s",
            subject="EX117", evaluated_on=date(2024, 1, 1), as_of=(), code_version="1",
        ),
    }  # fmt: skip
    return {
        f"{name}.{tier}": _schema_of(first_copy(tier, sample))
        for name, sample in samples.items()
        for tier in (Tier.PUBLIC, Tier.CONSUMER)
    }


def first_copy(tier: Tier, alert: Alert | SafetyAlert) -> Copy:
    """Return the copy of an alert for a tier, as if nothing was published before."""
    return next(copy for _, copy in dated_copies(tier, [alert], key=b"k" * 16))


def _schema_of(copy: dict[str, Any]) -> dict[str, Any]:
    fields = {
        name: {"type": _TYPES[type(value)]} if type(value) in _TYPES else {}
        for name, value in copy.items()
    }
    # None is said to be needed: one that comes is an addition; one that goes is gone from here.
    return {"type": "object", "properties": fields}


def _schemas() -> dict[str, tuple[dict[str, Any], Direction]]:
    of_models = {name: (json_schema(one), one.direction) for name, one in CONTRACTS.items()}
    return of_models | {name: (one, Direction.OUTPUT) for name, one in copy_schemas().items()}


def texts() -> dict[Path, str]:
    """Return what every file must hold."""
    found: dict[Path, Any] = {golden_file(name): schema for name, (schema, _) in _schemas().items()}
    found[EXAMPLES] = contract_examples()
    with patch.object(examples, "_examples", lambda: found[EXAMPLES]):
        found[ASYNCAPI] = asyncapi_document()
    return {
        path: json.dumps(value, indent=2, ensure_ascii=False) + "\n"
        for path, value in found.items()
    }


def breaking_changes() -> list[str]:
    """Return every change since the golden files that breaks who relies on a contract."""
    found = []
    now = _schemas()
    for path in sorted((Path(__file__).parent / "schemas").glob("*.json")):
        if path.stem not in now:
            found.append(f"{path.stem}: the contract is gone")
            continue
        old = json.loads(path.read_text(encoding="utf-8"))
        new, direction = now[path.stem]
        found += [
            f"{path.stem} ({direction}), {change}"
            for change in changes(old, new, direction)
            if change.breaking
        ]
    return found
