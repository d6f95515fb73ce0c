"""Each reject of `pv.reports` has a code, which its error states and no sentence decides."""

import json
from datetime import date

import pytest

from schemas.errors import RejectCode
from schemas.rejected import Rejected
from streams.runtime.embedded import case_stage
from streams.runtime.wire.batches import Unreadable
from tests.support.versions import make_link
from tests.support.work import Work, raw

PLAIN = json.loads(raw(1))
PACKED = Unreadable(b"packed")
PACKED.reason = "batch of offsets 3 to 5: compressed data must be snappy; got noise"
LINK = {"case_link": "1.0", "case_id": "C1", "master": "C2"}
LOTS = [{"lot": f"EX{number}"} for number in range(101)]
APPLIED = make_link().model_dump_json().encode()
MESSAGES: list[tuple[RejectCode, bytes, bytes | None]] = [
    (RejectCode.NOT_JSON, b"{", None),
    (RejectCode.NOT_JSON, b"\xff", None),
    (RejectCode.NOT_JSON, b"3", None),
    (RejectCode.NOT_JSON, b'"x"', None),
    (RejectCode.NOT_JSON, b"[]", None),
    (RejectCode.NOT_JSON, b"null", None),
    (RejectCode.NOT_JSON, b'{"case_link"', None),
    (RejectCode.NOT_JSON, b'["case_link"]', None),
    (RejectCode.EMPTY, b"", None),
    (RejectCode.COMPRESSION, PACKED, None),
    (RejectCode.TOO_LONG, b" " * 1_000_001, None),
    (RejectCode.TOO_LONG, json.dumps(LINK).encode().ljust(1_000_001), None),
    (RejectCode.TOO_LONG, json.dumps(PLAIN | {"products": LOTS}).encode(), None),
    (RejectCode.SCHEMA, b'{"case_link": 1}', None),
    (RejectCode.SCHEMA, json.dumps(LINK).encode(), None),
    (RejectCode.SCHEMA, b"{}", None),
    (RejectCode.SCHEMA, json.dumps(PLAIN | {"colour": "red"}).encode(), None),
    (RejectCode.SCHEMA, json.dumps(PLAIN | {"key": "red", "value": ""}).encode(), None),
    (RejectCode.SCHEMA, json.dumps(PLAIN | {"version": "x"}).encode(), None),
    (RejectCode.SCHEMA, json.dumps(PLAIN | {"reactions": [3]}).encode(), None),
    (RejectCode.SCHEMA, json.dumps(PLAIN | {"latest_received": "2024-13-01"}).encode(), None),
    (RejectCode.DUPLICATE_FIELD, raw(1)[:-1] + b', "case_id": "1"}', None),
    (RejectCode.DUPLICATE_FIELD, raw(1)[:-1] + b', "case_id": "1", "sender": "case_link"}', None),
    (RejectCode.DUPLICATE_FIELD, APPLIED[:-1] + b', "state": "applied"}', None),
    (RejectCode.DATES_OUT_OF_ORDER, raw(1, latest_received=date(2024, 1, 1)), None),
    (RejectCode.DATES_OUT_OF_ORDER, raw(1, latest_received=date(2024, 1, 1)), b"another"),
    (RejectCode.FUTURE_DATE, raw(1, latest_received=date(2024, 6, 2)), None),
    (RejectCode.FUTURE_DATE, raw(1, latest_received=date(2024, 6, 2)), b"another"),
    (RejectCode.KEY, raw(1), b"another"),
    (RejectCode.KEY, raw(1), b""),
]


def rejected() -> list[Rejected]:
    keys = [key for *_, key in MESSAGES]
    return Work().count([message for _, message, _ in MESSAGES], keys=keys)[2]


def test_each_message_is_rejected_with_its_code() -> None:
    expected = [code for code, *_ in MESSAGES]
    assert [one.code for one in rejected()] == expected
    assert set(expected) == set(RejectCode) - {RejectCode.PARTITION}  # one has no partitions


def test_an_improved_sentence_changes_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    before = rejected()
    for name in ("_IN_THE_FUTURE", "_NOTHING", "_FOREIGN_KEY"):
        monkeypatch.setattr(case_stage, name, f"a better sentence than {name}")
    monkeypatch.setattr(PACKED, "reason", "a better sentence")
    after = rejected()
    changed = sum(one.reason != other.reason for one, other in zip(before, after, strict=True))
    assert changed == 6
    assert [one.code for one in after] == [one.code for one in before]
