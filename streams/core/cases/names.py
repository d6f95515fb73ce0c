"""Names that a case counts under, with their spellings; facts of suspect products."""

from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from schemas.normal_form import normal_drug, normal_term, spelling_of_drug, spelling_of_term
from schemas.product import Product
from schemas.vocabulary import ProductRole
from streams.core.cases.chronology import add_course, course_of
from streams.core.cases.levels import class_of_name, family_of_term, unmarked
from streams.core.cases.provenance import DOSE, INDICATION, ONSET
from streams.core.cases.spellings import first_spellings, usual_drug, usual_event

__all__ = [
    "OF_DOMAIN",
    "SEPARATOR",
    "joined_names",
    "names_of_reaction",
    "suspects",
]

SEPARATOR = "\x1f"
"""ASCII unit separator; normalising removes it, so that no name contains it."""

_MOST_NAMES = 200_000  # cached [names]
# Members bound to module names: looking one up in its class costs more than comparing it.
_SUSPECT, _INTERACTING = ProductRole.SUSPECT, ProductRole.INTERACTING


OF_DOMAIN = 1 << 16
"""Bit of `suspects`: one of the products is of a class of the domain's vocabulary."""


@lru_cache(maxsize=_MOST_NAMES)
def names_of_reaction(term: str) -> tuple[tuple[str, ...], str]:
    """Return the names a reaction counts under, its term and its hazard family, and its spelling.

    The names are normal forms; none if nothing of the term can be read. The spelling is empty if it
    is the usual one (`streams.core.cases.spellings`).
    """
    spelling = unmarked(spelling_of_term(unmarked(term)))
    name = unmarked(normal_term(spelling))
    names = tuple(filter(None, (name, family_of_term(name)))) if name else ()
    return names, "" if spelling == usual_event(name) else spelling


@lru_cache(maxsize=_MOST_NAMES)
def _drug(text: str) -> tuple[str, str]:
    """Return the normal form of a drug and its spelling, as `names_of_reaction` does."""
    spelling = unmarked(spelling_of_drug(unmarked(text)))
    name = unmarked(normal_drug(spelling))
    return name, "" if spelling == usual_drug(name) else spelling


def suspects(
    products: Iterable[Product], onset: date | None
) -> tuple[list[str], list[str], int, dict[str, int], dict[str, str]]:
    """Return drugs, indications, statement bits, courses and spellings of suspect products.

    Drugs and indications are normal forms. The bits are those of `streams.core.cases.provenance`,
    and `OF_DOMAIN`. The courses are of `streams.core.cases.chronology`, by drug; a drug of which
    nothing is stated has none. The spellings are those of drugs that are not usual, by drug.
    """
    drugs: list[str] = []
    indications: list[str] = []
    courses: dict[str, int] = {}
    stated, spelt = 0, []
    for product in products:
        role = product.role
        if role is not _SUSPECT and role is not _INTERACTING:
            continue
        n_before = len(drugs)
        for substance in product.substances:
            name, spelling = _drug(substance)
            if name:
                drugs.append(name)
                spelt.append(spelling)
        name_given, class_given = product.verbatim or "", product.product_class
        if len(drugs) == n_before:
            name, spelling = _drug(class_given or "")
            if not name:
                name, spelling = _drug(name_given)
            if name:
                drugs.append(name)
                spelt.append(spelling)
        if class_of_name(name_given) or (class_given and class_of_name(class_given)):
            stated |= OF_DOMAIN
        if product.indication and (name := unmarked(normal_term(product.indication))):
            indications.append(name)
            stated |= INDICATION
        if product.dose or product.volume_ml is not None:
            stated |= DOSE
        given = product.first_given
        if given and onset is not None and given <= onset:
            stated |= ONSET
        if (
            given
            or product.lot
            or product.dechallenge is not None
            or product.rechallenge is not None
        ):
            add_course(courses, drugs[n_before:], course_of(product))
    unusual = first_spellings(zip(drugs, spelt, strict=True), usual_drug) if any(spelt) else {}
    return drugs, indications, stated, courses, unusual


def joined_names(names: list[str]) -> str:
    """Return distinct names, sorted, in one text."""
    if len(names) == 1:
        return names[0]
    if len(names) == 2:  # most cases that have more than one
        first, second = names
        if first == second:
            return first
        return first + SEPARATOR + second if first < second else second + SEPARATOR + first
    distinct = [*{*names}]
    distinct.sort()
    return SEPARATOR.join(distinct)
