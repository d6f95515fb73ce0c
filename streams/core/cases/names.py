"""Normalised names of drugs, reactions and indications; facts of suspect products."""

import unicodedata
from collections.abc import Iterable
from datetime import date
from functools import lru_cache

from schemas.product import Product
from schemas.visible_text import visible
from schemas.vocabulary import ProductRole
from streams.core.cases.chronology import add_course, course_of
from streams.core.cases.levels import class_of_name, family_of_term, unmarked
from streams.core.cases.provenance import DOSE, INDICATION, ONSET

__all__ = ["OF_DOMAIN", "SEPARATOR", "joined_names", "names_of_reaction", "suspects"]

SEPARATOR = "\x1f"
"""ASCII unit separator; normalising removes it, so that no name contains it."""

_MOST_NAMES = 200_000  # cached [names]
# Members bound to module names: looking one up in its class costs more than comparing it.
_SUSPECT, _INTERACTING = ProductRole.SUSPECT, ProductRole.INTERACTING


OF_DOMAIN = 1 << 16
"""Bit of `suspects`: one of the products is of a class of the domain's vocabulary."""


@lru_cache(maxsize=_MOST_NAMES)
def _normalised(text: str) -> str:
    # NFKC for width, after what nobody sees is gone, so that accents behind it compose.
    return unmarked(" ".join(unicodedata.normalize("NFKC", visible(text)).split()))


@lru_cache(maxsize=_MOST_NAMES)
def names_of_reaction(term: str) -> tuple[str, ...]:
    """Return the names that a reported reaction counts under: its term, and its hazard family."""
    name = _normalised(term)
    return tuple(filter(None, (name, family_of_term(name)))) if name else ()


def suspects(
    products: Iterable[Product], onset: date | None
) -> tuple[list[str], list[str], int, dict[str, int]]:
    """Return the drugs and indications of suspect products, bits of what they state, and courses.

    The bits are those of `streams.core.cases.provenance`, and `OF_DOMAIN`. The courses are of
    `streams.core.cases.chronology`, by drug; a drug of which nothing is stated has none.
    """
    drugs: list[str] = []
    indications: list[str] = []
    courses: dict[str, int] = {}
    stated = 0
    for product in products:
        role = product.role
        if role is not _SUSPECT and role is not _INTERACTING:
            continue
        n_before = len(drugs)
        for substance in product.substances:
            if name := _normalised(substance):
                drugs.append(name)
        name_given, class_given = product.verbatim or "", product.product_class
        if len(drugs) == n_before and (
            name := _normalised(class_given or "") or _normalised(name_given)
        ):
            drugs.append(name)
        if class_of_name(name_given) or (class_given and class_of_name(class_given)):
            stated |= OF_DOMAIN
        if product.indication and (name := _normalised(product.indication)):
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
    return drugs, indications, stated, courses


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
