"""Counterparts of coded values in the vocabulary of a report."""

from collections import Counter
from collections.abc import Mapping
from typing import TypeVar

from streams.intake.text import count_unmapped

__all__ = ["Codes"]

_Code = TypeVar("_Code")
_Default = TypeVar("_Default")


class Codes:
    """Reads coded values; a value without a counterpart is counted, and has the default."""

    def __init__(self, unmapped: Counter[str] | None) -> None:
        self._unmapped = Counter[str]() if unmapped is None else unmapped

    def get(
        self, column: str, value: str, table: Mapping[str, _Code], default: _Default
    ) -> _Code | _Default:
        """Return the counterpart of a value; a blank one has the default, and is not counted.

        >>> Codes(None).get("sex", " F ", {"F": 2}, 0), Codes(None).get("sex", "", {"F": 2}, 0)
        (2, 0)
        """
        value = value.strip()
        if value in table:
            return table[value]
        if value:
            count_unmapped(self._unmapped, column, value)
        return default

    def absent(self, column: str) -> None:
        """Count a row that is left out because its column is blank."""
        count_unmapped(self._unmapped, column, "")
