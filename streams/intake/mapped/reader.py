"""Reports of a table of any layout, by a mapping file.

A row becomes a native message, which is judged by the rules of every native message; a reject names
the column that the wrong value came from.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from schemas.errors import IcsrError
from schemas.rejected import Rejected
from streams.intake.delimited import Header, Row, RowTally
from streams.intake.mapped.fields import FIELDS, PARTS
from streams.intake.mapped.mapping import ColumnMapping, FieldSource, load_mapping
from streams.intake.mapped.tables import open_table
from streams.intake.native import decode_report
from streams.intake.text import clean, count_unmapped, parse_decimal

__all__ = ["read_mapped"]

_Message = dict[str, Any]
_ANSWERS = {
    **dict.fromkeys(("1", "true", "t", "yes", "y", "ja", "oui"), True),
    **dict.fromkeys(("0", "false", "f", "no", "n", "nein", "non"), False),
}
_LONGEST = {"verbatim": 2000, "dose": 1000, "indication_verbatim": 2000, "term": 500}
_USUAL = 200  # characters that most texts may have; a longer one is cut
_PLACE = re.compile(r"(?:(products|reactions|patient|reporter)\.(?:\d+\.)?)?([a-z_]+)")
_WHOLE = re.compile(r"([0-9]{1,10})(?:\.0*)?", re.ASCII)


def read_mapped(
    path: Path,
    mapping: Path,
    unmapped: Counter[str] | None = None,
    tally: RowTally | None = None,
) -> Iterator[tuple[int, bytes | Rejected]]:
    """Read a table: yield a native message for each report, and rejects, in the order of the file.

    Parameters
    ----------
    mapping
        The mapping file.
    unmapped
        Counts values that have no counterpart, by column and value.
    tally
        Counts the rows.

    Yields
    ------
    int, bytes or Rejected
        Number of the row and its message, or the reject, which has the line and the column. Where a
        report has many rows, its number is that of the first; rows that differ in a field of the
        report are rejects.

    Raises
    ------
    InputError
        The mapping file is wrong, the table cannot be read, or lacks a column.
    """
    chosen = load_mapping(mapping)
    counts = Counter[str]() if unmapped is None else unmapped
    tally = tally or RowTally()
    grouped: dict[tuple[Any, Any], tuple[Row, _Message]] = {}
    with open_table(path, chosen.separator, chosen.encoding) as table:
        header = table.header
        chosen.require_columns(header.names, header.where)
        rows = _Rows(chosen, header, counts)
        for row in tally.counted(table):
            if isinstance(row, Rejected):
                yield row.position, row
                continue
            message = rows.message(row)
            if isinstance(message, Rejected):
                yield row.line, message
            elif not chosen.many_rows:
                yield row.line, _judged(message, row, header, chosen)
            else:
                key = message["case_id"], message.get("version")
                first = grouped.setdefault(key, (row, message))
                if first[0] is not row:
                    tally.left_out["is another row of its report"] += 1
                    _unite(first[1], message)
        for row, message in grouped.values():
            yield row.line, _judged(message, row, header, chosen)


class _Rows:
    """Reads the rows of a table by a mapping."""

    def __init__(self, mapping: ColumnMapping, header: Header, unmapped: Counter[str]) -> None:
        self._mapping, self._header, self._unmapped = mapping, header, unmapped

    def message(self, row: Row) -> _Message | Rejected:
        """Return the message of a row."""
        sections = self._mapping.sections
        message = self._section(row, "report", sections["report"])
        for name in ("case_id", "first_received"):
            if name not in message:
                source = sections["report"][name]
                return self._missing(row, name, source)
        message.setdefault("latest_received", message["first_received"])
        message["source"] = self._mapping.name
        if kind := message.pop("revision", None):
            reason = f"stated by the column {sections['report']['revision'].column}"
            message["revision"] = {"kind": kind, "reason": reason[:2000]}
        for name in ("patient", "reporter"):
            if stated := self._section(row, name, sections[name]):
                message[name] = stated
        for section, sources in self._mapping.parts:
            message.setdefault(section, []).extend(self._parts(row, section, sources))
        return message

    def _missing(self, row: Row, name: str, source: FieldSource) -> Rejected:
        got = self._value(row, source).strip()[:20]
        rule = "a date as in date_formats" if got else "stated"
        reason = f"column {source.column!r} ({name}): must be {rule}; got {got or 'none'!r}"
        return self._header.reject(row, reason)

    def _value(self, row: Row, source: FieldSource) -> str:
        if source.column is None:
            return source.value or ""
        return row.fields[self._header.index(source.column.strip().lower())]

    def _section(self, row: Row, section: str, sources: Mapping[str, FieldSource]) -> _Message:
        found: _Message = {}
        for name, source in sources.items():
            text = self._value(row, source)
            if name == "seriousness":
                texts = text.split(source.split) if source.split else [text]
                values = [self._typed(section, name, source, one) for one in texts]
                value: Any = list(dict.fromkeys(one for one in values if one is not None)) or None
            else:
                value = self._typed(section, name, source, text)
            if value is not None:
                found[name] = value
        return found

    def _parts(
        self, row: Row, section: str, sources: Mapping[str, FieldSource]
    ) -> Iterator[_Message]:
        """Yield the products or reactions of one group of columns; a blank one is left out."""
        texts = {
            name: self._value(row, source).split(source.split)
            if source.split
            else [self._value(row, source)]
            for name, source in sources.items()
        }
        for index in range(max(map(len, texts.values()))):
            part: _Message = {}
            for name, source in sources.items():
                stated = texts[name]
                text = stated[0] if not source.split else "".join(stated[index : index + 1])
                value = self._typed(section, name, source, text)
                if value is not None:
                    part[name] = value
            if not part.keys().isdisjoint(_NAMES[section]):
                yield part

    def _typed(self, section: str, name: str, source: FieldSource, text: str) -> Any:
        """Return a value as its field has it; None if it is blank or cannot be read."""
        text = text.strip()
        meant = source.values.get(text.lower(), text)
        if not meant:
            return None
        if name == "substances":
            parts = meant.split(source.parts) if source.parts else [meant]
            return [one.strip() for one in parts if one.strip()] or None
        value = _read(meant, FIELDS[section][name], self._mapping.date_formats, name)
        if value is None and not (section == "report" and name in ("case_id", "first_received")):
            count_unmapped(self._unmapped, source.column or name, text)
        return value


_NAMES = {"products": {"verbatim", "substances", "product_class"}, "reactions": {"term"}}
"""Fields of which a product or a reaction must have one; without it is left out."""


def _read(text: str, kind: type[Any], formats: tuple[str, ...], name: str) -> Any:
    if kind is date:
        return _day(text, formats)
    if kind is int:
        match = _WHOLE.fullmatch(text)
        return int(match[1]) if match else None
    if kind is float:
        return parse_decimal(text.replace(",", "."))
    if kind is bool:
        return _ANSWERS.get(text.lower())
    if issubclass(kind, StrEnum):
        return next((one.value for one in kind if one.value == text.lower()), None)
    return clean(text, _LONGEST.get(name, _USUAL))


@lru_cache(maxsize=1 << 16)
def _day(text: str, formats: tuple[str, ...]) -> str | None:
    for one in formats:
        try:
            return datetime.strptime(text, one).replace(tzinfo=UTC).date().isoformat()
        except ValueError:
            continue
    return None


def _unite(first: _Message, other: _Message) -> None:
    """Add the products and reactions of another row of a report that the first does not have."""
    for name in PARTS:
        first[name] += [part for part in other[name] if part not in first[name]]


def _judged(
    message: _Message, row: Row, header: Header, mapping: ColumnMapping
) -> bytes | Rejected:
    """Return a message that the rules of a report accept, or the reject of its row."""
    raw = msgspec.json.encode(message)
    try:
        decode_report(raw)
    except IcsrError as error:
        return header.reject(row, _by_column(str(error), mapping), error.code)
    return raw


def _by_column(problem: str, mapping: ColumnMapping) -> str:
    """Return a problem with the column of its field."""
    place, colon, rule = problem.partition(": ")
    match = _PLACE.match(place)
    if not colon or match is None:
        return problem
    section = match[1] or "report"
    columns = [
        source.column
        for name, sources in (*mapping.sections.items(), *mapping.parts)
        if name == section and (source := sources.get(match[2])) and source.column
    ]
    return f"column {columns[0]!r} ({place}): {rule}" if columns else problem
