"""The code of a reject is stated wherever one is made, and stays in the process."""

import ast
from pathlib import Path

import pytest

import schemas
import streams
from schemas.contracts import CONTRACTS, json_schema
from schemas.errors import IcsrError, RejectCode
from schemas.rejected import Rejected

FILES = [
    path
    for package in (schemas, streams)
    for path in sorted(Path(package.__path__[0]).rglob("*.py"))
]


def test_codes_are_the_label_values_of_the_metric() -> None:
    assert [code.value for code in RejectCode] == [
        "key",
        "partition",
        "future_date",
        "dates_out_of_order",
        "too_long",
        "empty",
        "compression",
        "not_json",
        "duplicate_field",
        "schema",
    ]


@pytest.mark.parametrize("code", RejectCode)
def test_a_code_is_neither_written_nor_part_of_the_contract(code: RejectCode) -> None:
    fields = {"source": "a.jsonl", "position": 3, "reason": "no", "raw": b"{"}
    bare, coded = Rejected(**fields), Rejected(**fields, code=code)  # type: ignore[arg-type]
    assert coded.code is code
    assert coded.model_dump_json() == bare.model_dump_json()
    assert coded.model_dump() == bare.model_dump()
    assert Rejected.model_validate_json(coded.model_dump_json()).code is None
    assert "code" not in json_schema(CONTRACTS["rejected"])["properties"]


def test_an_error_carries_its_code_beside_its_sentence() -> None:
    error = IcsrError("value: must be a report; got nothing", RejectCode.EMPTY)
    assert str(error) == "value: must be a report; got nothing"
    assert error.code is RejectCode.EMPTY


def test_every_place_that_makes_a_reject_states_a_code() -> None:
    calls = [
        (path, call)
        for path in FILES
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == Rejected.__name__
    ]
    assert len(calls) >= 6
    silent = [
        f"{path}:{call.lineno}"
        for path, call in calls
        if "code" not in [keyword.arg for keyword in call.keywords]
    ]
    assert silent == []
