"""Cases of the domain's products: what is kept of a report, and how a delta carries it."""

from datetime import date
from typing import Any

import pytest

from schemas.product import Product, SourceMaterial
from schemas.report import Link, Reporter
from schemas.vocabulary import (
    Donor,
    LinkKind,
    Outcome,
    ProductRole,
    Qualification,
    Seriousness,
    SupplyRoute,
)
from streams.core.cases.chronology import parse_course
from streams.core.cases.domain_case import (
    add_level_courses,
    confounded,
    decode_domain_case,
    domain_case_of,
    encode_domain_case,
)
from tests.support.reports import domain_product, domain_report, make_report
from tests.support.versions import domain_case

DAY = date(1970, 1, 11)
CLASS = "msc-supernatant-exosome"
PROGRESSION = "Malignant neoplasm progression"


@pytest.mark.parametrize(
    "product",
    [
        Product(substances=("zinc",)),
        Product(product_class=CLASS, role=ProductRole.CONCOMITANT),
    ],
)
def test_a_case_without_a_suspect_product_of_the_domain_is_none(product: Product) -> None:
    assert domain_case_of(make_report(products=(product,)), "adult") is None
    assert encode_domain_case(None) == ""


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, {"received": 10, "onset": None, "serious": True, "fatal": False}),
        ({"reaction": {"onset": date(1970, 1, 8)}}, {"onset": 7}),
        ({"seriousness": ()}, {"serious": False, "fatal": False}),
        ({"seriousness": (Seriousness.DEATH,)}, {"serious": True, "fatal": True}),
        (
            {"seriousness": (), "reaction": {"outcome": Outcome.FATAL}},
            {"serious": True, "fatal": True},
        ),
        ({"product": {"lot": " ex-117 "}}, {"lots": ["EX117"], "lot_in_other_letters": False}),
        ({"product": {"lot": "ех-١١٧"}}, {"lots": ["EX117"], "lot_in_other_letters": True}),
        ({"product": {"manufacturer": "Ma\u200bker\x07 A"}}, {"manufacturers": ["Maker A"]}),
        ({"product": {"manufacturer": "\u202e"}}, {"manufacturers": []}),
        ({"sender": "Cli\u200bnic A"}, {"source": "Clinic A"}),
        ({"sender": "\u202e"}, {"source": "native"}),
        ({"product": {"facility_id": "C-A"}}, {"facilities": ["C-A"]}),
        ({"product": {"exposure_ongoing": False}}, {"exposure_ongoing": False}),
        (
            {"product": {"supply_route": SupplyRoute.PHYSICIAN_PRACTICE}},
            {"supply_route": "physician_practice"},
        ),
        (
            {"product": {"source_material": SourceMaterial(donor=Donor.ALLOGENEIC)}},
            {"donors": ["allogeneic"]},
        ),
        ({"product": {"route": "intra_articular"}}, {"routes": ["intra-articular"]}),
        ({"reaction": {"organism": "Escherichia coli"}}, {"stated": ["organism"]}),
        ({"occurrence_country": "JP"}, {"country": "JP"}),  # before the reporter's
        (
            {"reporter": Reporter(qualification=Qualification.LAWYER)},
            {"by_professional": False, "country": None},
        ),
        ({"links": (Link(kind=LinkKind.PART_OF, case_id="R-1"),)}, {"part_of": ["R-1"]}),
        ({"links": (Link(kind=LinkKind.DUPLICATE_OF, case_id="R-1"),)}, {"part_of": []}),
        ({"sender": "ACME", "source": "file"}, {"source": "ACME"}),
    ],
)
def test_what_is_kept_of_a_report(changes: dict[str, Any], kept: dict[str, Any]) -> None:
    case = domain_case("A", DAY, **changes)
    assert {name: getattr(case, name) for name in kept} == kept
    assert decode_domain_case(encode_domain_case(case)) == case


def test_of_several_products_the_first_names_the_class_and_all_are_kept() -> None:
    products = (
        domain_product("cell-product", lot="B2", facility_id="C-B"),
        Product(substances=("zinc",), lot="Z9"),
        domain_product(CLASS, lot="A1", exposure_ongoing=True),
    )
    case = domain_case_of(domain_report("A", DAY, products=products), "adult")
    assert case is not None
    assert (case.product_class, case.classes) == ("cell-product", ["cell-product", CLASS])
    assert (case.lots, case.facilities, case.exposure_ongoing) == (["A1", "B2"], ["C-B"], True)


@pytest.mark.parametrize(
    ("terms", "indications", "belong"),
    [
        (["Pain"], ["Pain"], ["Pain"]),
        (["Sepsis"], ["Pain"], []),
        ([PROGRESSION, "Sepsis"], ["Lung cancer stage IV"], [PROGRESSION]),
        ([PROGRESSION], [], []),
    ],
)
def test_a_reaction_may_be_what_was_treated(
    terms: list[str], indications: list[str], belong: list[str]
) -> None:
    assert confounded(terms, indications) == belong


def test_a_course_is_of_the_class_lot_and_facility_as_well() -> None:
    courses: dict[str, int] = {}
    products = [
        domain_product("cell-product", lot="A1", facility_id="C-A", dechallenge=True),
        domain_product("cell-product", facility_id="C-B"),  # states nothing of a course
        Product(substances=("zinc",), dechallenge=False),
    ]
    add_level_courses(courses, products)
    stated = {name: parse_course(code).dechallenge for name, code in courses.items()}
    assert {"cell-product", "lot:A1", "facility:C-A"} <= set(stated)
    assert set(stated.values()) == {True}
    assert not {"zinc", "facility:C-B"} & set(stated)
