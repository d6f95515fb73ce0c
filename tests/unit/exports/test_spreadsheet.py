"""Tables for spreadsheets: read back by other libraries, without formulas or links."""

import csv
import zipfile
from datetime import date
from pathlib import Path

import pytest
from openpyxl import load_workbook
from openpyxl.utils.escape import unescape

from schemas.errors import InputError
from streams.exports.spreadsheet import Cell, Sheet, csv_bytes, write_table

MADE = date(2024, 5, 31)
HOSTILE = [
    '=HYPERLINK("http://evil.example","click")',
    "+1",
    "-x",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "＝1+1",
    "－x",
    "−x",
    "﹦1+1",
    "\x00=1+1",
    "\x1b=1+1",
    "\u200b=1+1",
    "\u202e\u2066+1",
    "\ufeff-x",
    "\x1b \u3164@SUM(A1)",
    " \u3000=1+1",
    "\u2028=1+1",
]
HARMLESS = [
    "zinc",
    "a=b",
    "1-2",
    "'quoted'",
    "培養上清",
    'say "x"; y',
    "http://example.org",
    "",
    "\u200bzinc",
]
TEXTS = HOSTILE + HARMLESS
NUMBERS: list[Cell] = [-0.75, -3, 0, 1e-12, 12_345_678_901]


def _sheets() -> list[Sheet]:
    rows = [(text, number, MADE, None) for text in TEXTS for number in NUMBERS]
    return [Sheet("first", ("=drug", "n", "day", "none"), rows), Sheet("second", ("a",), [("b",)])]


def _expected(text: str) -> str:
    return "'" + text if text in HOSTILE else text


def test_csv_keeps_text_as_text_and_numbers_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write_table(path, _sheets(), made=MADE)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf"), "spreadsheets know UTF-8 by its mark"
    with path.open(encoding="utf-8-sig", newline="") as file:
        heading, *rows = csv.reader(file)
    assert heading == ["'=drug", "n", "day", "none"]
    assert [row[0] for row in rows[:: len(NUMBERS)]] == [_expected(text) for text in TEXTS]
    assert {row[1] for row in rows} == {"-0.75", "-3", "0", "1e-12", "12345678901"}
    assert {tuple(row[2:]) for row in rows} == {("2024-05-31", "")}
    # Separators of other locales are within quotes.
    assert '"say ""x""; y"' in path.read_text(encoding="utf-8-sig")


def test_xlsx_has_no_formula_and_no_link(tmp_path: Path) -> None:
    path = tmp_path / "out.xlsx"
    write_table(path, _sheets(), made=MADE)
    book = load_workbook(path)
    assert book.sheetnames == ["first", "second"]
    assert book.properties.created.date() == MADE, "no clock reading: the bytes are the same"
    heading, *rows = book["first"].iter_rows()
    assert [cell.value for cell in heading] == ["'=drug", "n", "day", "none"]
    for row, (text, number, *_) in zip(rows, _sheets()[0].rows, strict=True):
        assert [cell.data_type for cell in row] == ["s", "n", "d", "n"]
        assert unescape(row[0].value or "") == _expected(str(text))  # of a carriage return
        assert row[1].value == number
        assert row[2].value.date() == MADE
        assert row[0].hyperlink is None
    with zipfile.ZipFile(path) as packed:
        pages = [packed.read(name) for name in packed.namelist() if "sheet" in name]
    assert pages
    assert not any(b"<f>" in page or b"hyperlink" in page for page in pages)


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_the_same_content_gives_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for path in paths:
        write_table(path, _sheets(), made=MADE)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_another_suffix_and_too_many_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must end with \.csv or \.xlsx; got '\.xls'"):
        write_table(tmp_path / "out.xls", _sheets(), made=MADE)
    many = [Sheet("s", ("a",), [("x",)] * 1_048_576)]
    with pytest.raises(InputError, match=r"at most 1048575 rows; got 1048576: write \.csv"):
        write_table(tmp_path / "out.xlsx", many, made=MADE)
    with pytest.raises(InputError, match=r"at most 32767 characters; got 32768: write \.csv"):
        write_table(tmp_path / "out.xlsx", [Sheet("s", ("a",), [("-" * 32_767,)])], made=MADE)


def test_csv_in_memory_is_the_file(tmp_path: Path) -> None:
    write_table(tmp_path / "x.csv", _sheets(), made=MADE)
    assert csv_bytes(_sheets()[0]) == (tmp_path / "x.csv").read_bytes()
