"""The schema of a report: strict, closed, frozen."""

import json
import math
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.alert import Alert
from schemas.rejected import Rejected
from schemas.report import Report, Revision
from schemas.vocabulary import RevisionKind

REQUIRED: dict[str, Any] = {
    "case_id": "A",
    "first_received": "2024-02-28",
    "latest_received": "2024-02-29",
}


def _read(**changes: Any) -> Report:
    return Report.model_validate_json(json.dumps({**REQUIRED, **changes}))


def test_three_fields_make_a_report() -> None:
    report = _read()
    assert (report.version, report.message_id, report.source) == (1, "", "native")
    assert report.reporter.qualification.value == "consumer"
    assert report.verification.value == "valid_icsr"
    assert Report.model_validate_json(report.model_dump_json()) == report


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": "1"}, "valid integer"),
        ({"version": True}, "valid integer"),
        ({"version": 2.0}, "valid integer"),
        ({"version": 2**31}, "less than or equal to 2147483647"),
        ({"case_id": 7}, "valid string"),
        ({"case_id": None}, "valid string"),
        ({"case_id": ""}, "at least 1 character"),
        ({"case_id": "x" * 201}, "at most 200 characters"),
        ({"first_received": 20240228}, "valid date"),
        ({"first_received": "2023-02-29"}, "valid date"),
        ({"first_received": "2024-02-28T00:00:00"}, "valid date"),
        ({"first_received": "2024-02"}, "valid date"),
        ({"schema_version": "2.0"}, "'1.0'"),
        ({"occurrence_country": "de"}, "pattern"),
        ({"occurrence_country": "DEU"}, "pattern"),
        ({"patient": {"age_years": -0.1}}, "greater than or equal to 0"),
        ({"patient": {"age_years": 151}}, "less than or equal to 150"),
        ({"patient": {"age_years": "70"}}, "valid number"),
        ({"patient": {"sex": "F"}}, "'female', 'male' or 'unknown'"),
        ({"patient": {"name": "x"}}, "Extra inputs are not permitted"),
        ({"narrative": "x"}, "Extra inputs are not permitted"),
        ({"products": [{"role": "primary"}]}, "'suspect'"),
        ({"products": {"0": {}}}, "valid array"),
        ({"products": [{}] * 1001}, "at most 1000 items"),
        ({"products": [{"preparation": {"made_at": "2024-01-01T00:00:00"}}]}, "timezone"),
        ({"reactions": [{}]}, "Field required"),
        ({"reactions": [{"term": ""}]}, "at least 1 character"),
        ({"seriousness": ["death"] * 7}, "at most 6 items"),
        ({"revision": {"kind": "nullification"}}, "Field required"),
        ({"revision": {"kind": "amendment", "reason": ""}}, "at least 1 character"),
        ({"links": [{"kind": "duplicate_of"}]}, "Field required"),
        ({"first_received": "0204-02-28"}, "greater than or equal to 1900-01-01"),
        ({"products": [{"volume_ml": math.inf}]}, "finite number"),
    ],
)
def test_nothing_is_coerced_or_let_pass(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _read(**changes)


def test_the_latest_receipt_is_not_before_the_first() -> None:
    assert _read(latest_received="2024-02-28").latest_received == date(2024, 2, 28)
    with pytest.raises(ValidationError, match=r"latest_received must not be before first_received"):
        _read(latest_received="2024-02-27")


def test_a_report_cannot_be_changed() -> None:
    report = _read(products=[{"verbatim": "x"}])
    with pytest.raises(ValidationError, match="frozen"):
        report.version = 2
    with pytest.raises(ValidationError, match="frozen"):
        report.products[0].verbatim = "y"
    assert isinstance(report.products, tuple)
    assert hash(report) == hash(_read(products=[{"verbatim": "x"}]))


def test_only_a_nullification_nullifies() -> None:
    assert not _read().is_nullified
    for kind in RevisionKind:
        revision = Revision(kind=kind, reason="x")
        assert _read(revision=revision.model_dump(mode="json")).is_nullified is (
            kind is RevisionKind.NULLIFICATION
        )


def test_rejects_keep_any_bytes() -> None:
    reject = Rejected(source="x", position=0, reason="y", raw=bytes(range(256)))
    assert Rejected.model_validate_json(reject.model_dump_json()) == reject


@pytest.mark.parametrize("model", [Report, Alert])
def test_every_field_is_described(model: type[Report] | type[Alert]) -> None:
    schema = model.model_json_schema()
    objects = [schema, *(each for each in schema["$defs"].values() if "properties" in each)]
    for each in objects:
        assert each["additionalProperties"] is False
        for name, field in each["properties"].items():
            kind = schema["$defs"].get(field.get("$ref", "").rpartition("/")[2], {})
            assert field.get("description", kind.get("description")), f"{each['title']}.{name}"
