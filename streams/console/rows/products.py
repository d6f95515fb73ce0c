"""Names of what a row is about: event and product of a signal, subject of a safety alert."""

from dataclasses import dataclass

from streams.core.wording.catalogue import Language, catalogue
from streams.core.wording.names import class_name, event_name, product_name
from streams.delivery.tiers import Copy

__all__ = ["What", "searched_names", "what_of"]

_MOST_TERMS = 3  # of a safety alert that a row names; the signal page has all


@dataclass(frozen=True, slots=True)
class What:
    """What a row is about.

    Attributes
    ----------
    event
        Event of the signal, or terms of the safety alert, in the language of the source.
    product
        Full name of the product, with its code.
    subject
        Lot, clinic, rumour or case of a safety alert, as the tier knows it; else empty.
    """

    event: str
    product: str
    subject: str = ""


def what_of(copy: Copy, language: Language) -> What:
    """Return what a copy is about."""
    if "category" not in copy:
        return What(event_name(copy["event"], language), product_name(copy["drug"], language))
    product_class, terms = copy.get("product_class"), copy.get("terms", ())
    product = class_name(product_class, catalogue(language)) if product_class else ""
    listed = ", ".join(terms[:_MOST_TERMS])
    if len(terms) > _MOST_TERMS:
        listed += f" +{len(terms) - _MOST_TERMS}"
    return What(listed, product, str(copy.get("subject", "")))


def searched_names(copy: Copy) -> str:
    """Return the names that a search finds a signal by, casefolded, in both languages."""
    names = {
        name
        for language in Language
        for what in (what_of(copy, language),)
        for name in (what.event, what.product, what.subject)
    }
    return "\n".join(sorted({*names, *copy.get("terms", ())})).casefold()
