"""Builders of reports: a test states what matters to it, everything else is as usual."""

import json
from collections.abc import Iterable
from datetime import date
from typing import Any

from schemas.product import Facility, Product
from schemas.report import Reaction, Report, Reporter, Revision
from schemas.vocabulary import Qualification, RevisionKind, Seriousness
from streams.demo import PRODUCT_CLASS

DAY = date(2024, 2, 29)
NULLIFIED = Revision(kind=RevisionKind.NULLIFICATION, reason="sent in error")


def make_report(
    case_id: str = "A",
    *,
    day: date = DAY,
    drugs: Iterable[str] = ("zinc",),
    events: Iterable[str] = ("Rash",),
    **fields: Any,
) -> Report:
    """Return a report received on a day; `fields` replace what they name, or add to it."""
    usual = {
        "case_id": case_id,
        "first_received": day,
        "latest_received": day,
        "products": tuple(Product(substances=(drug,)) for drug in drugs),
        "reactions": tuple(Reaction(term=event) for event in events),
    }
    return Report(**{**usual, **fields})


def domain_product(
    product_class: str,
    *,
    lot: str | None = None,
    facility_id: str | None = None,
    **fields: Any,
) -> Product:
    """Return a product of the domain's vocabulary, with the lot and facility that it came from."""
    facility = Facility(facility_id=facility_id) if facility_id else None
    return Product(product_class=product_class, lot=lot, facility=facility, **fields)


def report_line(case_id: str, day: date, drug: str, event: str, **others: object) -> str:
    """Return a line of JSON with the least that a report of one pair must say, and `others`."""
    fields = {
        "case_id": case_id,
        "first_received": day.isoformat(),
        "latest_received": day.isoformat(),
        "products": [{"substances": [drug]}],
        "reactions": [{"term": event}],
    }
    return json.dumps(fields | others) + "\n"


def domain_report(
    case_id: str,
    day: date,
    term: str = "Sepsis",
    *,
    product: dict[str, Any] | None = None,
    reaction: dict[str, Any] | None = None,
    **fields: Any,
) -> Report:
    """Return a report of a hospitalisation by a physician in the US, of the domain's product.

    `product` and `reaction` say more of the one product and the one reaction.
    """
    usual = {
        "products": (domain_product(**{"product_class": PRODUCT_CLASS, **(product or {})}),),
        "reactions": (Reaction(term=term, **(reaction or {})),),
        "seriousness": (Seriousness.HOSPITALISATION,),
        "reporter": Reporter(qualification=Qualification.PHYSICIAN, country="US"),
    }
    return make_report(case_id, day=day, **{**usual, **fields})
