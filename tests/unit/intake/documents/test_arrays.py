"""Arrays of native reports are read report by report; other arrays are none."""

import json
from pathlib import Path

import pytest

from schemas.rejected import Rejected
from streams.intake.documents.arrays import is_array, read_array
from streams.intake.documents.content import content_of
from streams.intake.files import read_source
from streams.intake.native import decode_message


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("[{", True),
        ("\ufeff [\n  {", True),
        ("[]", True),
        ("[", True),
        ("[1]", False),
        ("[[{", False),
        ("{}", False),
    ],
)
def test_an_array_of_objects_is_known_by_how_it_begins(
    text: str, known: bool, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text(text)
    with content_of(tmp_path / "a.txt") as content:
        assert is_array(content) is known


def test_reports_are_read_one_by_one(tmp_path: Path) -> None:
    report = {"case_id": "A", "first_received": "2024-01-31", "latest_received": "2024-01-31"}
    path = tmp_path / "reports.json"
    path.write_text(json.dumps([report, 7, report | {"case_id": "B"}], indent=1))
    first, second, third = (item for _, item in read_source(path))
    assert isinstance(second, Rejected)
    assert list(read_array(path)) == [(1, first), (2, second), (3, third)]
    assert [decode_message(one).case_id for one in (first, third) if isinstance(one, bytes)] == [
        "A",
        "B",
    ]
