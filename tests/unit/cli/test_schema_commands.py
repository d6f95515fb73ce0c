"""`tocsin schema`: every contract as a JSON Schema that validators accept."""

import json

import pytest
from jsonschema import Draft202012Validator

from schemas.contracts import CONTRACTS, Direction
from streams.cli.schema_commands import SchemaName
from tests.support.cli import Run


@pytest.mark.parametrize("name", [*CONTRACTS, "REPORT"])
def test_a_schema_is_a_json_schema(name: str, run: Run) -> None:
    ended = run(f"schema {name}")
    schema = json.loads(ended.out)
    Draft202012Validator.check_schema(schema)
    contract = CONTRACTS[name.lower()]
    assert (ended.code, schema["type"], schema["$id"]) == (0, "object", contract.uri)
    # Producers get an error for a mistyped name; consumers must accept fields added later.
    assert ('"additionalProperties": false' in ended.out) is (contract.direction is Direction.INPUT)
    references = {part.split('"')[0] for part in ended.out.split('"$ref": "#/$defs/')[1:]}
    assert references <= set(schema.get("$defs", ()))


def test_everything_with_a_schema_has_a_name() -> None:
    assert {name.value for name in SchemaName} == {*CONTRACTS, "asyncapi", "openapi"}
