"""Normalised names of drugs, reactions and indications; facts of suspect products."""

import unicodedata
from collections.abc import Iterable
from datetime import date

from schemas.product import Product
from schemas.vocabulary import ProductRole
from streams.core.cases.chronology import add_course, course_of
from streams.core.cases.levels import CLASS_OF_NAME, FAMILY_OF_TERM, unmarked
from streams.core.cases.provenance import DOSE, INDICATION, ONSET

__all__ = ["NAMES", "OF_DOMAIN", "SEPARATOR", "TERMS", "joined_names", "suspects"]

SEPARATOR = "\x1f"
"""ASCII unit separator; normalising removes it, so that it never stands in a name."""

_MOST_NAMES = 200_000  # kept normalised at a time
# Members by names of their own: to look one up in its class costs more than to compare it.
_SUSPECT, _INTERACTING = ProductRole.SUSPECT, ProductRole.INTERACTING


class _Names(dict[str, str]):
    """Cache by name as reported: its normalised form."""

    def __missing__(self, text: str) -> str:
        if len(self) >= _MOST_NAMES:
            self.clear()
        # NFKC for width; `str.split` takes the unit separator for white space as well.
        name = unmarked(" ".join(unicodedata.normalize("NFKC", text).split()))
        self[text] = text if name == text else name
        return name


NAMES = _Names()
"""Names as reported, and what they are normalised to."""


class _Terms(dict[str, tuple[str, ...]]):
    """Cache by reaction as reported: its term and hazard family."""

    def __missing__(self, text: str) -> tuple[str, ...]:
        if len(self) >= _MOST_NAMES:
            self.clear()
        name = NAMES[text]
        family = FAMILY_OF_TERM[name] if name else ""
        found = self[text] = tuple(filter(None, (name, family)))
        return found


TERMS = _Terms()
"""Reactions as reported, and what they count under: the term, and its hazard family."""

OF_DOMAIN = 1 << 16
"""Bit of what products state: one of them is of a class of the domain's vocabulary."""


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
        others = len(drugs)
        for substance in product.substances:
            if name := NAMES[substance]:
                drugs.append(name)
        name_given, class_given = product.verbatim or "", product.product_class
        if len(drugs) == others and (name := NAMES[class_given or ""] or NAMES[name_given]):
            drugs.append(name)
        if CLASS_OF_NAME[name_given] or (class_given and CLASS_OF_NAME[class_given]):
            stated |= OF_DOMAIN
        if product.indication and (name := NAMES[product.indication]):
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
            add_course(courses, drugs[others:], course_of(product))
    return drugs, indications, stated, courses


def joined_names(names: list[str]) -> str:
    """Return distinct names, sorted, in one text."""
    if len(names) == 1:
        return names[0]
    if len(names) == 2:  # most cases that have more than one
        one, other = names
        if one == other:
            return one
        return one + SEPARATOR + other if one < other else other + SEPARATOR + one
    distinct = [*{*names}]
    distinct.sort()
    return SEPARATOR.join(distinct)
