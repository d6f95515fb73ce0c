"""Tables are read as rows of text, whether they are CSV or Parquet."""

import gzip
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from schemas.errors import InputError
from streams.intake.delimited import Row
from streams.intake.mapped.tables import open_table


def _fields(path: Path, separator: str | None = None, encoding: str = "utf-8") -> list[list[str]]:
    with open_table(path, separator, encoding) as table:
        rows = [row for row in table.rows if isinstance(row, Row)]
        return [list(table.header.names), *(row.fields[:-1] for row in rows)]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "$"])
def test_the_separator_is_the_most_frequent_one(separator: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"Case{separator}Drug{separator}x\n1{separator}A{separator}b\n")
    assert _fields(path) == [["case", "drug", "x"], ["1", "A", "b"]]


def test_separator_and_encoding_are_as_given(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress("a,b;c\n1;Pr\u00e4parat\n".encode("cp1252")))
    assert _fields(path, ";", "cp1252") == [["a,b", "c"], ["1", "Pr\u00e4parat"]]


def test_parquet_has_the_same_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame(
        {"Case": [1, 2], "day": [date(2024, 1, 31), None], "drug": ["A", None]}
    ).write_parquet(path)
    assert _fields(path) == [
        ["case", "day", "drug"],
        ["1", "2024-01-31", "A"],
        ["2", "", ""],
    ]
    with open_table(path) as table:
        first = next(iter(table.rows))
    assert isinstance(first, Row)
    assert (first.line, first.raw) == (1, b'{"Case":"1","day":"2024-01-31","drug":"A"}')


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match="must be a whole Parquet file; got"), open_table(path):
        pass
