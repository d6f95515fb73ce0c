"""Repairs of FAERS tables that were published damaged; each repair is counted by its kind.

A line end that was lost left several rows on one line. Some tables were published again under a
name that ends in `_new`, with corrected rows.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from zipfile import ZipInfo

from schemas.errors import RejectCode
from schemas.rejected import Rejected
from streams.intake.delimited import Header, Row
from streams.intake.text import decode_line

__all__ = [
    "PARTED",
    "REPLACED",
    "Corrected",
    "correction_of",
    "in_order_of_correction",
    "part_joined_rows",
]

PARTED = "rows that shared a line"
"""Kind of repair: each row that was read from a line with more than one."""

REPLACED = "rows replaced by a corrected file"
"""Kind of repair: each row that a file ending in `_new` replaces."""

_LAST_NUMBER = re.compile(rb"[0-9]+\Z")
_NAME = re.compile(r"(?:.*/)?([^/]*?)(_new)?\.txt", re.IGNORECASE)

IsRow = Callable[[list[str]], bool]
"""Whether fields are those of a row of the table, and not only as many."""


def part_joined_rows(
    rows: Iterator[Row | Rejected], header: Header, is_row: IsRow, repairs: Counter[str]
) -> Iterator[Row | Rejected]:
    """Part lines that hold several rows, if there is exactly one way to; else reject them."""
    for row in rows:
        # Of a line that is too long, `raw` is the beginning.
        if isinstance(row, Row) or row.code is RejectCode.TOO_LONG:
            yield row
            continue
        parts = _part(row.raw, len(header.names), is_row)
        if parts is None:
            yield row
            continue
        repairs[PARTED] += len(parts)
        for number, fields in enumerate(parts):
            raw = b"$".join(fields)
            texts = decode_line(raw).split("$")[: len(header.names)]
            yield Row(row.position, raw, [*texts, ""], number)


def _part(raw: bytes, width: int, is_row: IsRow) -> list[list[bytes]] | None:
    """Return the fields of the rows of a line, or None if they are in doubt.

    The key of the next row follows the '$' that ends a row, or directly its last field.
    """

    def fits(fields: Sequence[bytes]) -> bool:
        return len(fields) == width and is_row([decode_line(each) for each in fields])

    fields = raw.split(b"$")
    parts: list[list[bytes]] = []
    start = 0  # of the next row; no list of the rest is made, since a line may have many rows
    while (rest := len(fields) - start) > width + 1 or (rest == width + 1 and fields[-1]):
        end = start + width
        row, following = fields[start:end], fields[end : end + width]
        ways = [(end, row, following)]
        if number := _LAST_NUMBER.search(row[-1]):
            value = row[-1][: number.start()]
            ways.append((end - 1, [*row[:-1], value], [number[0], *fields[end : end + width - 1]]))
        ways = [way for way in ways if fits(way[1]) and fits(way[2])]
        if len(ways) != 1:
            return None
        start, row, following = ways[0]
        fields[start] = following[0]
        parts.append(row)
    return [*parts, fields[start:]] if parts and fits(fields[start : start + width]) else None


@dataclass
class Corrected:
    """Keys and cases of the rows of a corrected file."""

    keys: set[str] = field(default_factory=set)
    cases: set[str] = field(default_factory=set)

    def recorded(self, rows: Iterator[Row | Rejected], header: Header) -> Iterator[Row | Rejected]:
        """Yield the rows of the corrected file, and record them."""
        identity = header.columns("primaryid", "caseid")
        for row in rows:
            if isinstance(row, Row):
                key, case = identity(row.fields)
                self.keys.add(key.strip())
                self.cases.update({case.strip()} - {""})
            yield row

    def without_replaced(
        self,
        rows: Iterator[Row | Rejected],
        header: Header,
        replaced: set[str] | None,
        repairs: Counter[str],
    ) -> Iterator[Row | Rejected]:
        """Yield the rows of the file that was corrected, except those that were replaced.

        With `replaced`, rows of the same case are replaced as well, and their keys are added.
        """
        identity = header.columns("primaryid", "caseid")
        for row in rows:
            if isinstance(row, Row):
                key, case = map(str.strip, identity(row.fields))
                is_same_case = replaced is not None and case in self.cases
                if key in self.keys or is_same_case:
                    repairs[REPLACED] += 1
                    if replaced is not None and key not in self.keys:
                        replaced.add(key)
                    continue
            yield row


def correction_of(member: ZipInfo) -> tuple[str, bool]:
    """Return the name of a table's file in lower case, and whether it is the corrected one.

    >>> correction_of(ZipInfo("ascii/DEMO18Q1_NEW.TXT")), correction_of(ZipInfo("DEMO18Q1.txt"))
    (('demo18q1', True), ('demo18q1', False))
    """
    match = _NAME.fullmatch(member.filename)
    return (match[1].lower(), match[2] is not None) if match else (member.filename, False)


def in_order_of_correction(members: Sequence[ZipInfo]) -> list[tuple[ZipInfo, str | None]]:
    """Return members, corrected files first, each with the name it shares with another edition."""
    names = {member.filename: correction_of(member) for member in members}
    both = {name for name, is_new in names.values() if is_new} & {
        name for name, is_new in names.values() if not is_new
    }
    ordered = sorted(members, key=lambda member: not names[member.filename][1])
    return [
        (member, names[member.filename][0] if names[member.filename][0] in both else None)
        for member in ordered
    ]
