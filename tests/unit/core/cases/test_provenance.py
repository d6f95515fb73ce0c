"""Who a case came from, and how complete its report is."""

from datetime import date
from typing import Any

import pytest

from schemas.product import Product
from schemas.report import Patient, Reaction, Reporter
from schemas.vocabulary import (
    AgeGroup,
    LinkBasis,
    LinkState,
    Outcome,
    ProductRole,
    Qualification,
    ReporterKind,
    ReportType,
    Sex,
)
from streams.core.cases.from_report import link_version
from streams.core.cases.provenance import Origin, parse_origin
from streams.core.cases.transitions import CaseVersion, advance
from tests.support.versions import make_link, make_version

GIVEN, ONSET = date(2024, 2, 1), date(2024, 2, 3)
WHOLE: dict[str, Any] = {
    "report_type": ReportType.SPONTANEOUS,
    "occurrence_country": "JP",
    "reporter": Reporter(kind=ReporterKind.CONSUMER),
    "patient": Patient(age_years=40.0, sex=Sex.FEMALE),
    "products": (Product(substances=("zinc",), indication="Acne", dose="1 mg", first_given=GIVEN),),
    "reactions": (Reaction(term="Rash", onset=ONSET, outcome=Outcome.RECOVERED),),
}


def _version(**changes: Any) -> CaseVersion:
    return make_version(**{**WHOLE, **changes})


def _product(**changes: Any) -> dict[str, Any]:
    return {"products": (WHOLE["products"][0].model_copy(update=changes),)}


def _reaction(**changes: Any) -> dict[str, Any]:
    return {"reactions": (WHOLE["reactions"][0].model_copy(update=changes),)}


@pytest.mark.parametrize(
    ("changes", "percent"),
    [
        ({}, 100),
        (_reaction(onset=None), 50),
        (_reaction(onset=None, onset_days=0), 100),
        (_reaction(onset=date(2024, 1, 31)), 50),  # before the product
        (_reaction(onset=GIVEN), 100),
        (_product(first_given=None), 50),
        (_product(indication=None), 70),
        (_product(indication=" "), 70),
        (_reaction(outcome=Outcome.UNKNOWN), 70),
        ({"patient": Patient(age_years=40.0)}, 70),
        ({"patient": Patient(sex=Sex.MALE)}, 70),
        ({"patient": Patient(sex=Sex.MALE, age_group=AgeGroup.ADULT)}, 100),
        (_product(dose=None), 90),
        (_product(dose=None, volume_ml=0.0), 100),
        ({"occurrence_country": None}, 90),
        ({"occurrence_country": None, "reporter": Reporter(country="JP")}, 90),
        ({"reporter": Reporter()}, 90),
        ({"reporter": Reporter(qualification=Qualification.LAWYER)}, 100),
        ({"report_type": ReportType.UNKNOWN}, 90),
        ({"patient": Patient()}, 49),
        # 0.5 x 0.7^4 x 0.9^4 = 0.0788
        (
            {
                **_product(indication=None, dose=None),
                "reactions": (Reaction(term="Rash"),),
                "patient": Patient(),
                "occurrence_country": None,
                "reporter": Reporter(),
                "report_type": ReportType.UNKNOWN,
            },
            8,
        ),
    ],
)
def test_what_is_not_stated_takes_its_share_off(changes: dict[str, Any], percent: int) -> None:
    assert _version(**changes).completeness == percent


def test_one_product_and_one_reaction_that_state_it_suffice() -> None:
    bare = Product(substances=("iron",))
    other = Product(substances=("lead",), role=ProductRole.CONCOMITANT, indication="Pain", dose="2")
    more = {
        "products": (bare, *WHOLE["products"], other),
        "reactions": (Reaction(term="Fever"), *WHOLE["reactions"]),
    }
    assert _version(**more).completeness == 100
    # What only a product that is not suspect states is not stated of a suspect one.
    assert _version(products=(bare, other)).completeness == round(100 * 0.5 * 0.7 * 0.9)


@pytest.mark.parametrize(
    ("changes", "origin"),
    [
        ({}, Origin("native", False, "JP", sender_stated=False)),
        ({"source": "vaers"}, Origin("vaers", False, "JP", sender_stated=False)),
        ({"source": "vaers", "sender": "vaers"}, Origin("vaers", False, "JP")),
        ({"sender": " \x1f "}, Origin("native", False, "JP", sender_stated=False)),
        ({"source": "faers", "sender": " PHARMA\x1f  A"}, Origin("PHARMA A", False, "JP")),
        (
            {"reporter": Reporter(qualification=Qualification.PHYSICIAN, country="US")},
            Origin("native", True, "JP", sender_stated=False),
        ),
        (
            {
                "occurrence_country": None,
                "reporter": Reporter(qualification=Qualification.LAWYER, country="US"),
            },
            Origin("native", False, "US", sender_stated=False),
        ),
        ({"occurrence_country": None}, Origin("native", False, "", sender_stated=False)),
    ],
)
def test_an_origin_is_source_qualification_and_country(
    changes: dict[str, Any], origin: Origin
) -> None:
    assert parse_origin(_version(**changes).origin) == origin


