"""Rows of a line listing: the pair's product and reaction of each case."""

from schemas.product import Product
from schemas.report import Report
from streams.console.cases.listing import case_row, listed, plain_row
from streams.delivery.api.line_listing import KnownVersion, case_line
from tests.support.reports import make_report
from tests.support.signal_pages import ReplayedDesk


def _known(report: Report, position: int = 0) -> KnownVersion:
    return KnownVersion(case_line(report), report.message_id, "pv.reports[0]", position)


def test_the_latest_received_comes_first_and_new_ones_are_marked(amended: ReplayedDesk) -> None:
    alert = amended.alerts[-1]
    with amended.desk.service.model() as model:
        rows = listed(alert, model.versions(alert.case_ids), {"Z010"})
    assert [row.line.case_id for row in rows] == [
        *("Z010", "Z009", "Z008", "Z007", "Z006", "Z004", "Z002", "Z001")
    ]
    assert [row.line.case_id for row in rows if row.is_new] == ["Z010"]
    assert {row.line.case_id: row.versions for row in rows}["Z004"] == (1, 2)


def test_product_and_reaction_are_those_of_the_pair() -> None:
    report = make_report(
        products=(
            Product(substances=("Iron",)),
            Product(substances=("ZINC",), lot="a-1"),
        ),
        events=("Fever", "RASH"),
    )
    row = case_row("zinc|rash|cumulative", [_known(report)], is_new=False)
    assert row.product is not None
    assert row.reaction is not None
    assert (row.product.substances, row.reaction.term) == (("ZINC",), "RASH")
    assert row.given_with == ("Iron",)
    other = case_row("gold|cough|cumulative", [_known(report)], is_new=False)
    assert (other.product, other.reaction) == (None, None)


def test_a_lot_is_found_by_its_mark() -> None:
    report = make_report(products=(Product(substances=("zinc",), lot="EX-117"),))
    row = case_row("lot:EX117|rash|cumulative", [_known(report)], is_new=False)
    assert row.product is not None
    assert row.product.lot == "EX117"


def test_the_current_version_is_the_highest_not_the_last_to_come() -> None:
    versions = [
        _known(make_report(version=version), position) for position, version in enumerate((1, 3, 2))
    ]
    assert case_row("zinc|rash|cumulative", versions, is_new=False).line.version == 3


def test_a_case_without_a_pair_shows_its_first_suspect() -> None:
    row = plain_row(case_line(make_report(drugs=("zinc", "iron"))))
    assert row.product is not None
    assert row.product.substances == ("zinc",)
    assert row.given_with == ("iron", "zinc")
