"""Builders of case versions, of cases of the domain, and of decisions that link cases."""

from datetime import date
from typing import Any

from schemas.link import CaseLink
from schemas.release import Release, ReleaseMarker
from schemas.vocabulary import LinkBasis, LinkState, SupplyRoute
from streams.core.cases.domain_case import DomainCase, domain_case_of
from streams.core.cases.from_report import case_version, release_version
from streams.core.cases.versions import CaseVersion
from tests.support.reports import DAY, domain_report, make_report

CELLS = "cell-product"
"""The class of `make_domain_case`."""


def make_version(case_id: str = "A", **fields: Any) -> CaseVersion:
    """Return what the case stage keeps of `make_report(case_id, **fields)`."""
    return case_version(make_report(case_id, **fields))


def domain_case(case_id: str, day: date, term: str = "Sepsis", **fields: Any) -> DomainCase:
    """Return what the safety monitor is given of `domain_report(...)`, the age not known."""
    case = domain_case_of(domain_report(case_id, day, term, **fields), "unknown")
    assert case is not None, "a product of the domain"
    return case


def make_domain_case(case_id: str, **fields: Any) -> DomainCase:
    """Return a case of sepsis after cells of lot A1 at clinic C-A in the US, by a physician."""
    usual = {
        "case_id": case_id,
        "product_class": CELLS,
        "received": DAY.toordinal() - date(1970, 1, 1).toordinal(),
        "onset": None,
        "terms": ["Sepsis"],
        "indication_terms": [],
        "serious": True,
        "fatal": False,
        "by_professional": True,
        "country": "US",
        "age_group": "adult",
        "lots": ["A1"],
        "facilities": ["C-A"],
        "manufacturers": [],
        "distributors": [],
        "indications": [],
        "supply_route": SupplyRoute.UNKNOWN.value,
        "exposure_ongoing": None,
        "part_of": [],
        "source": "test",
        "classes": [CELLS],
    }
    return DomainCase(**{**usual, **fields})


def make_link(
    state: str = "applied", basis: str = "worldwide_id", *, case_id: str = "A", **fields: Any
) -> CaseLink:
    """Return a decision that a case is a duplicate of the case M; `fields` replace or add."""
    usual = {
        "case_id": case_id,
        "master_case_id": "M",
        "state": LinkState(state),
        "basis": LinkBasis(basis),
        "decision": 1,
        "decided_on": DAY,
        "decided_by": "test",
        "reason": "test",
        "score": 0.9 if basis == "probable" else None,
    }
    return CaseLink(**{**usual, **fields})


def make_release(month: int, scope: str = "vaers/2024") -> Release:
    """Return the release of the first of a month of 2024."""
    return Release(scope=scope, released_on=date(2024, month, 1))


def make_marker(month: int, scope: str = "vaers/2024") -> ReleaseMarker:
    """Return the marker that closes the release of `make_release`."""
    return ReleaseMarker(scope=scope, released_on=date(2024, month, 1))


def closing(month: int, scope: str = "vaers/2024") -> CaseVersion:
    """Return what the case stage keeps of `make_marker`."""
    return release_version(make_marker(month, scope))
