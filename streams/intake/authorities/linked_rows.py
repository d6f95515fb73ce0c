"""Rows of tables that are joined to the report they belong to."""

from collections import defaultdict
from collections.abc import Container, Iterator, Sequence

from schemas.rejected import Rejected
from streams.intake.delimited import DelimitedTable

__all__ = ["LinkedRows", "key_of"]

_BETWEEN = "\x1f"  # unit separator: in no field of a text file


def key_of(*parts: str) -> str:
    """Return the key of a row from its columns, without spaces around and zeros before.

    >>> key_of("0012", " A") == key_of("12", "A")
    True
    """
    return _BETWEEN.join(part.strip().lstrip("0") for part in parts)


class LinkedRows:
    """Used columns of a table's rows, by the key of their report.

    Rows are kept as text: as tuples, the millions of a whole database would take three times the
    memory, and the garbage collector would scan them repeatedly.

    Parameters
    ----------
    kind
        What a row is, for rejects.
    key
        Columns that name the report.
    columns
        Columns that are used.
    """

    def __init__(self, kind: str, key: Sequence[str], columns: Sequence[str]) -> None:
        self._kind, self._key, self._columns = kind, tuple(key), tuple(columns)
        self._rows: dict[str, list[str]] = defaultdict(list)

    def read(
        self, table: DelimitedTable, known: Container[str], earlier: Container[str] = ()
    ) -> Iterator[Rejected]:
        """Read the rows of a table; yield those that are damaged or of no known report.

        Parameters
        ----------
        known, earlier
            Keys of reports, and of those whose rows are not used since a later one replaces them.
        """
        header = table.header
        header.require(*self._key)
        key_at = [header.index(name) for name in self._key]
        columns_at = [header.index(name) for name in self._columns]
        for row in table.rows:
            if isinstance(row, Rejected):
                yield row
                continue
            key = key_of(*(row.fields[at] for at in key_at))
            if key in known:
                text = _BETWEEN.join([row.fields[at] for at in columns_at])
                if text.count(_BETWEEN) == len(self._columns) - 1:
                    self._rows[key].append(text)
                else:
                    yield header.reject(row, "a row must have no control character U+001F; got one")
            elif key not in earlier:
                named = " ".join(key.split(_BETWEEN))[:40]
                reason = f"a {self._kind} row must have a readable report; got none for {named!r}"
                yield header.reject(row, reason)

    def of(self, key: str) -> list[list[str]]:
        """Return the columns of the rows of a report, in their order."""
        return [row.split(_BETWEEN) for row in self._rows.get(key, ())]
