"""Rows of delimited text: columns by name, and damaged rows rejected with their bytes."""

import pytest

from schemas.errors import InputError, RejectCode
from schemas.rejected import Rejected
from streams.intake.archive import open_archive
from streams.intake.bounded import RECORD_BYTES
from streams.intake.delimited import DelimitedTable, Refusal, Row, csv_table, dollar_table, raw_rows
from tests.support.archives import ArchiveOf


def read_csv(archive_of: ArchiveOf, text: str | bytes) -> list[Row | Rejected]:
    with open_archive(archive_of("a.zip", {"a.csv": text})) as archive:
        return list(csv_table(archive, archive.find(".*")[0]).rows)


def read_dollars(
    archive_of: ArchiveOf, text: str | bytes
) -> tuple[DelimitedTable, list[Row | Rejected]]:
    with open_archive(archive_of("a.zip", {"a.txt": text})) as archive:
        table = dollar_table(archive, archive.find(".*")[0], {"isr": "primaryid"})
        return table, list(table.rows)


def test_a_row_has_its_first_line_and_a_blank_field_at_the_end(
    archive_of: ArchiveOf,
) -> None:
    rows = read_csv(archive_of, '\ufeffA, B\r\n1,"two\nlines"\r\n3,"a ""quote"""\r\n')
    assert rows == [
        Row(2, b'1,"two\nlines"', ["1", "two\nlines", ""]),
        Row(4, b'3,"a ""quote"""', ["3", 'a "quote"', ""]),
    ]


def test_an_unmatched_quote_costs_only_its_own_line(archive_of: ArchiveOf) -> None:
    first, broken, last = read_csv(archive_of, 'a,b\n1,2\n3,"4\n5,6\n')
    assert first == Row(2, b"1,2", ["1", "2", ""])
    assert isinstance(broken, Rejected)
    assert (broken.position, broken.raw) == (3, b'3,"4')
    assert broken.reason.startswith("a row must be quoted CSV; got ")
    assert last == Row(4, b"5,6", ["5", "6", ""])


def test_a_bad_byte_changes_the_text_of_its_line_only(archive_of: ArchiveOf) -> None:
    lines = ["é,ö\n".encode(), "ü,ï\n".encode(), "ü,ï\n".encode("cp1252"), b"x\x81,y\n"]

    rows = read_csv(archive_of, b"".join(lines))

    assert [each.fields[:2] for each in rows if isinstance(each, Row)] == [
        ["ü", "ï"],
        ["ü", "ï"],
        ["x\ufffd", "y"],
    ]
    table, rows = read_dollars(archive_of, b"".join(lines).replace(b",", b"$"))
    assert table.header.names == ("é", "ö")
    assert [each.fields[:2] for each in rows if isinstance(each, Row)] == [
        ["ü", "ï"],
        ["ü", "ï"],
        ["x\ufffd", "y"],
    ]


def test_a_row_of_another_width_is_rejected_and_a_blank_one_ignored(
    archive_of: ArchiveOf,
) -> None:
    (wide,) = read_csv(archive_of, "a,b\n\n1,2,3\n")
    assert isinstance(wide, Rejected)
    assert (wide.position, wide.reason) == (3, "a row must have 2 fields; got 3")


def test_columns_are_found_by_name_and_a_missing_one_is_blank(archive_of: ArchiveOf) -> None:
    with open_archive(archive_of("a.zip", {"a.csv": "ID ,Term\n1,Rash\n"})) as archive:
        table = csv_table(archive, archive.find(".*")[0])
        (row,) = table.rows
    assert isinstance(row, Row)
    assert table.header.columns("term", "dose", "id")(row.fields) == ("Rash", "", "1")
    table.header.require("id", "term")
    with pytest.raises(InputError, match=r"must name the columns id, dose; got no dose$"):
        table.header.require("id", "dose")


