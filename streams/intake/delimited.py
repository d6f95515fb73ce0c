"""Reader of delimited text: columns by name, damaged rows rejected with their bytes."""

import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple
from zipfile import ZipInfo

from pydantic import ValidationError

from schemas.errors import InputError, RejectCode
from schemas.rejected import Rejected
from streams.intake.archive import Archive
from streams.intake.refusals import code_of
from streams.intake.text import decode_line

__all__ = [
    "DelimitedTable",
    "Header",
    "Place",
    "Refusal",
    "Row",
    "csv_table",
    "dollar_table",
    "raw_rows",
    "refusal",
]

_BOM = b"\xef\xbb\xbf"
_LINE_END = b"\r\n"


@dataclass(frozen=True)
class Header:
    """Column names of a table, in lower case, and its source label."""

    names: tuple[str, ...]
    where: str

    def index(self, name: str) -> int:
        """Return the index of a column; a missing column has that of the blank last field."""
        return self.names.index(name) if name in self.names else len(self.names)

    def columns(self, *names: str) -> Callable[[list[str]], tuple[str, ...]]:
        """Return a getter of two or more named columns from the fields of a row."""
        return itemgetter(*map(self.index, names))

    def require(self, *names: str) -> None:
        """Refuse a file that lacks a required column."""
        missing = [name for name in names if name not in self.names]
        if missing:
            msg = (
                f"{self.where}: the first line must name the columns {', '.join(names)}; "
                f"got no {', '.join(missing)}"
            )
            raise InputError(msg)

    def reject(self, row: "Row", reason: str, code: RejectCode = RejectCode.SCHEMA) -> Rejected:
        """Return a reject of a row, with its bytes."""
        return Rejected(source=self.where, position=row.line, reason=reason, raw=row.raw, code=code)


class Row(NamedTuple):
    """One record. `fields` has an additional blank field at the end, for missing columns.

    `part` tells records apart that stood on one line.
    """

    line: int
    raw: bytes
    fields: list[str]
    part: int = 0


Place = tuple[str, int, int]
"""Place of a row: label of its file, line, and part of the line."""


class Refusal(NamedTuple):
    """Reason why the report of a row was refused, and its code."""

    reason: str
    code: RejectCode


@dataclass(frozen=True)
class DelimitedTable:
    """A delimited file: its header, and its rows or their rejects."""

    header: Header
    rows: Iterator[Row | Rejected]


def csv_table(archive: Archive, member: ZipInfo) -> DelimitedTable:
    """Read quoted, comma-separated text. The line of a row is its first line."""
    lines = archive.lines(member)
    first = decode_line(next(lines, b"").removeprefix(_BOM))
    try:
        names = next(csv.reader([first]), [])
    except csv.Error as error:
        msg = f"{archive.label(member)}: the first line must be quoted CSV; got {error}"
        raise InputError(msg) from error
    header = Header(tuple(name.strip().lower() for name in names), archive.label(member))
    return DelimitedTable(header, _csv_rows(lines, header))


def _csv_rows(lines: Iterator[bytes], header: Header) -> Iterator[Row | Rejected]:
    """Yield records; an unmatched quote costs only the line on which its record starts.

    An unmatched quote makes the parser consume the following lines. These are therefore parsed
    again after the first line of a damaged record is rejected.
    """
    width = len(header.names)
    waiting: deque[bytes] = deque()  # lines to parse again
    consumed: list[bytes] = []  # lines of the current record

    def supply() -> Iterator[str]:
        while (raw := waiting.popleft() if waiting else next(lines, None)) is not None:
            consumed.append(raw)
            yield decode_line(raw)

    number = 2
    records = csv.reader(supply(), strict=True)
    while True:
        consumed.clear()
        try:
            fields = next(records, None)
            reason = f"a row must have {width} fields; got {len(fields or ())}"
        except csv.Error as broken:
            fields, reason = [], f"a row must be quoted CSV; got {broken}"
        if fields is None:
            return
        if len(fields) == width:
            yield Row(number, b"".join(consumed).rstrip(_LINE_END), [*fields, ""])
        elif any(line.strip() for line in consumed):
            waiting.extendleft(reversed(consumed[1:]))
            del consumed[1:]
            yield Rejected(
                source=header.where,
                position=number,
                reason=reason,
                raw=consumed[0].rstrip(_LINE_END),
                code=RejectCode.SCHEMA,
            )
            records = csv.reader(supply(), strict=True)
        number += len(consumed)


def dollar_table(archive: Archive, member: ZipInfo, aliases: Mapping[str, str]) -> DelimitedTable:
    """Read text separated by dollar signs, without quoting.

    Rows, and the header, may end with one surplus blank field.
    """
    lines = archive.lines(member)
    first = decode_line(next(lines, b"").removeprefix(_BOM))
    names = [name.strip().lower() for name in first.split("$")]
    if names[-1] in ("", f"v{len(names)}"):  # R gives such a name to the blank last column
        names.pop()
    header = Header(tuple(aliases.get(name, name) for name in names), archive.label(member))
    return DelimitedTable(header, _dollar_rows(lines, header))


def _dollar_rows(lines: Iterable[bytes], header: Header) -> Iterator[Row | Rejected]:
    width = len(header.names)
    for number, line in enumerate(lines, start=2):
        raw = line.rstrip(_LINE_END)
        fields = decode_line(raw).split("$")
        if len(fields) == width:
            fields.append("")
        elif len(fields) != width + 1 or fields[-1]:
            if raw.strip():
                reason = f"a row must have {width} fields and no '$' inside; got {len(fields)}"
                yield header.reject(Row(number, raw, fields), reason)
            continue
        yield Row(number, raw, fields)


def raw_rows(
    tables: Iterable[DelimitedTable], refused: Mapping[Place, Refusal]
) -> Iterator[Rejected]:
    """Read tables again to reject rows with their bytes, for reports that the schema refused."""
    for table in tables:
        where = table.header.where
        for row in table.rows:
            why = refused.get((where, row.line, row.part)) if isinstance(row, Row) else None
            if isinstance(row, Row) and why is not None:
                yield table.header.reject(row, *why)


def refusal(error: ValidationError) -> Refusal:
    """Return the first problem that the schema found, without quoting the value."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return Refusal(f"{place or 'report'}: {first['msg']}", code_of(first))
