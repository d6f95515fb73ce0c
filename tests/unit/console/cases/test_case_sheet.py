"""Cases as CSV: the fields of the listing, and no cell that a spreadsheet runs."""

import csv
from datetime import date
from io import StringIO

from schemas.product import Product
from schemas.report import Reaction
from schemas.vocabulary import Outcome
from streams.console.cases.case_sheet import case_sheet
from streams.console.cases.listing import plain_row
from streams.delivery.api.line_listing import case_line
from tests.support.reports import make_report


def test_no_cell_is_a_formula() -> None:
    evil = '=HYPERLINK("http://evil")'
    report = make_report(
        "=1+1",
        products=(
            Product(substances=("zinc",), lot="+1"),
            Product(substances=(evil,)),
        ),
        reactions=(Reaction(term="@SUM(1)"),),
    )
    content = case_sheet([plain_row(case_line(report))]).decode("utf-8-sig")
    (row,) = csv.DictReader(StringIO(content))
    assert row["case_id"] == "'=1+1"
    assert row["given_with"].startswith("'=")
    assert not [cell for cell in row.values() if cell and cell[0] in "=+-@"]


def test_what_is_not_stated_is_empty() -> None:
    (row,) = csv.DictReader(
        StringIO(case_sheet([plain_row(case_line(make_report()))]).decode("utf-8-sig"))
    )
    assert (row["onset"], row["lot"], row["dechallenge"], row["is_new"]) == ("", "", "", "no")
    assert row["first_received"] == "2024-02-29"


def test_facts_of_reaction_and_product_are_cells() -> None:
    onset = date(2024, 2, 3)
    report = make_report(
        products=(Product(substances=("zinc",), lot="A1", dechallenge=True),),
        reactions=(Reaction(term="Rash", onset=onset, outcome=Outcome.RECOVERED),),
    )
    content = case_sheet([plain_row(case_line(report))]).decode("utf-8-sig")
    (row,) = csv.DictReader(StringIO(content))
    assert (row["onset"], row["outcome"]) == ("2024-02-03", "recovered")
    assert (row["lot"], row["dechallenge"], row["rechallenge"]) == ("A1", "yes", "")