def test_dollars_separate_fields_and_quotes_are_plain_characters(archive_of: ArchiveOf) -> None:
    table, rows = read_dollars(archive_of, 'ISR$drug$\n1$5" zinc$\n2$iron\n3$a$b\n')
    assert table.header.names == ("primaryid", "drug")
    assert rows[:2] == [
        Row(2, b'1$5" zinc$', ["1", '5" zinc', ""]),
        Row(3, b"2$iron", ["2", "iron", ""]),
    ]
    assert isinstance(rows[2], Rejected)
    assert rows[2].reason == "a row must have 2 fields and no '$' inside; got 3"


def test_bytes_of_refused_rows_are_read_again(archive_of: ArchiveOf) -> None:
    with open_archive(archive_of("a.zip", {"a.csv": "a,b\n1,2\n3,4\n"})) as archive:
        member = archive.find(".*")[0]
        table = csv_table(archive, member)
        why = Refusal("no suspect drug", RejectCode.SCHEMA)
        (refused,) = raw_rows([table], {(table.header.where, 3, 0): why})
    assert (refused.position, refused.reason, refused.raw) == (3, why.reason, b"3,4")
    assert refused.code is RejectCode.SCHEMA


LONG = "x" * RECORD_BYTES
TOO_LONG = f"a line must have at most {RECORD_BYTES} bytes; got {RECORD_BYTES + 3}"


def test_an_overlong_line_costs_only_itself(archive_of: ArchiveOf) -> None:
    for rows in (
        read_csv(archive_of, f"a,b\n1,2\n3,{LONG}\n4,5\n"),
        read_dollars(archive_of, f"a$b\n1$2\n3${LONG}\n4$5\n")[1],
    ):
        first, overlong, last = rows
        assert isinstance(first, Row)
        assert isinstance(overlong, Rejected)
        assert (overlong.position, overlong.reason, overlong.code) == (
            *(3, TOO_LONG),
            RejectCode.TOO_LONG,
        )
        assert isinstance(last, Row)
        assert (last.line, last.fields[:2]) == (4, ["4", "5"])


def test_an_overlong_line_behind_an_open_quote_costs_two_lines(archive_of: ArchiveOf) -> None:
    opened, overlong, last = read_csv(archive_of, f'a,b\n3,"4\n3,{LONG}\n5,6\n')
    assert isinstance(opened, Rejected)
    assert (opened.position, opened.raw, opened.code) == (2, b'3,"4', RejectCode.TOO_LONG)
    assert isinstance(overlong, Rejected)
    assert (overlong.position, overlong.reason) == (3, TOO_LONG)
    assert last == Row(4, b"5,6", ["5", "6", ""])


def test_a_record_of_many_lines_has_the_limit_of_a_line(archive_of: ArchiveOf) -> None:
    text = 'x","' + "y" * 100_000 + "\n"
    rows = read_csv(archive_of, "a,b\n" + text * 12)
    assert all(isinstance(row, Rejected) for row in rows)
    assert isinstance(rows[0], Rejected)
    assert rows[0].reason == f"a row must have at most {RECORD_BYTES} bytes; got more"
    assert [row.position for row in rows if isinstance(row, Rejected)] == list(range(2, 14))


def test_parsing_again_and_again_is_refused(archive_of: ArchiveOf) -> None:
    message = r"a\.csv: must be quoted CSV; got so many unmatched quotes up to line \d+ that"
    with pytest.raises(InputError, match=message):
        read_csv(archive_of, "a,b\n" + 'x","\n' * 300_000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("," * 1_000 + "\n", "must name at most 1000 columns; got 1001$"),
        (LONG + "\n", "the first line must name the columns: a line must have at most"),
    ],
)
def test_a_header_without_bounds_is_refused(text: str, message: str, archive_of: ArchiveOf) -> None:
    with pytest.raises(InputError, match=message):
        read_csv(archive_of, text)
    with pytest.raises(InputError, match=message):
        read_dollars(archive_of, text.replace(",", "$"))
