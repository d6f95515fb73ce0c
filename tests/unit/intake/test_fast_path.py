"""What the fast path takes from a model: types and limits that msgspec can state exactly."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Annotated, Any, get_args

import msgspec
import pytest
from pydantic import AwareDatetime, BaseModel, Field

from schemas.base import Message
from schemas.report import Report
from streams.intake.fast_path import _struct, may_hold_duplicates


class Odd(Message):
    name: str
    pattern: str = Field(default="x", pattern="^[a-z]$")
    loose: Annotated[int, Field(strict=False)] = 1
    at: AwareDatetime | None = None


class OddAndRequired(Message):
    at: AwareDatetime


def test_a_field_without_a_counterpart_is_left_to_the_model() -> None:
    decode = msgspec.json.Decoder(_struct(Odd)).decode
    read = decode(b'{"name": "a"}')
    assert (read.name, read.pattern, read.loose, read.at) == ("a", "x", 1, None)
    for stated in (b'"pattern": "x"', b'"loose": 1', b'"at": null', b'"unknown": 1'):
        with pytest.raises(msgspec.ValidationError, match="unknown field"):
            decode(b'{"name": "a", ' + stated + b"}")


def test_a_required_field_must_have_a_counterpart() -> None:
    with pytest.raises(TypeError, match=re.escape("AwareDatetime")):
        _struct(OddAndRequired)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _models(field.annotation)
    for argument in get_args(annotation):
        yield from _models(argument)


def test_a_report_has_no_validators_but_those_that_the_fast_path_repeats() -> None:
    found = {
        f"{model.__name__}.{name}"
        for model in _models(Report)
        for kind in fields(model.__pydantic_decorators__)
        for name in getattr(model.__pydantic_decorators__, kind.name)
    }
    assert found == {"Report._dates_in_order", "Report._within_limits"}


def test_the_cheap_check_spares_reports_as_they_are_written_the_exact_one() -> None:
    report: dict[str, Any] = {
        "case_id": "A: 1",
        "first_received": "2024-02-29",
        "latest_received": "2024-02-29",
        "version": 1,
        "sender": None,
        "patient": {"age_years": None},
        "products": [{"substances": ['"zinc":'], "preparation": {"made_at": "2024-02-29T00:00Z"}}],
        "reactions": [{"term": "Rash"}, {"term": "Ra\u00dfh"}],
    }
    assert not may_hold_duplicates(json.dumps(report).encode())
    assert not may_hold_duplicates(json.dumps(report, indent=1, ensure_ascii=False).encode())
    assert may_hold_duplicates(json.dumps(report).encode()[:-1] + b', "version": 1}')
