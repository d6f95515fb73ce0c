"""Tables of any CSV or Parquet file, as rows of text."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from schemas.errors import InputError
from schemas.rejected import Rejected
from streams.intake.bounded import bounded_lines, open_unpacked
from streams.intake.delimited import DelimitedTable, Dialect, Header, Row, csv_lines

__all__ = ["SEPARATORS", "open_table"]

SEPARATORS = (",", ";", "\t", "|", "$")
"""Separators that are tried where none is given: the one that the first line has most often."""

_PARQUET = b"PAR1"
_BATCH = 10_000  # rows of Parquet that are held at once
_MOST_COLUMNS = 1_000  # as of CSV


@contextmanager
def open_table(
    path: Path, separator: str | None = None, encoding: str = "utf-8"
) -> Iterator[DelimitedTable]:
    """Open a CSV file, gzipped or not, or a Parquet file.

    Parameters
    ----------
    separator
        Of CSV; None: the most frequent one of the first line.

    Raises
    ------
    InputError
        It is no such file, or cannot be read.
    """
    with open_unpacked(path) as stream:
        head = stream.peek()
        if not head.startswith(_PARQUET):
            line = head.partition(b"\n")[0].decode("latin-1")
            found = separator or max(SEPARATORS, key=line.count)
            dialect = Dialect(found, decode=lambda raw: raw.decode(encoding, "replace"))
            yield csv_lines(bounded_lines(stream, path.name), path.name, dialect)
            return
    try:
        frame = pl.scan_parquet(path)
        names = frame.collect_schema().names()
    except (pl.exceptions.PolarsError, OSError) as error:
        msg = f"{path}: must be a whole Parquet file; got {str(error).partition(chr(10))[0]}"
        raise InputError(msg) from error
    if len(names) > _MOST_COLUMNS:
        msg = f"{path}: must have at most {_MOST_COLUMNS} columns; got {len(names)}"
        raise InputError(msg)
    header = Header(tuple(name.strip().lower() for name in names), path.name)
    yield DelimitedTable(header, _parquet_rows(path, frame))


def _parquet_rows(path: Path, frame: pl.LazyFrame) -> Iterator[Row | Rejected]:
    """Yield the rows; the bytes of a row are its JSON, since Parquet has no lines."""
    start = 0
    while True:
        try:
            rows = frame.slice(start, _BATCH).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            msg = f"{path}: must be a whole Parquet file; got {str(error).partition(chr(10))[0]}"
            raise InputError(msg) from error
        if rows.is_empty():
            return
        for number, row in enumerate(rows.iter_rows(named=True), start=start + 1):
            texts = [_text(value) for value in row.values()]
            raw = msgspec.json.encode(dict(zip(row, texts, strict=True)))
            yield Row(number, raw, [*texts, ""])
        start += rows.height


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value)
