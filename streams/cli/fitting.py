"""Tables that fit a terminal: columns no narrower than their words, else a record a row.

Rich narrows the widest columns until a table fits, through words and numbers if it must. Here a
column keeps its longest word. What is wider than the terminal even so is printed as records: for
each row the headings, one below the other, with their values.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

if TYPE_CHECKING:
    from streams.cli.terminal import Console

__all__ = ["fits", "fitted"]

_UNBROKEN = 24  # characters; a longer word of a folded column is an id or a key
_ENDLESS = 10_000  # columns of a console on which nothing wraps


def fitted(table: Table, console: "Console") -> RenderableType:
    """Return a table with widths set, or its records, such that no word is broken.

    Columns whose overflow is 'fold' hold ids and keys, which may be broken anywhere if they are
    longer than words are.
    """
    wide, room = _extents(table, console)
    if sum(extent.maximum for extent in wide) <= room:
        return table
    if sum(extent.minimum for extent in wide) > room:
        return _records(table, console)
    for column, width in zip(table.columns, _shared(room, wide), strict=True):
        column.width = width
    return table


def fits(table: Table, console: "Console") -> bool:
    """Return whether a table stays one: each column is given its longest word."""
    wide, room = _extents(table, console)
    return sum(extent.minimum for extent in wide) <= room


def _extents(table: Table, console: "Console") -> tuple[list[Measurement], int]:
    """Return the extent of each column, and the width that all have together."""
    wide = [_extent(column, console) for column in table.columns]
    frame = _measured(table, console).maximum - sum(extent.maximum for extent in wide)
    return wide, console.width - frame


def _measured(part: RenderableType, console: "Console") -> Measurement:
    return Measurement.get(console, console.options.update(width=_ENDLESS), part)


def _extent(column: Column, console: "Console") -> Measurement:
    """Return the width of a column's longest word, and that of its longest line."""
    parts = [_text(part, console) for part in (column.header, *column.cells)]
    lines = [_measured(part, console) for part in parts]
    maximum = max(line.maximum for line in lines)
    if column.no_wrap:
        return Measurement(maximum, maximum)
    if column.overflow != "fold":
        return Measurement(max(line.minimum for line in lines), maximum)
    words = (Text(word).cell_len for part in parts for word in part.plain.split() if _is_word(word))
    return Measurement(max(words, default=1), maximum)


def _is_word(word: str) -> bool:
    return len(word) <= _UNBROKEN and "|" not in word


def _text(part: RenderableType, console: "Console") -> Text:
    if isinstance(part, str):
        return console.render_str(part, highlight=False)
    assert isinstance(part, Text), "tables of the command line hold texts"
    return part


def _shared(room: int, wide: Sequence[Measurement]) -> list[int]:
    """Return the widths: each its minimum, and of what remains as it needs more than that."""
    left, needed = room - sum(extent.minimum for extent in wide), sum(one.span for one in wide)
    widths = []
    for extent in wide:
        more = left * extent.span // max(needed, 1)
        widths.append(extent.minimum + more)
        left, needed = left - more, needed - extent.span
    return widths


def _records(table: Table, console: "Console") -> Group:
    """Return the rows of a table as records."""
    headings = [_text(column.header, console) for column in table.columns]
    records = Table.grid(padding=(0, 2, 0, 0))
    records.add_column(style="dim", max_width=_UNBROKEN)
    records.add_column(overflow="fold")
    for row in zip(*(column.cells for column in table.columns), strict=True):
        texts = [_text(cell, console) for cell in row]
        for heading, text in zip(headings, texts, strict=True):
            records.add_row(heading, text)
        records.add_row("", "")
    parts = [_text(part, console) for part in (table.title, table.caption) if part]
    title, caption = parts[: bool(table.title)], parts[bool(table.title) :]
    return Group(*title, records, *caption)
