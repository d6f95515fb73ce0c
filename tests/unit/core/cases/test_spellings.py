"""Spellings beside names: which are usual, which hold in a case, which are shown."""

import pytest

from schemas.product import Product
from schemas.report import Reaction
from streams.core.cases.spellings import (
    first_spellings,
    joined_spellings,
    most_frequent,
    one_spelling_each,
    usual_drug,
    usual_event,
)
from tests.support.versions import make_version


@pytest.mark.parametrize(
    ("name", "drug", "event"),
    [
        ("zinc oxide", "ZINC OXIDE", "Zinc oxide"),
        ("lot:EX117", "lot:EX117", "lot:EX117"),
        ("lot: ex117", "LOT: EX117", "Lot: ex117"),
        ("facility:C-a", "facility:C-a", "facility:C-a"),
        ("family:infection", "family:infection", "family:infection"),
        ("engineered-ev", "engineered-ev", "Engineered-ev"),
    ],
)
def test_a_name_has_a_usual_spelling(name: str, drug: str, event: str) -> None:
    assert (usual_drug(name), usual_event(name)) == (drug, event)


def test_of_several_spellings_in_a_case_the_first_holds_and_the_usual_takes_no_room() -> None:
    spelt = [("zinc", "zinc"), ("zinc", "Zinc"), ("iron", "iron"), ("iron", ""), ("tin", "")]
    assert first_spellings(spelt, usual_drug) == {"zinc": "Zinc"}
    assert first_spellings(reversed(spelt), usual_drug) == {"zinc": "Zinc"}
    assert joined_spellings("iron\x1flead\x1fzinc", {"zinc": "Zinc"}) == "\x1f\x1fZinc"


def test_the_most_frequent_spelling_is_shown_and_of_equals_the_first() -> None:
    assert most_frequent({"rash": 2, "Rash": 3}) == "Rash"
    assert most_frequent({"rash": 3, "Rash": 3, "RASH": 2}) == "Rash"
    terms = ["rash", "Rash.", "RASH", "Rash", "\x1f", "COVID-19"]
    assert one_spelling_each(terms) == ("COVID-19", "Rash")
    assert one_spelling_each(reversed(terms)) == ("COVID-19", "Rash")


def test_a_version_keeps_spellings_that_are_not_usual() -> None:
    usually = make_version(
        products=(Product(substances=("ZINC", "IRON")),), reactions=(Reaction(term="Rash"),)
    )
    assert (usually.drugs, usually.events) == ("iron\x1fzinc", "rash")
    assert (usually.drug_spellings, usually.event_spellings) == ("", "")
    otherwise = make_version(
        products=(Product(substances=("Zinc", "IRON")),), reactions=(Reaction(term="RASH"),)
    )
    assert (otherwise.drugs, otherwise.events) == ("iron\x1fzinc", "rash")
    assert (otherwise.drug_spellings, otherwise.event_spellings) == ("\x1fZinc", "RASH")
    assert not usually.counts_as(otherwise)
