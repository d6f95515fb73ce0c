"""Limits of one report, so that no single report costs a stage as much as a thousand others.

Reports of a program that counts itself up name a thousand lots, each of which would be an alert.
The largest reports seen, of 107,313 of VAERS and FAERS, have 47 products, 36 reactions, 8 lots and
7,344 bytes.
"""

from typing import Any

from schemas.product import normalise_lot

__all__ = [
    "LONGEST_SUBSTANCE",
    "MOST_LOTS",
    "MOST_REACTIONS",
    "MOST_SUBSTANCES",
    "MOST_TEXT",
    "broken_limit",
]

MOST_REACTIONS = 500
MOST_SUBSTANCES = 500
"""Different substances of all products; with as many reactions they are 250,000 pairs."""

MOST_LOTS = 100
"""Different lots, as they are compared."""

LONGEST_SUBSTANCE = 1_000
"""Characters of the name of a substance."""

MOST_TEXT = 250_000
"""Characters of products and reactions together: a million bytes at four bytes each."""

_PRODUCT_TEXTS = (
    *("verbatim", "product_class", "indication", "indication_verbatim", "route", "dose"),
    *("lot", "manufacturer", "distributor", "licence"),
)
_REACTION_TEXTS = (
    *("term", "verbatim", "code", "dictionary", "dictionary_version"),
    *("baseline_disease", "organism"),
)
_ASSESSMENT_TEXTS = "reaction", "source", "method", "result"
# Characters of a product, a reaction and an assessment of relatedness, if each text is full.
_ALLOWED_TEXT = 7_300, 3_320, 1_100


def broken_limit(report: Any) -> str | None:
    """Return the first limit that a report breaks and what was got; None if it breaks none.

    Parameters
    ----------
    report
        A `schemas.report.Report`, or an object with its attributes.
    """
    products, reactions = report.products, report.reactions
    if len(reactions) > MOST_REACTIONS:
        return f"at most {MOST_REACTIONS} reactions are read; got {len(reactions)}"
    names = [name for product in products for name in product.substances]
    longest = max(map(len, names), default=0)
    if longest > LONGEST_SUBSTANCE:
        return f"a substance must have at most {LONGEST_SUBSTANCE} characters; got {longest}"
    if len(names) > MOST_SUBSTANCES and (n_different := len(set(names))) > MOST_SUBSTANCES:
        return f"at most {MOST_SUBSTANCES} different substances are read; got {n_different}"
    if len(products) > MOST_LOTS:
        lots = {normalise_lot(product.lot) for product in products} - {None}
        if len(lots) > MOST_LOTS:
            return f"at most {MOST_LOTS} different lots are read; got {len(lots)}"
    of_product, of_reaction, of_assessment = _ALLOWED_TEXT
    names_size = sum(map(len, names))
    assessed = [each for product in products for each in product.relatedness]
    most = len(products) * of_product + len(reactions) * of_reaction
    if most + len(assessed) * of_assessment + names_size > MOST_TEXT:
        size = names_size + _size(assessed, _ASSESSMENT_TEXTS)
        size += _size(products, _PRODUCT_TEXTS) + _size(reactions, _REACTION_TEXTS)
        if size > MOST_TEXT:
            return f"products and reactions must have at most {MOST_TEXT} characters; got {size}"
    return None


def _size(parts: Any, texts: tuple[str, ...]) -> int:
    return sum(len(getattr(part, text) or "") for part in parts for text in texts)
