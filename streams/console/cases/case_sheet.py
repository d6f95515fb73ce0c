"""Cases of a signal as CSV, with cells that no spreadsheet runs as formulas."""

from collections.abc import Iterable

from streams.console.cases.listing import CaseRow
from streams.exports.spreadsheet import Cell, Sheet, csv_bytes

__all__ = ["case_sheet"]

_COLUMNS = (
    *("case_id", "version", "is_new", "first_received", "latest_received", "country"),
    *("age_group", "sex", "onset", "onset_days", "outcome", "seriousness", "verification"),
    *("reporter", "qualification", "lot", "dechallenge", "rechallenge", "given_with"),
)


def case_sheet(rows: Iterable[CaseRow]) -> bytes:
    """Return the lines of cases as CSV in UTF-8, with the fields of the line listing."""
    return csv_bytes(Sheet("cases", _COLUMNS, [_cells(row) for row in rows]))


def _cells(row: CaseRow) -> list[Cell]:
    line, reaction, product = row.line, row.reaction, row.product
    return [
        line.case_id,
        line.version,
        _yes_no(row.is_new),
        line.first_received,
        line.latest_received,
        line.country,
        line.age_group,
        line.sex,
        None if reaction is None else reaction.onset,
        None if reaction is None else reaction.onset_days,
        None if reaction is None else reaction.outcome,
        "; ".join(line.seriousness),
        line.verification,
        line.reporter,
        line.qualification,
        None if product is None else product.lot,
        None if product is None else _yes_no(product.dechallenge),
        None if product is None else _yes_no(product.rechallenge),
        "; ".join(row.given_with),
    ]


def _yes_no(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"
