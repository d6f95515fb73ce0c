"""Names of products, events, rules and countries as texts write them."""

from collections.abc import Iterable
from functools import lru_cache

from babel import Locale

from schemas.domain import domain_vocabulary
from schemas.normal_form import LEVEL_NAME
from streams.core.wording.catalogue import Catalogue, Language, capitalised, catalogue

__all__ = [
    "class_name",
    "countries",
    "country",
    "event_name",
    "family_name",
    "plain_product_name",
    "product_name",
    "rule_name",
]

_MOST_NAMES = 100_000


@lru_cache(maxsize=_MOST_NAMES)
def product_name(drug: str, language: Language) -> str:
    """Return the name of a product, with the code it is counted under in brackets.

    The name of a code is in the catalogue, if it has one there; a name that holds its code as a
    word stands without brackets, and a product without a name is its own.

    >>> product_name("FLU3", Language.ENGLISH), product_name("MMR", Language.ENGLISH)
    ('seasonal influenza vaccine (FLU3)', 'MMR vaccine')
    >>> product_name("lot:EX117", Language.ENGLISH), product_name("aspirin", Language.ENGLISH)
    ('products of lot EX117', 'aspirin')
    """
    name = plain_product_name(drug, language)
    if name == drug or drug in name.split() or LEVEL_NAME.match(drug) is not None:
        return name
    return catalogue(language).text("form.coded", name=name, code=drug)


@lru_cache(maxsize=_MOST_NAMES)
def plain_product_name(drug: str, language: Language) -> str:
    """Return the name of a product without its code; a product without a name is its own."""
    words = catalogue(language)
    if LEVEL_NAME.match(drug) is not None:
        kind, _, unit = drug.partition(":")
        return words.text(f"level.{kind}", name=unit)
    name = words.find(f"class.{drug}") or words.find(f"product.{drug}")
    if name is not None:
        return name
    entry = domain_vocabulary().classes.get(drug)
    return drug if entry is None else entry.label


@lru_cache(maxsize=_MOST_NAMES)
def event_name(event: str, language: Language) -> str:
    """Return the name of an event, as coded; of a hazard family its label.

    >>> event_name("family:infection", Language.ENGLISH), event_name("Sepsis", Language.ENGLISH)
    ('Contamination and infection (group of terms)', 'Sepsis')
    """
    if LEVEL_NAME.match(event) is None:
        return event
    words = catalogue(language)
    label = family_name(event.partition(":")[2], words)
    return words.text("form.family", name=capitalised(label))


def family_name(code: str, words: Catalogue) -> str:
    """Return the label of a hazard family.

    >>> family_name("infection", catalogue(Language.ENGLISH))
    'contamination and infection'
    """
    label = words.find(f"family.{code}")
    if label is not None:
        return label
    family = domain_vocabulary().families.get(code)
    return family.label if family else code


def class_name(code: str, words: Catalogue) -> str:
    """Return the short label of a product class, without its code."""
    name = words.find(f"class.{code}")
    if name is not None:
        return name
    entry = domain_vocabulary().classes.get(code)
    return entry.label if entry else code


def rule_name(name: str, title: str, words: Catalogue) -> str:
    """Return the short name of a shipped rule, or the title of any other.

    >>> words = catalogue(Language.ENGLISH)
    >>> rule_name("ic", "", words), rule_name("mine", "Rule of our unit", words)
    ('IC025', 'Rule of our unit')
    """
    return words.find(f"rule.{name}") or title or name


def country(code: str, words: Catalogue) -> str:
    """Return the short name of a country or region of the world by its code.

    >>> country("JP", catalogue(Language.ENGLISH)), country("XX", catalogue(Language.ENGLISH))
    ('Japan', 'XX')
    """
    return words.find(f"country.{code}") or _territories(words.language).get(code, code)


def countries(codes: Iterable[str], words: Catalogue) -> str:
    """Return the names of countries, in the order of their codes."""
    return words.listed(country(code, words) for code in codes)


@lru_cache
def _territories(language: Language) -> dict[str, str]:
    return dict(Locale.parse(language.value).territories)
