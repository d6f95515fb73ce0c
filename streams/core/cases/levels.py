"""Levels beside the product: a case counts for its class, lot and facility, and its hazard family.

They are names beside names, so that every count of them is one of distinct cases like any other. A
name of a level starts with a mark that no name of a sender has: `unmarked` ensures it.
"""

from collections.abc import Iterable
from functools import lru_cache

import polars as pl

from schemas.alert import SignalLevel
from schemas.domain import domain_vocabulary
from schemas.normal_form import LEVEL_NAME

__all__ = [
    "class_of_name",
    "family_of_term",
    "level_names",
    "level_of",
    "plain_pairs",
    "plain_parts",
    "unmarked",
]

_LOT, _FACILITY, _FAMILY = "lot:", "facility:", "family:"
_MOST_TERMS = 100_000


def unmarked(name: str) -> str:
    """Put a space behind what looks like the mark of a level; in names of levels there is none.

    >>> unmarked("lot:EX117"), unmarked("Lot: EX117"), unmarked("aspirin")
    ('lot: EX117', 'Lot: EX117', 'aspirin')
    """
    return LEVEL_NAME.sub(r"\1: ", name, count=1) if LEVEL_NAME.match(name) else name


@lru_cache(maxsize=_MOST_TERMS)
def family_of_term(term: str) -> str:
    """Return the name of the hazard family of a term; the empty text for a term of none."""
    family = domain_vocabulary().family(term)
    return _FAMILY + family if family else ""


@lru_cache(maxsize=_MOST_TERMS)
def class_of_name(text: str) -> str:
    """Return the class of a product name as reported; the empty text for a name of no class."""
    return domain_vocabulary().product_class(text) or ""


def level_names(classes: Iterable[str], lots: Iterable[str], facilities: Iterable[str]) -> set[str]:
    """Return the names of levels that a case of the domain's products counts under.

    Parameters
    ----------
    classes
        Codes of the classes of its products; it counts under those above them as well.
    lots, facilities
        Normalised lots, and pseudonyms.

    Examples
    --------
    >>> sorted(level_names(["engineered-ev"], ["EX117"], ["C-A"]))
    ['engineered-ev', 'extracellular-vesicles', 'facility:C-A', 'lot:EX117',
    'msc-supernatant-exosome']
    """
    above = domain_vocabulary().classes_of
    return {
        *(code for narrowest in classes for code in above(narrowest)),
        *(_LOT + lot for lot in lots),
        *(_FACILITY + facility for facility in facilities),
    }


def level_of(drug: str, event: str) -> SignalLevel:
    """Return the level of a pair by its names, as counted.

    >>> level_of("lot:EX117", "Sepsis").value, level_of("culture-supernatant", "Sepsis").value
    ('lot', 'class')
    """
    if event.startswith(_FAMILY) and unmarked(event) != event:
        return SignalLevel.FAMILY
    return _level_of_drug(drug)  # cached by drug: there are too many pairs


@lru_cache(maxsize=_MOST_TERMS)
def _level_of_drug(drug: str) -> SignalLevel:
    if unmarked(drug) != drug:
        return SignalLevel.LOT if drug.startswith(_LOT) else SignalLevel.FACILITY
    return SignalLevel.CLASS if drug in domain_vocabulary().classes else SignalLevel.PRODUCT


def plain_parts(names: Iterable[str]) -> list[str]:
    """Return the names that senders gave, without those of lots, facilities and families.

    >>> plain_parts(["Sepsis", "family:infection"])
    ['Sepsis']
    """
    return [name for name in names if unmarked(name) == name]


def plain_pairs(counts: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of a counts frame without lots, facilities and families.

    What is estimated from all pairs together, such as a prior, is of these: the same cases under
    another name add no evidence.
    """
    marked = pl.any_horizontal(
        pl.col(column).str.contains(f"^(?:{_LOT}|{_FACILITY}|{_FAMILY})[^ ]")
        for column in ("drug", "event")
    )
    return counts.filter(~marked)
