"""Reports are checked by one set of rules through two doors: the model, and its plain fields."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from schemas.errors import IcsrError
from schemas.fields import fields_validator
from schemas.report import Report
from streams.intake.native import decode_report
from streams.topology.cases import case_version, version_of

TEXT = st.sampled_from(["", " ", "zinc", "ＥＸ", "x" * 201, "Rash\x1f"])
ODD = st.sampled_from([None, 1, -1, 1.5, True, "1", [], {}, "suspect", "US", "2024-02-30"])


def _maybe(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(good, good, good, ODD)


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={name: _maybe(one) for name, one in fields.items()})


DAYS = st.sampled_from(["2024-02-28", "2024-02-29", "1899-12-31", "2024-03-01"])
PRODUCTS = _some(
    substances=st.lists(TEXT, max_size=3),
    product_class=TEXT,
    verbatim=TEXT,
    role=st.sampled_from(["suspect", "interacting", "concomitant", "nonsense"]),
    volume_ml=st.sampled_from([0, 1.5, -1]),
    facility=_some(facility_id=TEXT, country=st.sampled_from(["JP", "jp"])),
    unknown=st.none(),
)
REACTIONS = _some(term=TEXT, outcome=st.sampled_from(["fatal", "recovered", "dead"]), onset=DAYS)
REPORTS = st.builds(
    lambda required, rest: {**rest, **required},
    st.fixed_dictionaries(
        {"case_id": st.just("A"), "first_received": DAYS, "latest_received": DAYS}
    ),
    _some(
        case_id=TEXT,
        version=st.integers(-1, 3),
        message_id=TEXT,
        revision=_some(kind=st.sampled_from(["nullification", "amendment"]), reason=TEXT),
        reporter=_some(country=st.sampled_from(["US", "us"])),
        occurrence_country=st.sampled_from(["JP", "Japan"]),
        patient=_some(
            age_years=st.sampled_from([0, 40.5, 151]),
            age_group=st.sampled_from(["adult", "old"]),
            sex=st.sampled_from(["female", "f"]),
        ),
        products=st.lists(PRODUCTS, max_size=3),
        reactions=st.lists(REACTIONS, max_size=3),
        seriousness=st.lists(st.sampled_from(["death", "hospitalisation", "bad"]), max_size=2),
        verification=st.sampled_from(["rumour", "valid_icsr", "hcp_confirmed", "true"]),
        links=st.lists(_some(kind=st.just("duplicate_of"), case_id=TEXT), max_size=1),
        schema_version=st.sampled_from(["1.0", "2.0"]),
        unknown=st.none(),
    ),
)


@settings(max_examples=1500)
@given(REPORTS)
def test_both_doors_come_to_the_same_verdict_and_the_same_version(report: dict[str, Any]) -> None:
    raw = json.dumps(report).encode()
    try:
        model = Report.model_validate_json(raw)
    except ValidationError:
        with pytest.raises(IcsrError):
            decode_report(raw)
    else:
        fields = decode_report(raw)
        assert version_of(fields) == case_version(model)
        assert Report.model_validate(fields) == model


def test_a_kind_of_rule_without_a_counterpart_is_refused() -> None:
    class Odd(BaseModel):
        numbers: dict[str, int]

    with pytest.raises(TypeError, match=r"must be written for schemas of type 'dict'"):
        fields_validator(Odd)
