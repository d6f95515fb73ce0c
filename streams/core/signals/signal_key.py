"""Keys of signals: what stays the same in every revision, whatever spelling is shown."""

from functools import lru_cache
from urllib.parse import quote, unquote

__all__ = ["names_of_key", "signal_key"]


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


@lru_cache(maxsize=100_000)
def _quoted(part: str) -> str:
    return quote(part, safe=" ")
