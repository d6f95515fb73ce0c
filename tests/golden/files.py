"""The contracts as they were when they were last looked at, and what has changed since."""

import json
from pathlib import Path
from typing import Any

from schemas.contracts import CONTRACTS, json_schema
from streams.runtime.asyncapi import asyncapi_document
from tests.schema_changes import changes

__all__ = ["ASYNCAPI", "breaking_changes", "golden_file", "texts"]

_ROOT = Path(__file__).resolve().parents[2]
ASYNCAPI = _ROOT / "docs" / "asyncapi.json"


def golden_file(name: str) -> Path:
    """Return the file of a contract."""
    return Path(__file__).parent / "schemas" / f"{name}.json"


def texts() -> dict[Path, str]:
    """Return what every file must hold."""
    found: dict[Path, Any] = {golden_file(name): json_schema(c) for name, c in CONTRACTS.items()}
    found[ASYNCAPI] = asyncapi_document()
    return {
        path: json.dumps(value, indent=2, ensure_ascii=False) + "\n"
        for path, value in found.items()
    }


def breaking_changes() -> list[str]:
    """Return every change since the golden files that breaks who relies on a contract."""
    found = []
    for path in sorted((Path(__file__).parent / "schemas").glob("*.json")):
        if path.stem not in CONTRACTS:
            found.append(f"{path.stem}: the contract is gone")
            continue
        old = json.loads(path.read_text(encoding="utf-8"))
        contract = CONTRACTS[path.stem]
        found += [
            f"{contract.name} ({contract.direction}), {change}"
            for change in changes(old, json_schema(contract), contract.direction)
            if change.breaking
        ]
    return found
