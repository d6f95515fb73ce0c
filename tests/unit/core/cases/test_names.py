"""Names made comparable, and what the suspect products of a report name and state."""

from datetime import date
from typing import Any

import pytest

from schemas.product import Product
from schemas.vocabulary import ProductRole
from streams.core.cases.chronology import parse_course
from streams.core.cases.names import (
    OF_DOMAIN,
    SEPARATOR,
    joined_names,
    names_of_reaction,
    suspects,
)
from streams.core.cases.provenance import DOSE, INDICATION, ONSET


@pytest.mark.parametrize(
    ("reported", "name"),
    [
        ("zinc", "zinc"),
        ("Zinc .", "zinc"),
        ("  zinc\u3000 OXIDE\n", "zinc oxide"),
        ("ＥＸ－117", "ex-117"),
        (f"zinc{SEPARATOR}iron", "zinc iron"),
        ("lot:A1", "lot: a1"),  # what a sender writes is no level
        ("LOT:A1", "lot: a1"),
        (" \t ", ""),
        ("zi\u200bnc\x07 oxide\u202e", "zinc oxide"),
        ("e\u200b\u0301", "\u00e9"),  # what is hidden keeps no accent apart
        ("l\u2060ot:A1", "lot: a1"),
        ("\u202e\x1b\u3164", ""),
    ],
)
def test_a_name_is_compared_without_width_white_space_and_marks(reported: str, name: str) -> None:
    expected = (name,) if name else ()
    assert names_of_reaction(reported)[0] == expected
    assert names_of_reaction(name)[0] == expected


def test_a_term_counts_for_its_hazard_family_too() -> None:
    assert names_of_reaction("SEPSIS") == (("sepsis", "family:infection"), "SEPSIS")
    assert names_of_reaction(" Rash. ") == (("rash",), "")
    assert names_of_reaction(" ")[0] == ()


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["b"], "b"),
        (["b", "a"], "a\x1fb"),
        (["a", "b"], "a\x1fb"),
        (["a", "a"], "a"),
        (["c", "a", "b", "a"], "a\x1fb\x1fc"),
    ],
)
def test_names_in_one_text_are_sorted_and_stand_once(names: list[str], text: str) -> None:
    assert joined_names(names) == text


@pytest.mark.parametrize(
    ("stated", "bits"),
    [
        ({}, 0),
        ({"indication": "Pain"}, INDICATION),
        ({"indication": " "}, 0),
        ({"dose": "1 mg"}, DOSE),
        ({"volume_ml": 0.0}, DOSE),
        ({"first_given": date(2024, 1, 2)}, ONSET),
        ({"first_given": date(2024, 1, 3)}, 0),  # after the onset
        ({"product_class": "msc-supernatant-exosome"}, OF_DOMAIN),
        ({"verbatim": "exosome"}, OF_DOMAIN),
        ({"role": ProductRole.CONCOMITANT, "dose": "1 mg"}, 0),
    ],
)
def test_what_a_suspect_product_states(stated: dict[str, Any], bits: int) -> None:
    product = Product(**{"substances": ("zinc",), **stated})
    assert suspects([product], date(2024, 1, 2))[2] == bits


def test_a_course_is_of_every_drug_of_its_product() -> None:
    products = [
        Product(substances=("lead",)),
        Product(substances=("zinc", "iron"), dechallenge=True),
    ]
    drugs, indications, _, courses, _ = suspects(products, None)
    assert (drugs, indications) == (["lead", "zinc", "iron"], [])
    assert {name: parse_course(code).dechallenge for name, code in courses.items()} == {
        "zinc": True,
        "iron": True,
    }


def test_a_drug_whose_name_nobody_sees_counts_under_the_next_name() -> None:
    product = Product(substances=("\u202e\x00",), verbatim="Zin\u200bc", indication="\u2066")
    assert suspects([product], None)[:2] == (["zinc"], [])
    assert suspects([Product(substances=("\u202e",), verbatim="\x00")], None)[0] == []


def test_a_drug_is_spelt_as_the_first_of_its_spellings_unless_that_is_usual() -> None:
    products = [
        Product(substances=("zinc", "Zinc", "IRON", "ACME (Lead).")),
        Product(substances=("iron",)),
        Product(product_class="engineered-ev"),
        Product(verbatim="lot:A1 "),
        Product(substances=("Tin",), role=ProductRole.CONCOMITANT),
    ]
    drugs, _, _, _, spelt = suspects(products, None)
    assert drugs == ["zinc", "zinc", "iron", "lead", "iron", "engineered-ev", "lot: a1"]
    assert spelt == {"zinc": "Zinc", "lead": "Lead", "lot: a1": "lot: A1"}
