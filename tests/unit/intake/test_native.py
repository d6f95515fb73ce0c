"""Native JSON Lines: accepted reports, and refusals whose reasons quote nothing."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import IcsrError, InputError
from schemas.rejected import Rejected
from streams.intake.native import (
    MOST_BYTES,
    OWN_LINE_BYTES,
    decode_report,
    read_lines,
    read_messages,
)

SECRET = "Mrs Jane Roe"


def _raw(**changes: Any) -> bytes:
    report = {"case_id": "A", "first_received": "2024-02-28", "latest_received": "2024-02-29"}
    return json.dumps({**report, **changes}).encode()


def test_a_report_is_read() -> None:
    assert decode_report(_raw(case_id="日本")).case_id == "日本"
    coded = {"term": "Rash", "dictionary": "MedDRA", "dictionary_version": "27.0"}
    (reaction,) = decode_report(_raw(reactions=[coded])).reactions
    assert (reaction.dictionary, reaction.dictionary_version) == ("MedDRA", "27.0")
    assert decode_report(b" \t" + _raw() + b"\r\n").case_id == "A"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", r"report: Invalid JSON: EOF while parsing"),
        (SECRET.encode(), r"report: Invalid JSON: expected value at line 1 column 1"),
        (_raw()[:-1], r"report: Invalid JSON: EOF while parsing an object"),
        (b"[" * 1000, r"report: Invalid JSON: recursion limit exceeded"),
        (json.dumps(SECRET).encode(), r"report: Input should be an object$"),
        (b"{}", r"case_id: Field required \(and 2 more\)$"),
        (_raw(colour=SECRET), r"report: holds a field that the schema does not know, 'colour'$"),
        (
            _raw(patient={"colour": SECRET}),
            r"patient: holds a field that the schema does not know, 'colour'$",
        ),
        (_raw(latest_received="1999-01-01"), r"report: latest_received must not be before f"),
        (_raw(case_id=""), r"case_id: String should have at least 1 character$"),
        (_raw(patient={"sex": SECRET}), r"patient\.sex: Input should be 'female', 'male' or 'un"),
        (_raw(first_received=SECRET), r"first_received: Input should be a valid date"),
        (_raw(products=[{}, {"substances": [1]}]), r"products\.1\.substances\.0: Input should be"),
        (_raw(occurrence_country=SECRET), r"occurrence_country: String should match pattern"),
        (_raw().replace(b"A", b"\xff"), r"report: Invalid JSON: "),
    ],
)
def test_a_reason_names_field_and_rule_and_quotes_no_value(raw: bytes, reason: str) -> None:
    with pytest.raises(IcsrError, match="^" + reason) as raised:
        decode_report(raw)
    assert SECRET not in str(raised.value)
    assert "\n" not in str(raised.value)


FACILITY = {"facility_id": "7", "contry": "JP"}


@pytest.mark.parametrize(
    ("fields", "place", "meant"),
    [
        ({"reporter": {"qualifcation": "physician"}}, "reporter", "qualification"),
        ({"products": [{}, {"substance": ["zinc"]}]}, "products.1", "substances"),
        ({"products": [{"facility": FACILITY}]}, "products.0.facility", "country"),
        ({"caseid": "A"}, "report", "case_id"),
    ],
)
def test_a_misspelt_field_is_named_with_the_field_that_is_meant(
    fields: dict[str, Any], place: str, meant: str
) -> None:
    with pytest.raises(IcsrError) as raised:
        decode_report(_raw(**fields))
    rule = str(raised.value).removeprefix(f"{place}: holds a field that the schema does not know, ")
    assert rule.endswith(f"; perhaps {meant!r} is meant")


@pytest.mark.parametrize(
    "name",
    ["\x1b[31mred", "x\ny", "\u202eabc", "\x9b2J", "x" * 4_000, "é" * 39 + "\x1b\x1b", "\x07" * 40],
)
def test_the_name_of_an_unknown_field_is_short_and_printable(name: str) -> None:
    with pytest.raises(IcsrError) as raised:
        decode_report(_raw(**{name: 1}))
    text = str(raised.value)
    assert text.isprintable()
    quoted = text.removeprefix("report: holds a field that the schema does not know, ")
    assert 5 <= len(quoted) <= len("''...") + 40


def test_a_message_beyond_the_limit_is_not_parsed() -> None:
    largest = _raw() + b" " * (MOST_BYTES - len(_raw()))
    assert decode_report(largest).case_id == "A"
    with pytest.raises(
        IcsrError, match=rf"^report: at most {MOST_BYTES} bytes are read; got {MOST_BYTES + 1}$"
    ):
        decode_report(largest + b" ")


@pytest.mark.parametrize("name", ["reports.jsonl", "reports.jsonl.gz"])
def test_lines_keep_their_numbers_and_lose_their_ends(name: str, tmp_path: Path) -> None:
    content = b"one\n\n  \r\n two \r\n\xff\xfe\nlast"
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert list(read_lines(path)) == [(1, b"one"), (4, b"two"), (5, b"\xff\xfe"), (6, b"last")]


def test_an_overlong_line_is_a_reject_among_messages(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    path.write_bytes(b"one\n" + b"x" * (1 << 20) + b"\n\nlast\n")
    first, (number, overlong), last = read_messages(path)
    assert (first, number, last) == ((1, b"one"), 2, (4, b"last"))
    assert isinstance(overlong, Rejected)
    assert (overlong.source, overlong.position, overlong.raw) == (path.name, 2, b"x" * 4096)
    assert overlong.reason == "a line must have at most 1048576 bytes; got 1048577"


def test_an_overlong_line_of_a_file_of_ours_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    path.write_bytes(b"x" * OWN_LINE_BYTES + b"\n" + b"one\n")
    message = rf"line 1: a line must have at most {OWN_LINE_BYTES} bytes; got {OWN_LINE_BYTES + 1}"
    with pytest.raises(InputError, match=message):
        next(read_lines(path))
    path.write_bytes(b"x" * (1 << 20) + b"\n")
    assert [len(line) for _, line in read_lines(path)] == [1 << 20]


def test_a_byte_order_mark_is_removed_from_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    path.write_bytes(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\n")
    assert list(read_lines(path)) == [(1, b"one"), (2, b"\xef\xbb\xbftwo")]


@pytest.mark.parametrize("damage", [lambda packed: packed[:-9], lambda packed: b"x" + packed])
def test_a_damaged_file_is_refused(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl.gz"
    path.write_bytes(damage(gzip.compress(b"one\ntwo\n" * 100)))
    with pytest.raises(InputError, match=r"reports\.jsonl\.gz: must be readable to its end; got "):
        list(read_lines(path))


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_bytes(b"")
    assert list(read_lines(path)) == []
