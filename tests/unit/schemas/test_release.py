"""The contract of releases, and of the marker that closes one."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.errors import IcsrError
from schemas.release import RELEASE_MARK, Release, ReleaseMarker
from streams.intake.native import decode_message
from tests.support.reports import make_report
from tests.support.versions import make_marker, make_release


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"scope": ""}, "at least 1 character"),
        ({"scope": "x" * 101}, "at most 100 characters"),
        ({"released_on": "1970-01-01"}, "greater than or equal to 1970-01-02"),
        ({"n_cases": -1}, "greater than or equal to 0"),
        ({"case_id": "A"}, "Extra inputs are not permitted"),
        ({"schema_version": "2.0"}, "Input should be '1.0'"),
        ({"message_type": "release"}, "Input should be 'release_marker'"),
    ],
)
def test_a_marker_that_breaks_the_contract_is_refused(changes: dict[str, Any], rule: str) -> None:
    sent = json.loads(make_marker(3).model_dump_json())
    with pytest.raises(ValidationError, match=rule):
        ReleaseMarker.model_validate_json(json.dumps({**sent, **changes}))


def test_a_marker_is_read_as_one_and_a_report_never_is() -> None:
    marker, report = make_marker(3), make_report(release=make_release(3))
    assert RELEASE_MARK in marker.model_dump_json().encode()
    assert decode_message(marker.model_dump_json(exclude_none=True).encode()) == marker
    found = decode_message(report.model_dump_json().encode())
    assert found.case_id == "A"
    assert found.release.scope == "vaers/2024"
    bare = {"scope": "a", "released_on": "2024-03-01"}  # without the mark
    with pytest.raises(IcsrError, match="case_id: Field required"):
        decode_message(json.dumps(bare).encode())


def test_a_damaged_marker_is_refused_as_a_marker() -> None:
    with pytest.raises(IcsrError, match="released_on: Field required"):
        decode_message(b'{"message_type": "release_marker", "scope": "a"}')


def test_a_release_needs_both_fields() -> None:
    with pytest.raises(ValidationError, match="released_on"):
        Release.model_validate({"scope": "a"})
