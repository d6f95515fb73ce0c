"""The contract of decisions that link cases."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.link import CaseLink
from tests.support.versions import make_link


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"master_case_id": "A"}, "master_case_id must be another case"),
        ({"score": 0.5}, "score must be stated if, and only if, the basis is probable"),
        ({"basis": "probable"}, "score must be stated if, and only if, the basis is probable"),
        ({"basis": "probable", "score": 1.1}, "less than or equal to 1"),
        ({"decision": 0}, "greater than or equal to 1"),
        ({"case_id": ""}, "at least 1 character"),
        ({"reason": ""}, "at least 1 character"),
        ({"decided_on": "1899-12-31"}, "greater than or equal to 1900-01-01"),
        ({"state": "merged"}, "'applied', 'reversed' or 'suspected'"),
        ({"narrative": "x"}, "Extra inputs are not permitted"),
    ],
)
def test_a_link_that_breaks_the_contract_is_refused(changes: dict[str, Any], rule: str) -> None:
    sent = json.loads(make_link().model_dump_json())
    with pytest.raises(ValidationError, match=rule):
        CaseLink.model_validate_json(json.dumps({**sent, **changes}))
