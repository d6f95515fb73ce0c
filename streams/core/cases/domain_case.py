"""Cases of the domain's products, with their lots, facilities, exposure and verification.

Counts need drugs and events only. For the few cases with a product of a class of the domain's
vocabulary, more facts are kept; deltas carry them as one encoded column.
"""

from collections.abc import Callable, Iterable
from datetime import date

import msgspec

from schemas.domain import domain_vocabulary
from schemas.normal_form import normal_term
from schemas.product import Product, in_other_letters, normalise_lot
from schemas.report import Reaction, Report
from schemas.visible_text import visible
from schemas.vocabulary import (
    Donor,
    LinkKind,
    Outcome,
    ProductRole,
    Qualification,
    Seriousness,
    SupplyRoute,
)
from streams.core.cases.chronology import add_course, course_of
from streams.core.cases.levels import class_of_name, level_names
from streams.core.cases.names import suspects
from streams.core.cases.spellings import one_spelling_each

__all__ = [
    "DomainCase",
    "add_level_courses",
    "confounded",
    "decode_domain_case",
    "domain_case_of",
    "encode_domain_case",
]

_EPOCH = date(1970, 1, 1).toordinal()
_SUSPECT = {ProductRole.SUSPECT, ProductRole.INTERACTING}
_LAY = {Qualification.CONSUMER, Qualification.LAWYER}


