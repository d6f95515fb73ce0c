"""Reader of delimited text: columns by name, damaged rows rejected with their bytes."""

import csv
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple
from zipfile import ZipInfo

from pydantic import ValidationError

from schemas.errors import InputError, RejectCode
from schemas.rejected import Rejected
from streams.intake.archive import Archive
from streams.intake.bounded import RECORD_BYTES
from streams.intake.refusals import code_of
from streams.intake.text import decode_line

__all__ = [
    "DelimitedTable",
    "Dialect",
    "Header",
    "Place",
    "Refusal",
    "Row",
    "RowTally",
    "csv_lines",
    "csv_table",
    "dollar_table",
    "raw_rows",
    "refusal",
]

_BOM = b"\xef\xbb\xbf"
_LINE_END = b"\r\n"
_MOST_COLUMNS = 1_000  # the widest table of VAERS or FAERS has 35
_REREAD_BYTES = 64 << 20  # bytes, below 1 s of parsing
_REREADS = 4  # of each line, on average; in real files few lines have an unmatched quote
_LINE_COST = 64  # bytes that are parsed in the time that a line takes by itself


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


@dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Parameters
    ----------
    names
        Names of the columns of a table without a header; None if its first line names them.
    rename
        Returns the name used here of a column as written.
    """

    separator: str = ","
    decode: Callable[[bytes], str] = decode_line
    names: tuple[str, ...] | None = None
    rename: Callable[[str], str] = str


_CSV = Dialect()


@dataclass
class RowTally:
    """Rows of the tables that name reports, so that each can be accounted for.

    Parameters
    ----------
    rows
        Rows, damaged ones too, by the source label of their table.
    left_out
        Rows that gave neither a report nor a reject, by the reason.
    """

    rows: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def counted(self, table: DelimitedTable) -> Iterator[Row | Rejected]:
        """Yield the rows of a table, and count them."""
        for row in table.rows:
            self.rows[table.header.where] += 1
            yield row

    def repeated(self) -> None:
        """Count a row that is left out since an identical one was read."""
        self.left_out["repeats another row"] += 1


def csv_table(archive: Archive, member: ZipInfo, dialect: Dialect = _CSV) -> DelimitedTable:
    """Read quoted text of a member. The line of a row is its first line."""
    return csv_lines(archive.lines(member), archive.label(member), dialect)


def csv_lines(
    lines: Iterator[bytes | Rejected], where: str, dialect: Dialect = _CSV
) -> DelimitedTable:
    """Read quoted text from its lines, which `where` labels."""
    names, first = dialect.names, 1
    if names is None:
        text, first = _first_line(lines, where, dialect.decode), 2
        try:
            found = next(csv.reader([text], delimiter=dialect.separator), [])
        except csv.Error as broken:
            msg = f"{where}: the first line must name the columns; got {broken}"
            raise InputError(msg) from broken
        names = tuple(dialect.rename(name) for name in _column_names(found, where))
    header = Header(names, where)
    return DelimitedTable(header, _csv_rows(_CsvLines(lines, where), header, dialect, first))


def _first_line(
    lines: Iterator[bytes | Rejected], where: str, decode: Callable[[bytes], str] = decode_line
) -> str:
    first = next(lines, b"")
    if isinstance(first, Rejected):
        msg = f"{where}: the first line must name the columns: {first.reason}"
        raise InputError(msg)
    while first.startswith(_BOM):  # line listings of EudraVigilance have two
        first = first.removeprefix(_BOM)
    return decode(first)


def _column_names(names: list[str], where: str) -> tuple[str, ...]:
    if len(names) > _MOST_COLUMNS:
        msg = f"{where}: the first line must name at most {_MOST_COLUMNS} columns; got {len(names)}"
        raise InputError(msg)
    return tuple(name.strip().lower() for name in names)


class _OverlongError(Exception):
    """The record that is being parsed has more bytes than are read."""


class _CsvLines:
    """Lines of a table, of which some are parsed again because a record was damaged.

    In a hostile file each line has a quote that consumes all that follow, so what is parsed again
    has a limit: without it parsing takes quadratic time.
    """

    def __init__(self, lines: Iterator[bytes | Rejected], where: str) -> None:
        self._lines, self._where = lines, where
        self._waiting: deque[bytes | Rejected] = deque()  # lines to parse again
        self._allowed = _REREAD_BYTES  # that may still be parsed again
        self._overlong: Rejected | None = None  # the line at which the current record broke off
        self.consumed: list[bytes] = []  # lines of the current record

    def begin_record(self) -> None:
        """Forget the lines of the last record."""
        self.consumed.clear()
        self._overlong = None

    def texts(self, decode: Callable[[bytes], str]) -> Iterator[str]:
        """Yield the lines of records, decoded."""
        size = 0
        while True:
            if self._waiting:
                line = self._waiting.popleft()
            elif (following := next(self._lines, None)) is not None:
                line = following
                if isinstance(line, bytes):
                    self._allowed += _REREADS * (len(line) + _LINE_COST)
            else:
                return
            if isinstance(line, Rejected):
                self._overlong = line
                raise _OverlongError(line.reason)
            size = len(line) + (size if self.consumed else 0)
            self.consumed.append(line)
            if size > RECORD_BYTES:
                msg = f"a row must have at most {RECORD_BYTES} bytes; got more"
                raise _OverlongError(msg)
            yield decode(line)

    def give_back(self, number: int) -> bytes | Rejected:
        """Return the first line of a damaged record, and have the others parsed again.

        Raises
        ------
        InputError
            More was parsed again than is allowed.
        """
        lines: list[bytes | Rejected] = [*self.consumed]
        if self._overlong is not None:
            lines.append(self._overlong)
        self._waiting.extendleft(reversed(lines[1:]))
        self._allowed -= sum(len(line) + _LINE_COST for line in self.consumed[1:])
        if self._allowed < 0:
            msg = (
                f"{self._where}: must be quoted CSV; got so many unmatched quotes up to line "
                f"{number} that too much was to be parsed again"
            )
            raise InputError(msg)
        return lines[0]


def _csv_rows(
    lines: _CsvLines, header: Header, dialect: Dialect, number: int
) -> Iterator[Row | Rejected]:
    """Yield records; an unmatched quote costs only the line on which its record starts.

    An unmatched quote makes the parser consume the following lines. These are therefore parsed
    again after the first line of a damaged record is rejected.
    """
    width = len(header.names)

    def parsed() -> Iterator[list[str]]:
        return csv.reader(lines.texts(dialect.decode), delimiter=dialect.separator, strict=True)

    records = parsed()
    while True:
        lines.begin_record()
        code = RejectCode.SCHEMA
        try:
            fields = next(records, None)
            reason = f"a row must have {width} fields; got {len(fields or ())}"
        except csv.Error as broken:
            fields, reason = [], f"a row must be quoted CSV; got {broken}"
        except _OverlongError as overlong:
            fields, reason, code = [], str(overlong), RejectCode.TOO_LONG
        if fields is None:
            return
        consumed = lines.consumed
        if len(fields) == width:
            yield Row(number, b"".join(consumed).rstrip(_LINE_END), [*fields, ""])
        elif code is RejectCode.TOO_LONG or any(line.strip() for line in consumed):
            first = lines.give_back(number)
            if isinstance(first, bytes):
                raw = first.rstrip(_LINE_END)
                yield header.reject(Row(number, raw, []), reason, code)
            else:
                yield first
            records = parsed()
            number += 1
            continue
        number += len(consumed)


def dollar_table(
    archive: Archive, member: ZipInfo, aliases: Mapping[str, str], separator: str = "$"
) -> DelimitedTable:
    """Read text separated by dollar signs, or by another character, without quoting.

    Rows, and the header, may end with one surplus blank field.
    """
    lines, where = archive.lines(member), archive.label(member)
    names = list(_column_names(_first_line(lines, where).split(separator), where))
    if names[-1] in ("", f"v{len(names)}"):  # R gives such a name to the blank last column
        names.pop()
    header = Header(tuple(aliases.get(name, name) for name in names), where)
    return DelimitedTable(header, _dollar_rows(lines, header, separator))


def _dollar_rows(
    lines: Iterable[bytes | Rejected], header: Header, separator: str
) -> Iterator[Row | Rejected]:
    width = len(header.names)
    for number, line in enumerate(lines, start=2):
        if isinstance(line, Rejected):
            yield line
            continue
        raw = line.rstrip(_LINE_END)
        fields = decode_line(raw).split(separator)
        if len(fields) == width:
            fields.append("")
        elif len(fields) != width + 1 or fields[-1]:
            if raw.strip():
                reason = (
                    f"a row must have {width} fields and no {separator!r} inside; got {len(fields)}"
                )
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
