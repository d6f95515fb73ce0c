"""Notices: what they must and must not say, by their kind."""

from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.notice import Notice, NoticeKind, Patients, Verdict


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"kind": NoticeKind.VERIFICATION}, "verification must be set"),
        ({"kind": NoticeKind.USAGE}, "usage must be set"),
        ({"kind": NoticeKind.REGULATORY_ACTION}, "must name its authority"),
        ({"patients": {"at_least": 4, "at_most": 3}}, "at_most must not be below"),
        (
            {"kind": NoticeKind.VERIFICATION, "verification": {"by": "x"}},
            "either an assertion or a verdict",
        ),
        (
            {
                "kind": NoticeKind.VERIFICATION,
                "verification": {"by": "x", "verdict": Verdict.REFUTED},
            },
            "a verdict must name its evidence",
        ),
        ({"patient_name": "x"}, "patient_name"),
    ],
)
def test_a_notice_that_contradicts_itself_is_refused(fields: dict[str, Any], reason: str) -> None:
    whole = {"kind": NoticeKind.MEDIA, **fields}
    with pytest.raises(ValidationError, match=reason):
        Notice(notice_id="n", subject_id="n", received=date(2024, 2, 29), source="press", **whole)


@pytest.mark.parametrize(("at_most", "exact"), [(4, True), (5, False), (None, False)])
def test_a_number_of_patients_is_known_if_its_bounds_are_one(
    at_most: int | None, exact: bool
) -> None:
    assert Patients(at_least=4, at_most=at_most).exact is exact
