"""What of a report is counted: its drugs, events, seriousness, and why it may not be."""

from datetime import date
from typing import Any

import pytest

from schemas.product import Product
from schemas.report import Link, Reaction, Revision
from schemas.vocabulary import (
    LinkKind,
    Outcome,
    ProductRole,
    RevisionKind,
    Seriousness,
    VerificationState,
)
from tests.support.reports import NULLIFIED
from tests.support.versions import make_version

DUPLICATE = Link(kind=LinkKind.DUPLICATE_OF, case_id="M")


@pytest.mark.parametrize(
    ("product", "drugs"),
    [
        ({"substances": ("zinc", "iron")}, ["iron", "zinc"]),
        ({"substances": ("zinc", "zinc")}, ["zinc"]),
        ({"substances": ("zinc",), "product_class": "metal", "verbatim": "Zn"}, ["zinc"]),
        ({"product_class": "peptide", "verbatim": "Pep-1"}, ["peptide"]),
        ({"verbatim": "Exo-1"}, ["exo-1"]),
        ({}, []),
        ({"verbatim": " \t "}, []),
        ({"substances": (" ",), "product_class": " ", "verbatim": "Exo-1"}, ["exo-1"]),
        ({"substances": (" ", "zinc"), "product_class": "metal"}, ["zinc"]),
        ({"substances": ("  zinc\u3000 oxide ",)}, ["zinc oxide"]),
        ({"substances": ("ＥＸ－117",)}, ["ex-117"]),
        ({"substances": ("zinc\x1foxide",)}, ["zinc oxide"]),
        ({"substances": ("Zinc", "zinc")}, ["zinc"]),
    ],
)
def test_drugs_are_substances_else_class_else_the_name_as_reported(
    product: dict[str, Any], drugs: list[str]
) -> None:
    version = make_version(products=(Product(**product),))
    assert list(filter(None, version.drugs.split("\x1f"))) == drugs


@pytest.mark.parametrize(
    ("role", "counted"),
    [
        (ProductRole.SUSPECT, True),
        (ProductRole.INTERACTING, True),
        (ProductRole.CONCOMITANT, False),
        (ProductRole.NOT_ADMINISTERED, False),
    ],
)
def test_only_suspect_and_interacting_products_count(role: ProductRole, counted: bool) -> None:
    version = make_version(products=(Product(substances=("zinc",), role=role),))
    assert (version.drugs, version.excluded) == (
        ("zinc", "") if counted else ("", "no_suspect_product")
    )


def test_events_are_distinct_normalised_terms() -> None:
    terms = ("Rash", " RASH. ", "Ｒａｓｈ", "Injection\nsite pain", "\x1f")
    version = make_version(reactions=tuple(Reaction(term=term) for term in terms))
    assert version.events == "injection site pain\x1frash"


def test_exclusions_apply_in_order_and_each_is_the_first_that_holds() -> None:
    fields: dict[str, Any] = {
        "revision": NULLIFIED,
        "links": (DUPLICATE,),
        "verification": VerificationState.RUMOUR,
        "products": (),
        "reactions": (),
    }
    reasons = ["nullified", "duplicate", "unverified", "no_suspect_product", "no_reaction"]
    for mended, reason in enumerate(reasons):
        broken = dict(list(fields.items())[mended:])
        assert make_version(**broken).excluded == reason
    assert make_version().excluded == ""


@pytest.mark.parametrize("state", VerificationState)
def test_only_confirmed_reports_are_counted(state: VerificationState) -> None:
    counted = {"valid_icsr", "hcp_confirmed", "authority_confirmed"}
    excluded = "" if state.value in counted else "unverified"
    assert make_version(verification=state).excluded == excluded


@pytest.mark.parametrize("kind", LinkKind)
def test_only_a_duplicate_is_kept_out_for_its_links(kind: LinkKind) -> None:
    excluded = "duplicate" if kind is LinkKind.DUPLICATE_OF else ""
    assert make_version(links=(Link(kind=kind, case_id="M"),)).excluded == excluded


def test_an_amendment_counts_like_any_version() -> None:
    amended = make_version(revision=Revision(kind=RevisionKind.AMENDMENT, reason="typing error"))
    assert (amended.excluded, amended.nullified) == ("", 0)


@pytest.mark.parametrize(
    ("changes", "serious", "fatal"),
    [
        ({}, False, False),
        ({"seriousness": (Seriousness.HOSPITALISATION,)}, True, False),
        ({"seriousness": (Seriousness.DEATH,)}, True, True),
        ({"reactions": (Reaction(term="Rash", outcome=Outcome.FATAL),)}, True, True),
    ],
)
def test_a_fatal_case_is_serious(changes: dict[str, Any], serious: bool, fatal: bool) -> None:
    version = make_version(**changes)
    assert (version.serious, version.fatal) == (serious, fatal)


def test_days_are_counted_from_1970() -> None:
    version = make_version(first_received=date(1969, 12, 31), latest_received=date(1970, 1, 2))
    assert (version.day, version.latest_received) == (-1, 1)