class DomainCase(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Facts of one version of one case with a product of the domain.

    Days are counted from 1970-01-01. Lists are sorted and hold no repeats; empty: not known.
    """

    case_id: str
    product_class: str
    received: int  # first receipt
    onset: int | None  # earliest onset of a reaction
    terms: list[str]
    indication_terms: list[str]  # reactions that belong to the indication
    serious: bool
    fatal: bool
    by_professional: bool
    country: str | None
    age_group: str
    lots: list[str]  # normalised
    facilities: list[str]
    manufacturers: list[str]
    distributors: list[str]
    indications: list[str]
    supply_route: str
    exposure_ongoing: bool | None
    part_of: list[str]
    source: str
    drugs: list[str] = []  # names that its products of the domain count under, without levels
    classes: list[str] = []  # of all of them
    tissues: list[str] = []
    donors: list[str] = []
    routes: list[str] = []
    stated: list[str] = []  # items of follow_up_questions.toml that the report states
    lot_in_other_letters: bool = False  # that were read as Latin ones


def domain_case_of(report: Report, age_group: str) -> DomainCase | None:
    """Reduce a report to a domain case; None without a product of the domain.

    Parameters
    ----------
    report
        A report, or any object with the attributes of one (`streams.intake.native`).
    age_group
        As `streams.core.cases.strata.age_group` has it.
    """
    named = [
        (code, product)
        for product in report.products
        if product.role in _SUSPECT and (code := _class_of(product))
    ]
    if not named:
        return None
    products = [product for _, product in named]
    reactions, reporter = report.reactions, report.reporter
    onsets = [reaction.onset for reaction in reactions if reaction.onset]
    indications = _distinct(product.indication for product in products)
    terms = list(one_spelling_each(reaction.term for reaction in reactions))
    fatal = Seriousness.DEATH in report.seriousness or any(
        reaction.outcome is Outcome.FATAL for reaction in reactions
    )
    vocabulary = domain_vocabulary()
    facilities = (product.facility for product in products)
    routes = (p.supply_route for p in products if p.supply_route is not SupplyRoute.UNKNOWN)
    return DomainCase(
        case_id=report.case_id,
        product_class=named[0][0],
        received=report.first_received.toordinal() - _EPOCH,
        onset=min(onsets).toordinal() - _EPOCH if onsets else None,
        terms=terms,
        indication_terms=confounded(terms, indications),
        serious=fatal or bool(report.seriousness),
        fatal=fatal,
        by_professional=reporter.qualification not in _LAY,
        country=report.occurrence_country or reporter.country,
        age_group=age_group,
        lots=_distinct(normalise_lot(product.lot) for product in products),
        facilities=_distinct(facility.facility_id for facility in facilities if facility),
        manufacturers=_distinct(product.manufacturer for product in products),
        distributors=_distinct(product.distributor for product in products),
        indications=indications,
        supply_route=next(routes, SupplyRoute.UNKNOWN).value,
        exposure_ongoing=_ongoing(products),
        part_of=_distinct(link.case_id for link in report.links if link.kind is LinkKind.PART_OF),
        source=visible(report.sender or "").strip() or report.source,
        drugs=sorted(set(suspects(products, None)[0])),
        classes=sorted({code for code, _ in named}),
        tissues=_distinct(map(_tissue, products)),
        donors=_distinct(map(_donor, products)),
        routes=_distinct(
            _coded(vocabulary.route, product.route) or product.route for product in products
        ),
        stated=_stated(reactions, products),
        lot_in_other_letters=any(in_other_letters(product.lot) for product in products),
    )


def confounded(terms: Iterable[str], indications: Iterable[str]) -> list[str]:
    """Return the reactions that belong to the indication, such as progression of a treated cancer.

    >>> confounded(["Malignant neoplasm progression", "Sepsis"], ["Lung cancer stage IV"])
    ['Malignant neoplasm progression']
    """
    vocabulary = domain_vocabulary()
    treated = {vocabulary.indication(indication) for indication in indications} - {None}
    given_for = {normal_term(indication) for indication in indications}
    return [
        term
        for term in terms
        if normal_term(term) in given_for
        or ("cancer" in treated and vocabulary.family(term) == "malignancy")
        or vocabulary.indication(term) in treated
    ]


def add_level_courses(courses: dict[str, int], products: Iterable[Product]) -> None:
    """Add what products of the domain state to their classes, lots and facilities.

    `courses` are as of `streams.core.cases.chronology.add_course`, by name.
    """
    for product in products:
        if product.role in _SUSPECT and (code := _class_of(product)) and course_of(product):
            facility = product.facility.facility_id if product.facility else None
            names = level_names(
                [code], _distinct([normalise_lot(product.lot)]), _distinct([facility])
            )
            add_course(courses, names, course_of(product))


def encode_domain_case(case: DomainCase | None) -> str:
    """Encode a domain case for the deltas; None is the empty text."""
    return "" if case is None else msgspec.json.encode(case).decode()


def decode_domain_case(text: str) -> DomainCase:
    """Decode a domain case written by `encode_domain_case`."""
    return msgspec.json.decode(text, type=DomainCase)


def _class_of(product: Product) -> str:
    return class_of_name(product.product_class or "") or class_of_name(product.verbatim or "")


def _tissue(product: Product) -> str | None:
    """Return the code of the tissue, else the words as reported; the name may say it as well."""
    material, find = product.source_material, domain_vocabulary().tissue
    stated = (material.tissue, material.tissue_verbatim) if material else (None, None)
    found = (_coded(find, text) for text in (*stated, product.verbatim))
    return next(filter(None, found), None) or next(filter(None, stated), None)


def _donor(product: Product) -> str | None:
    material = product.source_material
    if material is not None and material.donor is not Donor.UNKNOWN:
        return material.donor.value
    return domain_vocabulary().donor(product.verbatim)


def _coded(find: Callable[[str], str | None], text: str | None) -> str | None:
    """Look words up; a source's code, such as `intra_articular`, is read as words."""
    if not text:
        return None
    return find(text) or find(text.replace("_", " ")) or find(text.replace("_", "-"))


def _stated(reactions: Iterable[Reaction], products: Iterable[Product]) -> list[str]:
    items = {
        "culture of the product": any(p.quality and p.quality.culture_result for p in products),
        "organism": any(reaction.organism for reaction in reactions),
    }
    return [name for name, stated in items.items() if stated]


def _ongoing(products: Iterable[Product]) -> bool | None:
    stated = {product.exposure_ongoing for product in products} - {None}
    return (True in stated) if stated else None


def _distinct(values: Iterable[str | None]) -> list[str]:
    return sorted({" ".join(visible(value).split()) for value in values if value} - {""})
