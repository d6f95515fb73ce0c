"""Difference of two versions of a case, field by field."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import HTTPException

from schemas.case_line import CaseLine
from streams.delivery.api.line_listing import KnownVersion

__all__ = ["FieldRow", "VersionsDiffer", "versions_differ"]


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field in both versions.

    Attributes
    ----------
    field
        Its name, as `schemas.case_line` has it.
    part
        Number of the reaction or product that it is of, from 1; None of the case itself.
    was, now
        Its values as texts; empty where it was not stated.
    """

    field: str
    part: int | None
    was: str
    now: str

    @property
    def changed(self) -> bool:
        """Return whether the values differ."""
        return self.was != self.now


@dataclass(frozen=True, slots=True)
class VersionsDiffer:
    """Two versions of a case.

    Attributes
    ----------
    rows
        Every field that either states; those that changed first.
    numbers
        Numbers of all versions that were known, in order.
    """

    before: CaseLine
    now: CaseLine
    rows: tuple[FieldRow, ...]
    numbers: tuple[int, ...]


def versions_differ(known: Sequence[KnownVersion], before: int, now: int) -> VersionsDiffer:
    """Return the difference of two versions of a case; 404 if one of them was not known.

    Parameters
    ----------
    known
        The versions that were known, in order.
    before, now
        Numbers of the earlier and the later one.
    """
    lines = {version.line.version: version.line for version in known}
    if before not in lines or now not in lines:
        raise HTTPException(HTTPStatus.NOT_FOUND, "no such version of the case")
    was, is_now = dict(_fields(lines[before])), dict(_fields(lines[now]))
    rows = [
        FieldRow(field, part, was.get((field, part), ""), is_now.get((field, part), ""))
        for field, part in dict.fromkeys([*is_now, *was])
    ]
    stated = [row for row in rows if row.was or row.now]
    return VersionsDiffer(
        before=lines[before],
        now=lines[now],
        rows=tuple(sorted(stated, key=lambda row: not row.changed)),
        numbers=tuple(lines),
    )


def _fields(line: CaseLine) -> Iterator[tuple[tuple[str, int | None], str]]:
    """Yield the fields of a line: name and part, and the value as a text."""
    for name, value in line.model_dump(mode="json").items():
        if name in ("reactions", "products"):
            for part, each in enumerate(value, start=1):
                yield from _of_part(name, part, each)
        else:
            yield (name, None), _text(value)


def _of_part(
    name: str, part: int, fields: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, int | None], str]]:
    for field, value in fields.items():
        yield (f"{name}_{field}", part), _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
