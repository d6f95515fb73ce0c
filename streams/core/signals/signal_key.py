"""Keys of signals: what stays the same in every revision, whatever spelling is shown."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache
from urllib.parse import quote, unquote

__all__ = ["names_of_key", "near_keys", "signal_key"]

_MOST_NEAR = 3
_LEAST_RATIO = 0.75  # the window alone makes keys of other pairs half alike


def signal_key(drug: str, event: str, window: str) -> str:
    """Return the key of a signal: drug, event and window label, percent-encoded, joined by `|`.

    Drug and event are normal forms, as counted (`schemas.normal_form`).

    >>> signal_key("a|b", "sepsis", "cumulative")
    'a%7Cb|sepsis|cumulative'
    """
    return "|".join(map(_quoted, (drug, event, window)))


def names_of_key(key: str) -> tuple[str, str]:
    """Return drug and event of a signal, as counted.

    >>> names_of_key("a%7Cb|sepsis|cumulative")
    ('a|b', 'sepsis')
    """
    drug, event, _ = map(unquote, key.split("|"))
    return drug, event


def near_keys(key: str, known: Iterable[str]) -> list[str]:
    """Return the known keys that are most like a key, the nearest first; capitals do not matter.

    >>> near_keys("ZINC|rahs|cumulative", ["zinc|rash|cumulative", "iron|fever|cumulative"])
    ['zinc|rash|cumulative']
    """
    folded = {name.casefold(): name for name in known}
    near = get_close_matches(key.casefold(), folded, n=_MOST_NEAR, cutoff=_LEAST_RATIO)
    return [folded[name] for name in near]


@lru_cache(maxsize=100_000)
def _quoted(part: str) -> str:
    return quote(part, safe=" ")
