"""Rows are kept by the report they belong to; a row of none is rejected with its bytes."""

import pytest

from schemas.errors import InputError
from schemas.rejected import Rejected
from streams.intake.authorities.linked_rows import LinkedRows, key_of
from streams.intake.delimited import DelimitedTable, csv_lines


def _table(*lines: str) -> DelimitedTable:
    return csv_lines(iter(f"{line}\n".encode() for line in lines), "a.csv")


def _read(rows: LinkedRows, *lines: str) -> list[Rejected]:
    return list(rows.read(_table("id,drug,dose", *lines), {key_of("1")}, {key_of("2")}))


def test_rows_are_found_by_their_report() -> None:
    rows = LinkedRows("drug", ["id"], ["drug", "dose"])
    assert _read(rows, "1,A,10", "001,B,", "2,C,1") == []
    assert rows.of(key_of("1")) == [["A", "10"], ["B", ""]]
    assert rows.of(key_of("2")) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("3,C,1", "a drug row must have a readable report; got none for '3'"),
        ("1,C", "a row must have 3 fields; got 2"),
        ("1,C\x1f,1", "a row must have no control character U+001F; got one"),
    ],
)
def test_a_row_of_no_report_is_rejected(line: str, reason: str) -> None:
    rows = LinkedRows("drug", ["id"], ["drug", "dose"])
    (rejected,) = _read(rows, line)
    assert (rejected.reason, rejected.raw, rejected.position) == (reason, line.encode(), 2)
    assert rows.of(key_of("1")) == []


def test_a_table_without_its_key_is_refused() -> None:
    rows = LinkedRows("drug", ["id"], ["drug", "dose"])
    with pytest.raises(InputError, match=r"a\.csv: the first line must name the columns id"):
        list(rows.read(_table("drug,dose"), {}))
