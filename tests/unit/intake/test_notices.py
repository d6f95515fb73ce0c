"""Notices as JSON Lines: accepted notices, and the refusals of other lines."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import IcsrError
from schemas.notice import Notice, NoticeKind
from schemas.rejected import Rejected
from streams.intake.native import MOST_BYTES
from streams.intake.notices import decode_notice, read_notices

SECRET = "Mrs-Jane-Roe"
"""Value in invalid notices; no reason may repeat it."""


def raw(**changes: Any) -> bytes:
    notice = {
        "notice_id": "1",
        "subject_id": "R-1",
        "kind": "media",
        "received": "2024-02-29",
        "source": "press",
    }
    return json.dumps({**notice, **changes}).encode()


def test_a_line_is_a_notice() -> None:
    notice = decode_notice(raw(terms=["Death"]))
    assert (notice.notice_id, notice.kind, notice.terms) == ("1", NoticeKind.MEDIA, ("Death",))
    assert notice.received == date(2024, 2, 29)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "^notice: Invalid JSON"),
        (b"[]", "^notice: Input should be an object"),
        (raw(received=SECRET), "^received: Input should be a valid date"),
        (raw(kind=SECRET), "^kind: Input should be "),
        (raw(narrative=SECRET), "^notice: holds a field that the schema does not know, 'narr"),
        (
            raw(exposure={"x": SECRET}),
            "^exposure: holds a field that the schema does not know, 'x'",
        ),
        (raw()[:-1] + b', "notice_id": "2"}', "^notice: holds the field 'notice_id' twice$"),
        (raw() + b" " * MOST_BYTES, rf"^notice: at most {MOST_BYTES} bytes are read; got"),
    ],
)
def test_a_broken_notice_is_refused_and_its_values_are_not_repeated(
    line: bytes, reason: str
) -> None:
    with pytest.raises(IcsrError, match=reason) as refusal:
        decode_notice(line)
    assert SECRET not in str(refusal.value)


def test_a_file_gives_its_notices_and_a_reject_for_every_other_line(tmp_path: Path) -> None:
    path = tmp_path / "notices.jsonl"
    long = b"x" * (1 << 20)
    path.write_bytes(b"\n".join([raw(), b"{", b"", raw(notice_id="2"), long]) + b"\n")
    first, broken, second, overlong = read_notices(path)
    assert isinstance(first, Notice)
    assert isinstance(second, Notice)
    assert (first.notice_id, second.notice_id) == ("1", "2")
    assert isinstance(broken, Rejected)
    assert (broken.source, broken.position, broken.raw) == ("notices.jsonl", 2, b"{")
    assert isinstance(overlong, Rejected)
    assert overlong.position == 5
    assert overlong.reason == "a line must have at most 1048576 bytes; got 1048577"
