"""Refusals of a schema have a code by the type of the error, whatever its text."""

import json
from datetime import date

import pytest
from pydantic import ValidationError

from schemas.errors import IcsrError, RejectCode
from schemas.link import CaseLink
from schemas.notice import Notice
from schemas.report import Report
from streams.intake.delimited import Refusal, refusal
from streams.intake.notices import decode_notice
from streams.intake.refusals import code_of, require_single_fields
from tests.support.work import raw

LATE = raw(1, first_received=date(2024, 4, 1))  # last received in March
NOTICE = (
    b'{"notice_id": "1", "subject_id": "R-1", "kind": "media", "received": "2024-02-29", '
    b'"source": "press"}'
)
PROBLEMS = [
    (Report, b"{", RejectCode.NOT_JSON),
    (Report, b"3", RejectCode.NOT_JSON),
    (CaseLink, b"3", RejectCode.NOT_JSON),
    (Notice, b"\xff", RejectCode.NOT_JSON),
    (Report, b"{}", RejectCode.SCHEMA),
    (Report, json.dumps(json.loads(raw(1)) | {"patient": 3}).encode(), RejectCode.SCHEMA),
    (Report, LATE, RejectCode.DATES_OUT_OF_ORDER),
]


@pytest.mark.parametrize("sentence", [None, "Invalid JSON", "Input should be an object", ""])
@pytest.mark.parametrize(("model", "message", "code"), PROBLEMS)
def test_a_code_is_that_of_the_kind_of_error(
    model: type[Report | CaseLink | Notice], message: bytes, code: RejectCode, sentence: str | None
) -> None:
    with pytest.raises(ValidationError) as refused:
        model.model_validate_json(message)
    problem = refused.value.errors()[0]
    if sentence is not None:
        problem["msg"] = sentence
    assert code_of(problem) is code


def test_a_row_is_refused_with_a_sentence_and_its_code() -> None:
    with pytest.raises(ValidationError) as refused:
        Report.model_validate_json(LATE)
    text = "report: Value error, latest_received must not be before first_received"
    assert refusal(refused.value) == Refusal(text, RejectCode.DATES_OUT_OF_ORDER)
    with pytest.raises(ValidationError) as refused:
        Report.model_validate(json.loads(raw(1)) | {"version": 0})
    assert refusal(refused.value).code is RejectCode.SCHEMA


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"{", RejectCode.NOT_JSON),
        (b"3", RejectCode.NOT_JSON),
        (b"{}", RejectCode.SCHEMA),
        (b'{"colour": "red"}', RejectCode.SCHEMA),
        (b"{}".ljust(1_000_001), RejectCode.TOO_LONG),
        (NOTICE[:-1] + b', "notice\\u005fid": "1"}', RejectCode.DUPLICATE_FIELD),
    ],
)
def test_a_notice_that_cannot_be_read_has_a_code(message: bytes, code: RejectCode) -> None:
    with pytest.raises(IcsrError) as refused:
        decode_notice(message)
    assert refused.value.code is code


@pytest.mark.parametrize(
    "raw",
    [
        b'{"term": 1, "term": 1}',
        b'{"a": [{}, {"b": {"term": 1, "a": 2, "\\u0074erm": 2}}]}',
        b'{"a": {"term": {}, "term": null}, "b": 1}',
    ],
)
def test_a_field_that_stands_twice_is_named(raw: bytes) -> None:
    with pytest.raises(IcsrError, match=r"^link: holds the field 'term' twice$") as refused:
        require_single_fields(raw, "link")
    assert refused.value.code is RejectCode.DUPLICATE_FIELD


def test_a_name_may_stand_in_several_objects_and_in_texts() -> None:
    require_single_fields(b'{"a": [{"a": "\\"a\\":"}, {"a": "\\"a\\":"}], "b": "a"}', "link")
