"""Sections of an explanation: rows of values with one line on what they say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Row", "Section"]

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """Result of one method on one pair.

    Attributes
    ----------
    name
        Short name; the key in JSON.
    title
        Title in words.
    says
        What the values say, and what they do not, in one sentence.
    rows
        One mapping a row, all with the same columns. An infinite value is unbounded, None is
        undefined.
    remark
        What a reader of these rows must know, or why there are none; None if there is nothing.
    shown
        Rows that a table shows; JSON has all.
    """

    name: str
    title: str
    says: str
    rows: Sequence[Row]
    remark: str | None = None
    shown: int = 12
