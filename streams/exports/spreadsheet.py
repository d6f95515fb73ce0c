"""Tables as CSV and XLSX files, protected against formula injection.

A spreadsheet runs any cell that begins with `=` as a formula, and drug names typed by reporters end
up in cells. Text that could be read as a formula therefore gets a leading `'`, which marks text in
spreadsheets; quoting alone does not help. Numbers such as -0.5 are written as numbers.
"""

import csv
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path

from xlsxwriter import Workbook

from schemas.errors import InputError
from schemas.visible_text import visible
from streams.exports.result_file import result_file

__all__ = ["Cell", "Sheet", "csv_bytes", "defused", "write_csv", "write_table"]

Cell = str | int | float | date | None

_SIGNS = frozenset("=+-@\N{MINUS SIGN}")
_BREAKS = ("\t", "\r", "\n")
_NUMBER, _WHOLE, _DAY = "0.00", "0", "yyyy-mm-dd"
_WIDEST = 45  # characters; maximum width of a column
_MOST_ROWS, _LONGEST = 1_048_575, 32_767  # rows and characters; XLSX silently drops more


@dataclass(frozen=True)
class Sheet:
    """One table.

    Attributes
    ----------
    name
        Name of the sheet, in XLSX.
    columns
        Column headings.
    rows
        Rows with one cell per heading; `None` is an empty cell.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def defused(text: str) -> str:
    r"""Return text that no spreadsheet runs as a formula.

    Signs of any width are covered, since some spreadsheets read them as ASCII signs, and signs
    behind blanks or characters that nobody sees, since some drop these: NUL, escape, zero width,
    marks and overrides of writing direction.

    >>> print(defused('=HYPERLINK("http://evil")'), defused("zinc"))
    '=HYPERLINK("http://evil") zinc
    >>> defused("\u200b\x00 ＝1+1")
    "'\u200b\x00 ＝1+1"
    """
    first = unicodedata.normalize("NFKC", visible(text).lstrip()[:1])
    return f"'{text}" if first in _SIGNS or text.startswith(_BREAKS) else text


def write_table(path: Path, sheets: Sequence[Sheet], *, made: date) -> None:
    """Write sheets as XLSX, or the first of them as CSV, by the suffix of the path.

    CSV is UTF-8 with a byte order mark, which spreadsheets need to read Japanese; text is quoted.

    Parameters
    ----------
    made
        Creation day in the properties of the file, so that the same content gives the same bytes.

    Raises
    ------
    InputError
        If the suffix is neither `.csv` nor `.xlsx`, or XLSX lacks its library or cannot hold it.
    """
    if path.suffix == ".csv":
        write_csv(path, sheets[0])
    elif path.suffix == ".xlsx":
        for sheet in sheets:
            _require_room(path, sheet)
        with result_file(path) as part:
            _write_xlsx(part, sheets, made)
    else:
        msg = f"{path}: the file to write must end with .csv or .xlsx; got {path.suffix!r}"
        raise InputError(msg)


def write_csv(path: Path, sheet: Sheet) -> None:
    """Write one sheet as CSV, regardless of the suffix."""
    with result_file(path) as part:
        part.write_bytes(csv_bytes(sheet))


def csv_bytes(sheet: Sheet) -> bytes:
    """Return one sheet as CSV in UTF-8, with a byte order mark."""
    with StringIO(newline="") as out:
        # All text is quoted: where `;` separates cells, text with one would be split.
        writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow([defused(name) for name in sheet.columns])
        for row in sheet.rows:
            writer.writerow([_plain(cell) for cell in row])
        return out.getvalue().encode("utf-8-sig")


def _plain(cell: Cell) -> str | int | float:
    if cell is None:
        return ""
    if isinstance(cell, date):
        return cell.isoformat()
    return defused(cell) if isinstance(cell, str) else cell


def _write_xlsx(path: Path, sheets: Sequence[Sheet], made: date) -> None:
    book = Workbook(path)
    book.set_properties({"created": datetime(made.year, made.month, made.day, tzinfo=UTC)})
    bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
    formats = {kind: book.add_format({"num_format": kind}) for kind in (_NUMBER, _WHOLE, _DAY)}
    for sheet in sheets:
        page = book.add_worksheet(sheet.name)
        page.freeze_panes(1, 0)
        for column, name in enumerate(sheet.columns):
            page.write_string(0, column, defused(name), bold)
            texts = [len(str(row[column])) for row in sheet.rows[:1000] if row[column] is not None]
            page.set_column(column, column, min(max([9, *texts]) + 1, _WIDEST))
        for number, row in enumerate(sheet.rows, 1):
            for column, cell in enumerate(row):
                if isinstance(cell, str):
                    # Never `write`: it turns text into formulas and links.
                    page.write_string(number, column, defused(cell))
                elif isinstance(cell, date):
                    page.write_datetime(number, column, cell, formats[_DAY])
                elif cell is not None:
                    page.write_number(
                        number, column, cell, formats[_WHOLE if isinstance(cell, int) else _NUMBER]
                    )
        if sheet.rows:
            page.autofilter(0, 0, len(sheet.rows), len(sheet.columns) - 1)
    book.close()


def _require_room(path: Path, sheet: Sheet) -> None:
    texts = (defused(cell) for row in sheet.rows for cell in row if isinstance(cell, str))
    longest = max(map(len, texts), default=0)
    for got, most, what in (
        (len(sheet.rows), _MOST_ROWS, "rows"),
        (longest, _LONGEST, "characters"),
    ):
        if got > most:
            msg = f"{path}: a sheet or cell holds at most {most} {what}; got {got}: write .csv"
            raise InputError(msg)