@pytest.mark.parametrize(
    ("codings", "dictionaries"),
    [
        ([("MedDRA", "27.0")], ("MedDRA 27.0",)),
        ([("MedDRA", "27.0")] * 3, ("MedDRA 27.0",)),
        (
            [("MedDRA", "27.0"), ("MedDRA", "9.1"), ("MedDRA", "27.0")],
            ("MedDRA 27.0", "MedDRA 9.1"),
        ),
        ([("WHO-ART", None), (None, None), ("MedDRA", "27.0")], ("MedDRA 27.0", "WHO-ART")),
        ([(" Med\x1fDRA ", " 27\x1f0 ")], ("Med DRA 27 0",)),
        ([("MedDRA", " ")], ("MedDRA",)),
        ([(None, "27.0")], ()),
        ([(" ", "27.0"), ("", None)], ()),
        # Nobody is let write thousands of them into one text.
        ([("X", f"{n:02}") for n in range(30, 0, -1)], tuple(f"X {n:02}" for n in range(1, 9))),
    ],
)
def test_an_origin_names_the_dictionaries_that_reactions_are_coded_in(
    codings: list[tuple[str | None, str | None]], dictionaries: tuple[str, ...]
) -> None:
    reactions = tuple(
        Reaction(term="Rash", dictionary=name, dictionary_version=version)
        for name, version in codings
    )
    found = _version(reactions=reactions, sender="A").origin
    assert parse_origin(found) == Origin("A", False, "JP", True, dictionaries)
    assert found.split("\x1f")[:3] == _version(sender="A").origin.split("\x1f")


def test_an_origin_without_a_dictionary_has_three_parts_as_before() -> None:
    assert _version(sender="A").origin == "JP\x1f\x1fA"
    assert parse_origin("JP\x1f\x1fA").dictionaries == ()


def test_indications_are_those_of_suspect_products_each_once() -> None:
    products = [
        ("Pain", ProductRole.SUSPECT),
        ("ＡCNE ", ProductRole.INTERACTING),
        ("Acne", ProductRole.SUSPECT),
        ("Cancer", ProductRole.CONCOMITANT),
        (None, ProductRole.SUSPECT),
    ]
    version = _version(
        products=tuple(
            Product(substances=("zinc",), role=role, indication=text) for text, role in products
        )
    )
    assert version.indications == "acne\x1fpain"


def test_a_suspicion_is_a_change_of_the_case_and_ends_when_somebody_decides() -> None:
    held = {"A": _version()}
    steps = [
        (LinkBasis.PROBABLE, LinkState.SUSPECTED, [(False, -1), (True, 1)]),
        (LinkBasis.MANUAL, LinkState.SUSPECTED, []),  # a person suspects it as well
        (LinkBasis.MANUAL, LinkState.REVERSED, [(True, -1), (False, 1)]),
        (LinkBasis.SOURCE_ID, LinkState.SUSPECTED, []),  # the person's word holds
        (LinkBasis.MANUAL, LinkState.SUSPECTED, [(False, -1), (True, 1)]),
        (LinkBasis.SOURCE_ID, LinkState.APPLIED, [(True, -1)]),  # no longer counted
        (LinkBasis.SOURCE_ID, LinkState.REVERSED, [(True, 1)]),
    ]
    for number, (basis, state, changes) in enumerate(steps, start=1):
        step = advance([link_version(make_link(state, basis, decision=number))], held)
        assert step.changes.select("suspected_duplicate", "n").rows() == changes, number
        held |= step.updates


@pytest.mark.parametrize(
    ("sender", "source", "is_stated"),
    [
        ("Cli\u200bnic\x07 A\u202e", "Clinic A", True),
        ("\u202e\x00", "native", False),
    ],
)
def test_a_sender_is_known_by_what_is_seen_of_it(sender: str, source: str, is_stated: bool) -> None:
    origin = parse_origin(_version(sender=sender).origin)
    assert (origin.source, origin.sender_stated) == (source, is_stated)


def test_a_dictionary_is_known_by_what_is_seen_of_it() -> None:
    reactions = (Reaction(term="Rash", dictionary="Med\u200bDRA", dictionary_version="27.0\x00"),)
    origin = parse_origin(_version(reactions=reactions).origin)
    assert origin.dictionaries == ("MedDRA 27.0",)
