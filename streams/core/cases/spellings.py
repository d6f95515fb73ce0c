"""Spellings of counted names: how they are kept beside their normal forms, and which one is shown.

Most names come in one form: drugs in capitals, events as a sentence begins. That form is the usual
spelling of a name; it follows from the normal form, so that only others take room.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from schemas.domain import domain_vocabulary
from schemas.normal_form import normal_term, spelling_of_term
from streams.core.cases.levels import unmarked

__all__ = [
    "first_spellings",
    "joined_spellings",
    "most_frequent",
    "one_spelling_each",
    "usual_drug",
    "usual_event",
]

_SEPARATOR = "\x1f"  # as between the names that spellings stand beside
_MOST_NAMES = 200_000


@lru_cache(maxsize=_MOST_NAMES)
def usual_drug(name: str) -> str:
    """Return the usual spelling of a drug by its normal form; a name of a level has no other.

    >>> usual_drug("aspirin"), usual_drug("lot:EX117"), usual_drug("culture-supernatant")
    ('ASPIRIN', 'lot:EX117', 'culture-supernatant')
    """
    is_level = unmarked(name) != name or name in domain_vocabulary().classes
    return name if is_level else name.upper()


@lru_cache(maxsize=_MOST_NAMES)
def usual_event(name: str) -> str:
    """Return the usual spelling of an event by its normal form; a name of a level has no other.

    >>> usual_event("injection site pain"), usual_event("family:infection")
    ('Injection site pain', 'family:infection')
    """
    return name.capitalize() if unmarked(name) == name else name


def first_spellings(
    spelt: Iterable[tuple[str, str]], usual: Callable[[str], str]
) -> dict[str, str]:
    """Return the spellings of a case that are not the usual ones, by name.

    Of several spellings of one name the first in lexical order holds, be it the usual one.

    Parameters
    ----------
    spelt
        Normal forms, repeats and all, each with its spelling; empty: the usual one.
    usual
        Returns the usual spelling of a name.
    """
    found: dict[str, str] = {}
    for name, spelling in spelt:
        stated = spelling or usual(name)
        found[name] = min(stated, found.get(name, stated))
    return {name: spelling for name, spelling in found.items() if spelling != usual(name)}


def joined_spellings(names: str, spelt: Mapping[str, str]) -> str:
    """Return the spelling of each of joined names, joined likewise.

    Parameters
    ----------
    names
        Normal forms.
    spelt
        Their spellings, without those that are the usual ones.
    """
    return _SEPARATOR.join([spelt.get(name, "") for name in names.split(_SEPARATOR)])


def most_frequent(counts: Mapping[str, int]) -> str:
    """Return the most frequent spelling, of equally frequent ones the first in lexical order.

    >>> most_frequent({"Rash": 2, "RASH": 2, "rash": 1})
    'RASH'
    """
    return min(counts, key=lambda spelling: (-counts[spelling], spelling))


def one_spelling_each(terms: Iterable[str]) -> tuple[str, ...]:
    """Return each of some terms once, sorted, in its most frequent spelling.

    >>> one_spelling_each(["Sepsis", "SEPSIS", "Sepsis", "Chills."])
    ('Chills', 'Sepsis')
    """
    found: dict[str, Counter[str]] = {}
    for term in terms:
        found.setdefault(normal_term(term), Counter())[spelling_of_term(term)] += 1
    return tuple(sorted(most_frequent(counts) for name, counts in found.items() if name))
