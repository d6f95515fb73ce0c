"""What the case stage takes from a report, and what it does with its versions."""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl
import pytest

from schemas.delta import CASE_CHANGES
from schemas.product import Product
from schemas.report import Link, Reaction, Reporter, Revision
from schemas.vocabulary import (
    LinkKind,
    Outcome,
    ProductRole,
    Qualification,
    RevisionKind,
    Seriousness,
    VerificationState,
)
from streams.core.cases.transitions import CaseVersion, advance
from tests.support.reports import DAY, NULLIFIED
from tests.support.versions import make_version

DUPLICATE = Link(kind=LinkKind.DUPLICATE_OF, case_id="M")
SUSPECT = (Product(substances=("zinc",)),)
RASH = (Reaction(term="Rash"),)


@pytest.mark.parametrize(
    ("product", "drugs"),
    [
        ({"substances": ("zinc", "iron")}, ["iron", "zinc"]),
        ({"substances": ("zinc", "zinc")}, ["zinc"]),
        ({"substances": ("zinc",), "product_class": "metal", "verbatim": "Zn"}, ["zinc"]),
        ({"product_class": "peptide", "verbatim": "Pep-1"}, ["peptide"]),
        ({"verbatim": "Exo-1"}, ["Exo-1"]),
        ({}, []),
        ({"verbatim": " \t "}, []),
        ({"substances": (" ",), "product_class": " ", "verbatim": "Exo-1"}, ["Exo-1"]),
        ({"substances": (" ", "zinc"), "product_class": "metal"}, ["zinc"]),
        ({"substances": ("  zinc\u3000 oxide ",)}, ["zinc oxide"]),
        ({"substances": ("ＥＸ－117",)}, ["EX-117"]),
        ({"substances": ("zinc\x1foxide",)}, ["zinc oxide"]),
        ({"substances": ("Zinc", "zinc")}, ["Zinc", "zinc"]),
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
    terms = ("Rash", " Rash ", "Ｒａｓｈ", "Injection\nsite pain", "\x1f")
    version = make_version(reactions=tuple(Reaction(term=term) for term in terms))
    assert version.events == "Injection site pain\x1fRash"


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


ASCENDING = [
    {"version": 1, "latest_received": date(2024, 6, 1), "revision": NULLIFIED, "message_id": "z"},
    {"version": 2, "latest_received": DAY, "revision": NULLIFIED, "message_id": "z"},
    {"version": 2, "latest_received": date(2024, 3, 1), "message_id": "z"},
    {"version": 2, "latest_received": date(2024, 3, 1), "revision": NULLIFIED, "message_id": "a"},
    {"version": 2, "latest_received": date(2024, 3, 1), "revision": NULLIFIED, "message_id": "b"},
    {"version": 10, "latest_received": DAY},
]


def test_versions_are_ordered_by_number_day_nullification_and_message() -> None:
    versions = [make_version(**changes) for changes in ASCENDING]
    assert sorted(reversed(versions)) == versions
    assert len(set(versions)) == len(versions)


def _step(
    *versions: CaseVersion, stored: Mapping[str, CaseVersion] | None = None
) -> tuple[list[tuple[str, int]], dict[str, int], dict[str, int]]:
    step = advance(versions, stored or {})
    assert dict(step.changes.schema) == dict(CASE_CHANGES)
    changes = step.changes.select(pl.col("drugs").list.join("+"), "n").rows()
    return changes, dict(step.tally), {key: n for key, n in step.population.items() if n}


ONE = make_version(version=1)
TWO = make_version(version=2, products=(Product(substances=("iron",)),))
VOID = make_version(version=3, revision=NULLIFIED)


def test_a_first_version_enters() -> None:
    assert _step(ONE) == ([("zinc", 1)], {"first": 1}, {"counted": 1})


def test_a_later_version_takes_the_earlier_out_before_it_enters() -> None:
    changes, tally, population = _step(TWO, stored={"A": ONE})
    assert changes == [("zinc", -1), ("iron", 1)]
    assert (tally, population) == ({"replaced": 1}, {})


def test_a_nullification_only_takes_out() -> None:
    expected = [("zinc", -1)], {"replaced": 1}, {"counted": -1, "nullified": 1}
    assert _step(VOID, stored={"A": ONE}) == expected


def test_a_version_after_a_nullification_enters_again() -> None:
    again = make_version(version=4)
    expected = [("zinc", 1)], {"replaced": 1}, {"counted": 1, "nullified": -1}
    assert _step(again, stored={"A": VOID}) == expected


def test_a_nullification_without_a_case_changes_no_count() -> None:
    assert _step(VOID) == ([], {"first": 1}, {"nullified": 1})


def test_a_repeated_version_changes_nothing() -> None:
    assert _step(ONE, ONE, stored={"A": ONE}) == ([], {"repeated": 2}, {})


def test_a_stale_version_changes_nothing() -> None:
    assert _step(ONE, stored={"A": TWO}) == ([], {"stale": 1}, {})


def test_one_number_for_two_contents_conflicts_and_the_same_one_holds_either_way() -> None:
    other = make_version(version=1, products=(Product(substances=("alum",)),))
    assert ONE.same_message(other)
    greater, lesser = max(ONE, other), min(ONE, other)
    assert _step(greater, stored={"A": lesser})[1] == {"conflicting": 1}
    assert _step(lesser, stored={"A": greater})[:2] == ([], {"conflicting": 1})
    assert advance([greater], {"A": lesser}).updates == {"A": greater}
    assert advance([lesser], {"A": greater}).updates == {}


def test_a_batch_gives_each_case_at_most_one_row_of_each_sign() -> None:
    changes, tally, population = _step(ONE, VOID, TWO, ONE, stored={})
    assert changes == []
    assert tally == {"first": 1, "replaced": 1, "stale": 2}
    assert population == {"nullified": 1}
    assert _step(TWO, VOID, make_version(version=4), stored={"A": ONE})[0] == []


def test_what_a_follow_up_does_not_change_is_not_counted_again() -> None:
    follow_up = make_version(version=2, latest_received=date(2024, 3, 9), message_id="m")
    assert ONE.counts_as(follow_up)
    step = advance([follow_up], {"A": ONE})
    assert step.changes.height == 0
    assert step.updates == {"A": follow_up}
    assert step.tally == Counter(replaced=1)


@pytest.mark.parametrize(
    "changes",
    [
        {"first_received": date(2024, 2, 28)},
        {"products": (Product(substances=("iron",)),)},
        {"reactions": (Reaction(term="Fever"),)},
        {"links": (DUPLICATE,)},
        {"seriousness": (Seriousness.DISABILITY,)},
        {"seriousness": (Seriousness.DEATH,)},
        {"occurrence_country": "JP"},
        {"reporter": Reporter(country="US")},
        {"reporter": Reporter(qualification=Qualification.PHARMACIST)},
        {"sender": "PHARMA"},
        {"products": (Product(substances=("zinc",), indication="Acne"),)},
        {"products": (Product(substances=("zinc",), dose="1 mg"),)},
    ],
)
def test_every_counted_fact_makes_a_change(changes: dict[str, Any]) -> None:
    changed = make_version(version=2, **changes)
    assert not ONE.counts_as(changed)
    assert advance([changed], {"A": ONE}).changes.height == (1 if changed.excluded else 2)


def test_nothing_in_nothing_out() -> None:
    step = advance([], {})
    assert (step.changes.height, step.updates, step.tally, step.population) == (0, {}, {}, {})
    assert dict(step.changes.schema) == dict(CASE_CHANGES)
